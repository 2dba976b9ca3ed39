"""Simulated pictures: what they show, how they look, and what is computed from them."""

import colorsys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_teacher.seeds import named_rng
from brain_teacher.simulation import pictures

NAMED = np.repeat(np.arange(16), 250)


@pytest.fixture(scope="module")
def mixtures():
    return pictures.draw_mixtures(NAMED, n_categories=16, rng=named_rng(1, "mixtures"))


def named_weight(mixtures, named=NAMED):
    return mixtures[np.arange(len(named)), named]


def one_object(category, other=0, weight=0.85):
    """A mixture with one large object in front of a small one."""
    mixture = np.zeros((1, pictures.N_CATEGORIES))
    mixture[0, [category, other]] = weight, 1 - weight
    return mixture


def test_a_mixture_holds_two_objects_and_sums_to_one(mixtures):
    assert ((mixtures > 0).sum(axis=1) == 2).all()
    np.testing.assert_allclose(mixtures.sum(axis=1), 1, atol=1e-12)
    weight = named_weight(mixtures)
    assert 0.35 <= weight.min() < 0.36 and 0.84 < weight.max() <= 0.85


def test_the_unnamed_object_is_larger_in_three_pictures_of_ten(mixtures):
    # (0.5 - 0.35) / (0.85 - 0.35) = 0.3; 4000 pictures have a standard error of 0.007.
    assert (named_weight(mixtures) < 0.5).mean() == pytest.approx(0.3, abs=0.03)


def test_half_of_the_other_objects_are_of_the_same_superclass_and_all_are_used(mixtures):
    other = mixtures.copy()
    other[np.arange(len(NAMED)), NAMED] = 0
    other = other.argmax(axis=1)
    is_same = other // 4 == NAMED // 4
    assert is_same.mean() == pytest.approx(0.5, abs=0.04)
    counts = np.zeros((16, 16))
    np.add.at(counts, (NAMED, other), 1)
    assert (np.diag(counts) == 0).all()
    assert (counts + np.eye(16) > 0).all()


@settings(max_examples=30, deadline=None)
@given(n_categories=st.integers(2, 16), seed=st.integers(0, 100))
def test_with_few_categories_the_other_object_is_still_one_of_them(n_categories, seed):
    named = np.repeat([*range(n_categories), 16, 19], 5)
    drawn = pictures.draw_mixtures(named, n_categories=n_categories, rng=named_rng(seed))
    drawn[np.arange(len(named)), named] = 0
    assert ((drawn > 0).sum(axis=1) == 1).all()
    assert (drawn.argmax(axis=1) < n_categories).all()


