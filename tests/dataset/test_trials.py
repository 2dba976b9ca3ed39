"""Trials: what Voxels refuse, which image a number is, and voxel files."""

import itertools
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_teacher.dataset.stimuli import image_categories, name_trials, read_stimuli
from brain_teacher.dataset.trials import (
    Voxels,
    place_in_run,
    read_voxels,
    runs_through,
    trial_columns,
)
from brain_teacher.decoding.voxel_scaling import zscore_by_run
from brain_teacher.reading.arrays import read_npz
from brain_teacher.reading.text import Said
from helpers.recordings import GOD_TRIALS, needs_god

STIMULI = """\
stimulus_id,image_id,category,style
1,e_thin,e,thin
2,e_long,e,long
3.5,n_thin,n,thin
"""


META = {"format": 1, "dataset": "tiny", "simulated": True}


@pytest.fixture
def voxels():
    return Voxels(
        data=np.arange(12, dtype=np.float32).reshape(4, 3),
        image_id=np.array(["a1", "a2", "b1", "b1"]),
        category=np.array(["a", "a", "b", "b"]),
        run=np.array([1, 1, 2, 2], dtype=np.int32),
        data_type=np.array([1, 1, 1, 2], dtype=np.int8),
        position=np.array([2, 1, 1, 3], dtype=np.int32),
        groups={"style": np.array(["s", "t", "s", "t"])},
    )


def refuses(message, function, *arguments):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(*arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_id": ["a", None, "b", "b"]}, "image_id of trial 1 is None, no text"),
        ({"category": np.array([1.0, 1, 2, 2])}, "category is float64, not text: write ids out, as "
         "'face-1'"),
        ({"run": [1, 1, 1.5, 2]}, "run of trial 2 is 1.5, no whole number"),
        ({"run": ["one"] * 4}, "run of trial 0 is one, no whole number"),
        ({"data": [["a"]] * 4}, "voxels are <U1, not numbers"),
    ],
)  # fmt: skip
def test_columns_that_are_neither_text_nor_numbers_are_named(voxels, changes, message):
    refuses(message, lambda: replace(voxels, **changes))


def stimuli_of(folder, text):
    (folder / "stimuli.csv").write_text(text, encoding="utf-8")
    return read_stimuli(folder)


def save(path, voxels, **meta):
    text = json.dumps(META | meta)
    np.savez(path, data=voxels.data, **voxels.columns(), meta=np.array(text))
    return path


# Voxels


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_voxel_that_is_not_finite_is_named_with_its_trial(voxels, value):
    data = voxels.data.copy()
    data[2, 1], data[3, 0], data[3, 1] = value, np.nan, np.nan
    message = (
        f"2 of 3 voxels are not finite, first voxel 1 in trial 2 ({np.float32(value)}); remove "
        "such voxels or trials from the recording"
    )
    refuses(message, lambda: replace(voxels, data=data))


@pytest.mark.parametrize("name", ["image_id", "category", "run", "data_type", "position"])
def test_a_column_of_another_length_is_named(voxels, name):
    short = getattr(voxels, name)[:3]
    refuses(f"{name} has 3 entries for 4 trials", lambda: replace(voxels, **{name: short}))


def test_a_group_of_another_length_is_named(voxels):
    groups = {"style": np.array(["s"])}
    refuses("group_style has 1 entries for 4 trials", lambda: replace(voxels, groups=groups))


@pytest.mark.parametrize("name", ["image_id", "category"])
def test_an_empty_id_is_named_with_its_trial(voxels, name):
    column = getattr(voxels, name).copy()
    column[2] = ""
    refuses(f"{name} of trial 2 is empty", lambda: replace(voxels, **{name: column}))


@pytest.mark.parametrize("shape", [(12,), (0, 3), (4, 0), (4, 3, 1)])
def test_voxels_are_a_table_of_trials(voxels, shape):
    data = np.zeros(shape, dtype=np.float32)
    refuses(f"voxels have shape {shape}, not (trials, voxels)", lambda: replace(voxels, data=data))


