"""Ids: text and GOD's numbers, there and back."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_teacher.dataset.ids import (
    NAME,
    image_ids_from_numbers,
    number_from_image_id,
    rows_of,
    split_image_id,
)
from helpers.recordings import GOD_TRIALS, needs_god


@pytest.fixture(scope="module")
def god():
    table = pd.read_csv(GOD_TRIALS, dtype={"stimulus_id": str, "image_id": str})
    return table.drop_duplicates("image_id")


@given(known=st.lists(st.text(max_size=3), unique=True, min_size=1), data=st.data())
def test_ids_are_found_wherever_they_stand(known, data):
    wanted = data.draw(st.lists(st.sampled_from(known)))
    rows = rows_of(wanted, np.array(known, dtype=object), lacks="{}")
    assert [known[row] for row in rows] == wanted and rows.dtype == int


def test_what_cannot_be_joined_is_named():
    known, lacks = np.array(["b", "a"]), "has no '{}' ({} are missing)"
    with pytest.raises(ValueError, match=r"^has no 'd' \(2 are missing\)$"):
        rows_of(np.array(["a", "d", "c", "d"]), known, lacks=lacks)
    # The last of the two would have been taken.
    with pytest.raises(ValueError, match="^'a' stands twice among the ids to be joined on$"):
        rows_of(["a"], ["a", "b", "a"], lacks=lacks)


@needs_god
def test_all_of_gods_ids_survive_the_round_trip(god):
    assert len(god) == 1250
    numbers = np.array([float(text) for text in god["stimulus_id"]])
    assert image_ids_from_numbers(numbers).tolist() == god["image_id"].tolist()
    back = [number_from_image_id(image) for image in god["image_id"]]
    assert back == numbers.tolist()
    categories = [split_image_id(image)[0] for image in god["image_id"]]
    assert categories == god["category"].tolist()


@needs_god
def test_truncation_would_lose_almost_half_of_gods_images(god):
    # ../shared/data/README.md: truncation gets 628 of the 1,200 training images right.
    training = god[god["data_type"] == 1]
    numbers = training["stimulus_id"].map(float).to_numpy()
    truncated = ((numbers - numbers.astype(int)) * 1e6).astype(int)
    right = [split_image_id(image)[1] for image in training["image_id"]]
    assert (truncated == right).sum() == 628
    assert [int(image.split("_")[1]) for image in image_ids_from_numbers(numbers)] == right


@needs_god
def test_as_float32_gods_ids_are_refused(god):
    numbers = god["stimulus_id"].map(float).to_numpy()
    # The README again: 150 distinct values are left of 1,200.
    single = numbers.astype(np.float32)
    assert len(np.unique(single[god["data_type"] == 1])) == 150
    message = "stimulus_id is stored as float32, which loses the image number"
    with pytest.raises(ValueError, match=f"^{message}$"):
        image_ids_from_numbers(single)
    # Widened again (bdpy gives float64 whatever the file holds) the loss shows in the first row.
    with pytest.raises(ValueError, match=r"^row 0: stimulus_id \d+\.0 is not synset\.image"):
        image_ids_from_numbers(single.astype(np.float64))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 10**8 - 1), st.integers(1, 10**6 - 1))
def test_any_synset_and_image_survive_the_round_trip(synset, image):
    image_id = f"n{synset:08d}_{image}"
    assert image_ids_from_numbers([number_from_image_id(image_id)]).tolist() == [image_id]


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_named_with_its_row(number):
    with pytest.raises(ValueError, match=f"^row 1: stimulus_id is {number}$"):
        image_ids_from_numbers([1443537.022563, number])


@pytest.mark.parametrize(
    "number",
    [
        1443537.0,  # no image
        7.0,  # a running number
        0.022563,  # no synset
        -1443537.022563,
        100000000.5,  # nine digits
        1443537.9999999,  # image 1,000,000: seven digits
    ],
)
def test_a_number_that_names_no_image_is_named_with_its_row(number):
    message = (
        f"row 2: stimulus_id {number} is not synset.image (1443537.022563); say in stimuli.csv "
        "which number is which image"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        image_ids_from_numbers([1443537.022563, 1518878.005958, number])


@pytest.mark.parametrize(
    "image_id", ["", "cat.jpg", "n1443537_22563", "n01443537_1234567", "n01443537_", " n01443537_1"]
)
def test_an_id_that_breaks_gods_rule_is_named(image_id):
    message = f"image id '{image_id}' does not follow GOD's rule (n01443537_22563)"
    for function in (split_image_id, number_from_image_id):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            function(image_id)


def test_ids_are_text():
    ids = image_ids_from_numbers([1443537.022563, 1518878.005958])
    assert ids.dtype.kind == "U"
    assert ids.tolist() == ["n01443537_22563", "n01518878_5958"]


@pytest.mark.parametrize("name", ["V1", "sub-01", "HVC", "7"])
def test_names_that_can_be_parts_of_file_names(name):
    assert NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", "V_1", "../V1", "V 1", "V1\n", "Zoë"])
def test_names_that_cannot(name):
    assert not NAME.fullmatch(name)
