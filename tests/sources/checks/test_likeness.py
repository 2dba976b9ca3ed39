"""Equal and nearly equal pictures: found among many, and called what they are."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from brain_teacher.sources.checks import likeness
from brain_teacher.sources.checks.findings import Findings
from brain_teacher.sources.checks.likeness import Place, check_likeness, groups_alike
from brain_teacher.sources.checks.looks import SIDE, Look, look_at


def look(name, pixels, digest=None):
    return Look(Path(name), digest or name, (24, 24), (), np.asarray(pixels, np.uint8))


def texture(seed):
    return np.random.default_rng(seed).integers(40, 200, (SIDE, SIDE, 3))


def said(*places, pixels=None, digests=None):
    """The cautions on pictures a, b, ... that are nearly alike, of these places."""
    found = Findings()
    names = "abcdefgh"[: len(places)]
    digests = digests or names
    looks = [
        look(name, texture(0) + k % 3 if pixels is None else pixels[k], digests[k])
        for k, name in enumerate(names)
    ]
    check_likeness(
        found, looks, {each.path: place for each, place in zip(looks, places, strict=True)}
    )
    assert not found.problems and not found.facts
    return found.cautions


SHOWN, UNSEEN = Place("shown", "cat"), Place("unseen", "cat")


@pytest.mark.parametrize(
    ("places", "begins", "names"),
    [
        (
            (SHOWN, Place("test", "cat")),
            "students are tested on what they learnt from: equal or nearly equal pictures (1): ",
            "'a' (shown cat) ~ 'b' (test cat)",
        ),
        (
            (Place("validation", "cat"), Place("test", "cat")),
            "what chooses students also tests them: equal or nearly equal pictures (1): ",
            "'a' (validation cat) ~ 'b' (test cat)",
        ),
        (
            (UNSEEN, Place("unseen", "dog")),
            "equal or nearly equal pictures of several categories (1): ",
            "'a' (unseen cat) ~ 'b' (unseen dog)",
        ),
        (
            (SHOWN, SHOWN, Place("shown", None)),
            "equal or nearly equal pictures of several categories (1): ",
            "'a' (shown cat) ~ 'b' (shown cat) ~ 'c' (shown)",
        ),
        (
            (SHOWN, SHOWN),
            "equal or nearly equal pictures under several ids, so that folds by image tell what "
            "was fitted on (1): ",
            "'a' (shown cat) ~ 'b' (shown cat)",
        ),
        (
            (UNSEEN, UNSEEN),
            "equal or nearly equal pictures under several ids, which count as often (1): ",
            "'a' (unseen cat) ~ 'b' (unseen cat)",
        ),
        (
            (SHOWN, *[Place("test", "dog")] * 5),
            "many equal or nearly equal pictures, placeholders of lost ones? (1 times) ",
            "'a' (shown cat) ~ 'b' (test dog) ~ 'c' (test dog) ~ 'd' (test dog) ~ 'e' (test dog) "
            "and 1 more",
        ),
    ],
)
def test_a_group_is_said_once_as_the_worst_that_it_is(places, begins, names):
    assert said(*places) == [begins + names]


def test_copies_of_one_file_have_a_sign_of_their_own():
    (text,) = said(SHOWN, SHOWN, digests="xx")
    assert text.endswith(": 'a' (shown cat) = 'b' (shown cat)")


def test_pictures_of_one_colour_are_only_that():
    one = np.broadcast_to([255, 255, 255], (SIDE, SIDE, 3))
    assert said(SHOWN, UNSEEN, pixels=[one, one]) == ["2 pictures are of one colour: 'a', 'b'"]


def test_different_pictures_are_nothing():
    assert said(SHOWN, UNSEEN, pixels=[texture(1), texture(2)]) == []
    assert groups_alike([]) == []


@settings(max_examples=40, deadline=None)
@given(data=st.data(), n=st.integers(1, 40), block=st.integers(2, 50), pairs=st.integers(1, 40))
def test_groups_are_those_of_all_pairs(data, n, block, pairs):
    kind = data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    rng = np.random.default_rng(n)
    basis = rng.integers(60, 180, (6, SIDE, SIDE, 3))
    looks = [
        look(str(k), basis[c] + rng.integers(-6, 7, basis[c].shape)) for k, c in enumerate(kind)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(likeness, "BLOCK", block)
        patch.setattr(likeness, "PAIRS", pairs)
        found = {tuple(rows) for rows in groups_alike(looks)}
    every = [tuple(np.flatnonzero(np.array(kind) == c)) for c in range(6)]
    assert found == {rows for rows in every if len(rows) > 1}


def test_a_copy_of_another_size_and_kind_is_found(tmp_path):
    # A picture as cameras make them: smooth, with edges.
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    picture = coarse.resize((320, 240), Image.Resampling.BICUBIC)
    picture.paste((20, 20, 30), (100, 80, 180, 200))
    other = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "b.jpg", quality=60)
    picture.resize((200, 150)).save(tmp_path / "c.webp")
    picture.save(tmp_path / "d.tif", compression="tiff_lzw")
    other.resize((320, 240), Image.Resampling.BICUBIC).save(tmp_path / "e.png")
    looks, wrong = look_at(sorted(tmp_path.iterdir()))
    assert wrong == [] and [rows.tolist() for rows in groups_alike(looks)] == [[0, 1, 2, 3]]