@pytest.mark.parametrize("trials", [[2, 0], np.array([True, False, True, False])])
def test_take_takes_every_column(voxels, trials):
    taken = voxels.take(np.array(trials))
    np.testing.assert_array_equal(taken.data, voxels.data[trials])
    assert list(taken.columns()) == list(voxels.columns())
    for name, column in voxels.columns().items():
        np.testing.assert_array_equal(taken.columns()[name], column[trials])


def test_columns_name_groups_as_such(voxels):
    names = ["image_id", "category", "run", "data_type", "position", "group_style"]
    assert list(voxels.columns()) == names


def test_without_data_types_all_trials_are_training_in_the_order_of_the_rows(voxels):
    kept = {name: getattr(voxels, name) for name in ("data", "image_id", "category")}
    made = Voxels(**kept, run=np.array([9, 4, 9, 9]))
    assert made.data_type.tolist() == [1, 1, 1, 1] and made.position.tolist() == [1, 1, 2, 3]
    # Run 9 of the training images is another run than run 9 of the test images.
    made = Voxels(**kept, run=np.array([9, 4, 9, 9]), data_type=np.array([1, 1, 2, 1]))
    assert made.position.tolist() == [1, 1, 1, 2]
    assert made.take(np.array([3])).position.tolist() == [2]


# Places within runs

RUN, DATA_TYPE = np.array([2, 2, 1, 2, 1, 2]), np.array([1, 1, 1, 2, 1, 1])
BY_ROW = [1, 2, 1, 1, 2, 3]


def test_blocks_give_the_place_without_gaps():
    # Run 2: blocks 30, 10, 55; run 1: 7, 3. GOD's blocks have gaps where a repeat was.
    block = np.array([30.0, 10, 7, 12, 3, 55])
    place = place_in_run(RUN, DATA_TYPE, block)
    assert place.tolist() == [2, 1, 2, 1, 1, 3] and place.dtype == np.int32
    order = np.array([5, 2, 0, 4, 1, 3])
    shuffled = place_in_run(RUN[order], DATA_TYPE[order], block[order])
    assert shuffled.tolist() == place[order].tolist()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 30.5, 10])
def test_blocks_that_order_nothing_leave_the_order_to_the_rows(wrong):
    block = np.array([wrong, 10, 7, 12, 3, 55])
    assert place_in_run(RUN, DATA_TYPE, block).tolist() == BY_ROW
    assert place_in_run(RUN, DATA_TYPE).tolist() == BY_ROW


def test_one_block_may_stand_in_two_runs():
    assert place_in_run(RUN, DATA_TYPE, np.array([3, 2, 3, 3, 2, 1])).tolist() == [3, 2, 2, 1, 1, 1]


# Sessions

IMAGES = pd.DataFrame({"image_id": list("abcd"), "category": list("xyxy")})


def labels_of(run, **more):
    labels = {"Run": run, "DataType": np.ones(len(run))} | more
    return {name: np.array(values, dtype=np.float64) for name, values in labels.items()}


def test_runs_of_one_number_in_two_sessions_are_two_runs():
    found = trial_columns(labels_of([1, 2, 1, 1], Session=[3, 3, 10, 10]), IMAGES)
    # In the order of the sessions: 3 before 10.
    assert found["run"].tolist() == [1, 2, 3, 3] and found["run"].dtype == np.int32
    assert found["position"].tolist() == [1, 1, 1, 2]
    assert found["groups"]["session"].tolist() == ["3", "3", "10", "10"]
    voxels = Voxels(np.array([[1.0], [5], [2], [4]], np.float32), **found)
    # By the run number alone, trials 0, 2 and 3 would be scaled together.
    np.testing.assert_allclose(zscore_by_run(voxels.data, voxels.run), [[0], [0], [-1], [1]])


def test_a_session_of_stimuli_csv_counts_as_well():
    names = IMAGES.assign(session=["b", "b", "a", "a"])
    assert trial_columns(labels_of([1, 2, 1, 2]), names)["run"].tolist() == [3, 4, 1, 2]