def test_the_same_name_and_seed_draw_the_same_pictures(mixtures):
    first, again, other = (
        pictures.draw_pictures(mixtures[:70], size=24, rng=named_rng(1, name))
        for name in ("one", "one", "two")
    )
    assert first.shape == (70, 24, 24, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9


def test_names_that_join_to_the_same_text_are_other_names():
    first, second = named_rng(1, "brain", "S1"), named_rng(1, "brainS1")
    assert first.random() != second.random()


def test_each_shape_covers_the_area_that_its_outline_encloses():
    # Areas over r ** 2 by hand; the triangle is equilateral with a height of 1.65 r.
    expected = {
        "disc": np.pi,
        "square": (2 * 0.85) ** 2,
        "triangle": 1.65**2 / np.sqrt(3),
        "cross": 8 / 2.6 - 4 / 2.6**2,
        "ring": np.pi * (0.95**2 - 0.35**2),
    }
    axis = (np.arange(400) - 199.5) / 100
    x, y = axis[None, :], axis[:, None]
    for name, outline in pictures.SHAPES.items():
        is_inside = outline(x, y, 1.0) < 0
        assert is_inside.mean() * 16 == pytest.approx(expected[name], rel=0.02), name
        np.testing.assert_array_equal(is_inside, is_inside[:, ::-1], name)


def test_the_triangle_points_up():
    outline = pictures.SHAPES["triangle"]
    assert outline(0.0, -1.0, 1.0) < 0 < outline(0.0, 1.0, 1.0)


def test_colours_are_those_of_colorsys():
    hsv = named_rng(1).random((50, 3))
    expected = [colorsys.hsv_to_rgb(*row) for row in hsv]
    np.testing.assert_allclose(pictures._rgb_from_hsv(*hsv.T), expected, atol=1e-12)


def test_stripes_vary_along_the_axis_that_their_name_says():
    energy = {}
    for texture in range(4):
        mixture = np.repeat(one_object(4 + texture, other=8), 40, axis=0)
        drawn = pictures.draw_pictures(mixture, size=24, rng=named_rng(2)).mean(axis=3)
        energy[texture] = [abs(np.diff(drawn, axis=axis)).mean() for axis in (1, 2)]
    plain, horizontal, vertical, checker = energy.values()
    assert horizontal[0] > 1.3 * horizontal[1]
    assert vertical[1] > 1.3 * vertical[0]
    assert min(checker) > 1.2 * max(plain)


def red_share(weight):
    """Share of red pixels where a red disc of `weight` is beside a cyan triangle."""
    mixture = np.repeat(one_object(0, other=8, weight=weight), 100, axis=0)
    drawn = pictures.draw_pictures(mixture, size=24, rng=named_rng(3)).astype(float)
    return (drawn[..., 0] - drawn[..., 2] > 60).mean()


def test_the_heavier_object_is_larger():
    # The disc's area is in proportion to its weight.
    assert red_share(0.85) / red_share(0.15) == pytest.approx(0.85 / 0.15, rel=0.3)


def test_the_heavier_object_is_in_front():
    # The areas differ by 2% only: the rest is what the triangle covers.
    assert red_share(0.505) > 1.05 * red_share(0.495)


def test_a_row_without_two_objects_is_refused():
    with pytest.raises(ValueError) as caught:
        pictures.draw_pictures(np.eye(pictures.N_CATEGORIES)[:1], size=24, rng=named_rng(1))
    assert str(caught.value) == ("a picture holds two objects: each row needs two weights above 0")


def test_categories_have_the_names_of_shape_and_texture():
    names = [pictures.category_name(category) for category in range(pictures.N_CATEGORIES)]
    assert len(set(names)) == 20 and names[0] == "disc, plain" and names[15] == "cross, checker"
    assert {pictures.superclass(c) for c in range(16, 20)} == {"ring"}


def test_low_level_features_are_averages_over_fields():
    picture = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    picture[0, :, 4:] = 255
    features = pictures.low_level_features(picture, grid=2, colour=True).reshape(5, 2, 2)
    luminance, dx, dy, red_green, blue_yellow = features
    np.testing.assert_allclose(luminance, [[0, 1], [0, 1]], atol=1e-12)
    # One of the four columns of the left fields has the edge.
    np.testing.assert_allclose(dx, [[0.25, 0], [0.25, 0]], atol=1e-12)
    for flat in (dy, red_green, blue_yellow):
        np.testing.assert_allclose(flat, 0, atol=1e-12)


@pytest.mark.parametrize(("grid", "colour", "n"), [(8, False, 192), (3, True, 45), (2, True, 20)])
def test_low_level_features_of_any_size_average_to_the_whole(grid, colour, n, mixtures):
    drawn = pictures.draw_pictures(mixtures[:5], size=25, rng=named_rng(1))
    features = pictures.low_level_features(drawn, grid=grid, colour=colour)
    assert features.shape == (5, n)
    ends = np.append(np.arange(grid) * 25 // grid, 25)
    field = drawn[0, ends[-2] :, : ends[1]] / 255 @ [0.299, 0.587, 0.114]
    assert features[0, grid * (grid - 1)] == pytest.approx(field.mean())


def test_categories_of_a_superclass_resemble_one_another():
    codes = pictures.semantic_code(np.eye(pictures.N_CATEGORIES))
    similarity = codes @ codes.T
    shape = np.arange(pictures.N_CATEGORIES) // 4
    expected = 0.3 * (shape == shape[:, None]) + 0.7 * np.eye(pictures.N_CATEGORIES)
    np.testing.assert_allclose(similarity, expected, atol=1e-12)


def test_a_preferred_superclass_is_kept_and_the_others_weakened():
    codes = pictures.semantic_code(np.eye(pictures.N_CATEGORIES), prefers=3)
    expected = np.full(pictures.N_CATEGORIES, 0.35)
    expected[12:16] = 1
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), expected)