def test_sessions_of_voxels_that_are_made_by_hand(voxels):
    # In a notebook nothing numbers the runs through: two sessions' were scaled together.
    kept = {name: getattr(voxels, name) for name in ("data", "image_id", "category")}
    run, right = np.array([1, 2, 1, 1]), np.array([1, 2, 3, 3])
    for session in (np.array(["9", "9", "10", "10"]), np.array([9, 9, 10, 10])):
        made = Voxels(**kept, run=run, groups={"session": session})
        assert made.run.tolist() == right.tolist() and made.position.tolist() == [1, 1, 1, 2]
        assert made.take([1, 2]).run.tolist() == [2, 3]
    assert Voxels(**kept, run=run).run.tolist() == [1, 2, 1, 1]


def test_runs_that_are_named_by_date_and_time_are_told_apart():
    # All became -2147483648.
    times = [20261128093015, 20261128093015, 20261128101530, 20261127093015]
    found = trial_columns(labels_of(times), IMAGES)
    assert found["run"].tolist() == [2, 2, 3, 1] and found["position"].tolist() == [1, 2, 1, 1]
    found = trial_columns(labels_of([1, 1, 2, 2], Session=times), IMAGES)
    assert found["run"].tolist() == [2, 2, 3, 1]
    assert found["groups"]["session"].tolist() == [str(time) for time in times]
    wrong = labels_of([2.0**53, 1, 1, 1])
    refuses("row 0: Run is not a whole number", trial_columns, wrong, IMAGES)


def test_sessions_are_counted_as_people_count_them():
    run, kind = np.array([1, 1, 1, 1]), np.ones(4)
    for names, numbers in (
        (["ses-2", "ses-10", "ses-1", "ses-2"], [2, 3, 1, 2]),
        (["10", "9", "10", "9"], [2, 1, 2, 1]),
        (["b", "a", "a1", "a10"], [4, 1, 2, 3]),
        # More digits than a number holds.
        (["20261128093015000002", "20261128093015000001"] * 2, [2, 1, 2, 1]),
    ):
        assert runs_through(run, kind, np.array(names)).tolist() == numbers
        assert runs_through(np.array(names), kind).tolist() == numbers


@given(runs=st.lists(st.tuples(*[st.integers(1, 3)] * 3), min_size=4, max_size=4), data=st.data())
def test_a_run_is_session_run_and_data_type(runs, data):
    session, run, data_type = zip(*runs, strict=True)
    labels = labels_of(run, Session=session, DataType=data_type)
    found = trial_columns(labels, IMAGES)
    pairs = list(zip(found["data_type"], found["run"], strict=True))
    for a, b in itertools.product(range(4), repeat=2):
        assert (pairs[a] == pairs[b]) == (runs[a] == runs[b])
    order = np.array(data.draw(st.permutations(range(4))))
    mixed = {name: values[order] for name, values in labels.items()}
    np.testing.assert_array_equal(trial_columns(mixed, IMAGES)["run"], found["run"][order])


@pytest.mark.parametrize("sessions", [{}, {"Session": [1, 1, 2, 2]}])
def test_runs_that_are_numbered_through_keep_their_numbers(sessions):
    # As GOD's: the second session goes on where the first ended; test runs begin again at 1.
    labels = labels_of([7, 8, 9, 7], DataType=[1, 1, 1, 2], **sessions)
    assert trial_columns(labels, IMAGES)["run"].tolist() == [7, 8, 9, 7]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"Run": [1, 1, 1.5, 1]}, "row 2: Run is not a whole number"),
        ({"Session": [1, np.nan, 1, 1]}, "row 1: Session is not a whole number"),
        ({"DataType": [1, 1, 1, 257]},
         "row 3: DataType is not 1 (training), 2 (test) or 3 (imagery)"),
    ],
)  # fmt: skip
def test_labels_that_would_be_cut_off_are_refused(wrong, message):
    labels = labels_of([1, 1, 1, 1]) | {name: np.array(values) for name, values in wrong.items()}
    refuses(message, trial_columns, labels, IMAGES)


# Voxel files


def test_a_voxel_file_survives_the_round_trip(voxels, tmp_path):
    again, meta = read_voxels(save(tmp_path / "S1_V1.npz", voxels, subject="S1"))
    assert meta == META | {"subject": "S1"}
    assert list(again.groups) == ["style"]
    for name, column in ({"data": voxels.data} | voxels.columns()).items():
        read = again.data if name == "data" else again.columns()[name]
        np.testing.assert_array_equal(read, column)
        assert read.dtype == column.dtype


def test_a_voxel_file_without_an_array_says_which(voxels, tmp_path):
    np.savez(tmp_path / "a.npz", data=voxels.data, meta=np.array("{}"))
    refuses("holds no array 'category': it is not a voxel file", read_voxels, tmp_path / "a.npz")


def test_a_voxel_file_of_an_earlier_version_says_what_to_do(voxels, tmp_path):
    columns = voxels.columns()
    del columns["position"]
    np.savez(tmp_path / "a.npz", data=voxels.data, **columns, meta=np.array(json.dumps(META)))
    refuses(
        "holds no array 'position': it was made by an earlier version; preprocess again",
        read_voxels,
        tmp_path / "a.npz",
    )


def test_a_truncated_voxel_file_is_one_line(voxels, tmp_path):
    path = save(tmp_path / "a.npz", voxels)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"^is broken, or not a voxel file \(.+\); fetch it again"):
        read_voxels(path)


def test_damaged_bytes_are_one_line(voxels, tmp_path):
    path = save(tmp_path / "a.npz", voxels)
    whole = bytearray(path.read_bytes())
    start = whole.index(voxels.data.tobytes())
    whole[start] ^= 0xFF
    path.write_bytes(bytes(whole))
    refuses(
        "is broken, or not a voxel file (Bad CRC-32 for file 'data.npy'); fetch it again",
        read_voxels,
        path,
    )


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04"])
def test_what_is_no_npz_is_one_line(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^is broken, or not a voxel file \(.+\); fetch it again"):
        read_voxels(path)


def test_a_lone_array_is_no_voxel_file(tmp_path):
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match=r"^is broken, or not a voxel file \(.+\); fetch it again"):
        read_voxels(tmp_path / "a.npz")


@pytest.mark.parametrize("meta", ["[1]", "3", "null"])
def test_meta_must_be_a_dictionary(voxels, tmp_path, meta):
    np.savez(tmp_path / "a.npz", meta=np.array(meta))
    with pytest.raises(ValueError, match=r"^meta is .+: it is not a voxel file$"):
        read_npz(tmp_path / "a.npz", [], arrays={}, meta=Said, format=1, what="voxel")


def test_pickles_stay_shut(voxels, tmp_path):
    path = tmp_path / "a.npz"
    names = voxels.columns() | {"image_id": voxels.image_id.astype(object)}
    np.savez(path, data=voxels.data, **names, meta=np.array("{}"))
    reason = "an array of object is not read; give real numbers or text"
    message = f"is broken, or not a voxel file ({reason}); fetch it again"
    refuses(message, read_voxels, path)


# stimuli.csv


def test_stimuli_are_text_by_number(tmp_path):
    table = stimuli_of(tmp_path, STIMULI)
    assert table.index.tolist() == [1.0, 2.0, 3.5]
    assert table.columns.tolist() == ["image_id", "category", "style"]
    assert table.loc[3.5].tolist() == ["n_thin", "n", "thin"]


def test_what_looks_like_a_number_or_nothing_stays_text(tmp_path):
    table = stimuli_of(tmp_path, "stimulus_id,image_id,category\n1,007,NA\n2,1e3,nan\n")
    assert table["image_id"].tolist() == ["007", "1e3"]
    assert table["category"].tolist() == ["NA", "nan"]


def test_a_data_set_without_stimuli_has_none(tmp_path):
    assert read_stimuli(tmp_path) is None


@pytest.mark.parametrize("missing", ["stimulus_id", "image_id", "category"])
def test_a_missing_column_is_named(tmp_path, missing):
    table = pd.DataFrame({"stimulus_id": ["1"], "image_id": ["a"], "category": ["c"]})
    table = table.drop(columns=missing)
    message = f"has no column '{missing}' (it has {', '.join(table.columns)})"
    refuses(message, stimuli_of, tmp_path, table.to_csv(index=False))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("one,n_long,n,long", "row 5: stimulus_id is no number"),
        (",n_long,n,long", "row 5: stimulus_id is no number"),
        ("nan,n_long,n,long", "row 5: stimulus_id is no number"),
        ("2.0,n_long,n,long", "row 5: stimulus_id stands in an earlier row too"),
        ("4,,n,long", "row 5: a cell is empty"),
        ("4,n_long,n,", "row 5: a cell is empty"),
        ("4,e_thin,n,thin", "row 5: the image has another category or group in an earlier row"),
        ("4,e_thin,e,long", "row 5: the image has another category or group in an earlier row"),
    ],
)
def test_a_wrong_row_of_stimuli_is_named(tmp_path, line, message):
    # Rows as a person counts them in the file: the header is row 1.
    refuses(message, stimuli_of, tmp_path, STIMULI + line + "\n")


def test_one_image_may_have_two_numbers(tmp_path):
    table = stimuli_of(tmp_path, STIMULI + "4,e_thin,e,thin\n")
    named = name_trials(np.array([4.0, 1.0]), table)
    assert named["image_id"].tolist() == ["e_thin", "e_thin"]


# Names of trials


def test_trials_are_named_in_their_order_with_groups(tmp_path):
    named = name_trials(np.array([3.5, 1.0, 3.5]), stimuli_of(tmp_path, STIMULI))
    assert named.index.tolist() == [0, 1, 2]
    assert named.to_dict("list") == {
        "image_id": ["n_thin", "e_thin", "n_thin"],
        "category": ["n", "e", "n"],
        "style": ["thin", "thin", "thin"],
    }


def test_without_stimuli_gods_rule_names_the_trials():
    named = name_trials(np.array([1443537.022563, 1518878.005958]), None)
    assert named.to_dict("list") == {
        "image_id": ["n01443537_22563", "n01518878_5958"],
        "category": ["n01443537", "n01518878"],
    }


def test_a_number_that_stimuli_do_not_know_is_named_with_its_row(tmp_path):
    refuses(
        "row 1: stimulus_id 9.0 is not in stimuli.csv; add it there",
        name_trials,
        np.array([1.0, 9.0, 8.0]),
        stimuli_of(tmp_path, STIMULI),
    )


@needs_god
def test_gods_numbers_as_stimuli_name_the_same_images_as_the_rule(tmp_path):
    # Text to float64 must not lose a bit: the numbers are looked up by equality.
    god = pd.read_csv(GOD_TRIALS, dtype=str).drop_duplicates("image_id")
    god[["stimulus_id", "image_id", "category"]].to_csv(tmp_path / "stimuli.csv", index=False)
    numbers = np.array([float(text) for text in god["stimulus_id"]])
    pd.testing.assert_frame_equal(
        name_trials(numbers, read_stimuli(tmp_path)), name_trials(numbers, None), check_dtype=False
    )


def test_an_image_that_no_trial_shows_is_named(voxels):
    assert voxels.category_of(["b1", "a2"]).tolist() == ["b", "a"]
    refuses("no trial shows image 'x'", voxels.category_of, ["a1", "x"])


def test_categories_of_images(tmp_path):
    table = stimuli_of(tmp_path, STIMULI + "4,e_thin,e,thin\n")
    assert image_categories(["n_thin", "e_thin"], table).tolist() == ["n", "e"]
    assert image_categories(np.array(["n01443537_22563"]), None).tolist() == ["n01443537"]
    refuses(
        "image 'x' is not in stimuli.csv; add it there",
        image_categories,
        np.array(["e_thin", "x"]),
        table,
    )


def test_imagery_shows_no_image():
    numbers = np.array([1443537.022563, 1443537.0, 1443537.022563])
    named = name_trials(numbers, None, data_type=np.array([1, 3, 3]))
    assert named["image_id"].tolist() == ["n01443537_22563", "n01443537", "n01443537_22563"]
    assert set(named["category"]) == {"n01443537"}
    with pytest.raises(ValueError, match=r"^row 1: stimulus_id 1443537.0 is not synset.image"):
        name_trials(numbers, None, data_type=np.array([1, 2, 3]))
