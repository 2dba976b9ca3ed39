"""The decoders' pictures: what is drawn stands where the numbers are; nothing is cut off."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import rcParams
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy.special import log_softmax

from brain_teacher.decoding.quality import class_similarity, quality, reliability
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.report.cell_curves import (
    draw_reliability,
    draw_similarity,
    reliability_figure,
    similarity_figure,
)
from brain_teacher.report.cell_guesses import (
    choose_images,
    draw_guesses,
    guesses_figure,
    top_guesses,
)
from brain_teacher.report.decoder_figures import accuracy_figure, cell_figures, draw_accuracy

ORIGIN = {
    "dataset": "toy",
    "simulated": True,
    "subject": "S1",
    "roi": "LOC+FFA+PPA",
    "decoder": "logistic",
}
CELLS = ("reliability", "similarity", "guesses")


def make_scores(subjects=("S1", "S2"), rois=("V1", "HVC", "LOC+FFA+PPA"), decoders=("ridge",)):
    """V1 is at chance, the others rise by 1% a cell."""
    rows = []
    for decoder in decoders:
        for subject in subjects:
            for roi in rois:
                top1 = 0.06 if roi == "V1" else 0.30 + 0.01 * len(rows)
                row = {"subject": subject, "roi": roi, "decoder": decoder, "top1": top1}
                row |= {"top1_low": top1 - 0.05, "top1_high": top1 + 0.06}
                rows.append(row | {"chance": 0.0625, "images": 128, "nll": 1.0})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def cell():
    """Soft labels of 6 classes in 2 superclasses, and the images' categories."""
    rng = np.random.default_rng(3)
    truth = np.repeat(np.arange(6), 8)
    logits = 0.8 * np.eye(6)[truth] + rng.standard_normal((48, 6))
    labels = SoftLabels(
        log_softmax(logits, axis=1),
        np.array([f"i{number:02d}" for number in range(48)]),
        # Not sorted, and the superclasses are mixed.
        np.array(["e", "a", "d", "b", "c", "f"]),
        np.zeros(48, int),
    )
    return labels, labels.class_id[truth]


SUPERCLASS = {
    "a": "tools",
    "b": "animals",
    "c": "tools",
    "d": "animals",
    "e": "tools",
    "f": "tools",
}
NAMES = {name: f"the class {name}" for name in "abcdef"}


def make_figures(cell):
    labels, category = cell
    rng = np.random.default_rng(0)
    chosen = choose_images(labels.image_id, category, 8)
    images = {image: rng.integers(0, 256, (24, 24, 3), dtype=np.uint8) for image in chosen}
    found = cell_figures(
        labels,
        category,
        origin=ORIGIN,
        scores=quality(labels, category, superclass=SUPERCLASS),
        images=images,
        names=NAMES,
        superclass=SUPERCLASS,
    )
    scores = make_scores(decoders=("ridge", "logistic"))
    return found | {"accuracy": accuracy_figure(scores, dataset="toy", simulated=True)}


@pytest.fixture(scope="module")
def figures(cell):
    return make_figures(cell)


def texts(place, gid=None):
    return [text for text in place.findobj(Text) if gid is None or text.get_gid() == gid]


def said(figure):
    return " ".join(text.get_text().replace("\n", " ") for text in figure.findobj(Text))


@pytest.mark.parametrize("name", [*CELLS, "accuracy"])
def test_simulated_and_the_data_set_stand_in_picture_and_table(figures, name):
    figure, points = figures[name]
    assert figure.get_suptitle().startswith("toy (simulated)")
    assert points["simulated"].all() and set(points["dataset"]) == {"toy"}
    if name in CELLS:
        assert "S1, LOC+FFA+PPA, logistic" in figure.get_suptitle().replace("\n", " ")
        assert set(points["roi"]) == {"LOC+FFA+PPA"}


def test_real_recordings_are_called_real():
    figure, points = accuracy_figure(make_scores(), dataset="GOD", simulated=False)
    assert figure.get_suptitle().startswith("GOD (real recordings): top-1 accuracy")
    assert not points["simulated"].any()


def test_accuracy_has_a_field_for_each_cell(figures):
    figure, points = figures["accuracy"]
    scores = make_scores(decoders=("ridge", "logistic"))
    assert len(points) == len(scores) == 12
    assert points["top1"].tolist() == scores["top1"].tolist()
    *panels, bar = figure.axes
    assert [ax.get_title(loc="left") for ax in panels] == ["ridge", "logistic"]
    for ax, (_, table) in zip(panels, scores.groupby("decoder", sort=False), strict=True):
        above, below = texts(ax, "above"), texts(ax, "not above")
        where = {text.xy: text.get_text() for text in above + below}
        assert len(where) == len(texts(ax, "interval")) == 6
        for number, row in enumerate(table.itertuples()):
            value = where[(number % 3, number // 3)]
            at_chance = row.roi == "V1"
            assert value == (f"({100 * row.top1:.1f})" if at_chance else f"{100 * row.top1:.1f}")
        assert all(text.get_fontweight() == "bold" for text in above) and len(below) == 2
        assert texts(ax, "interval")[0].get_text() == "1–12"
        assert ax.images[0].get_array().ravel().tolist() == (100 * table["top1"]).tolist()
        # Every panel has the same colours.
        assert ax.images[0].norm is panels[0].images[0].norm
    assert [label.get_text() for label in panels[1].get_xticklabels()] == [
        "V1", "HVC", "LOC+FFA+PPA"
    ]  # fmt: skip
    assert [label.get_text() for label in panels[1].get_yticklabels()] == ["S1", "S2"]
    assert bar.get_ylabel() == "top-1 accuracy (%)"
    assert {line.get_ydata()[0] for line in bar.lines} == {6.25}
    assert "chance" in [text.get_text() for text in bar.texts]
    assert figure.get_suptitle().replace("\n", " ").endswith("128 images; chance 6.25%")
    noise = "noise: top-1 in % S1 6.1; chance 6.2"
    figure, _ = accuracy_figure(scores, dataset="toy", simulated=True, noise=noise)
    caption = figure.get_supxlabel().replace("\n", " ")
    assert caption.endswith("below it. Noise: top-1 in % S1 6.1; chance 6.2.")


def test_a_cell_that_is_not_there_is_an_empty_field():
    scores = make_scores(decoders=("ridge", "logistic"))
    # Of ridge S2 HVC, and all of V1.
    figure, points = accuracy_figure(scores.drop([0, 3, 4]), dataset="toy", simulated=True)
    ax = figure.axes[0]
    assert {text.get_position() for text in texts(ax, "none")} == {(0, 1), (2, 0), (2, 1)}
    assert len(texts(ax, "interval")) == 3 and len(points) == 9


def test_a_field_exactly_at_chance_is_not_above_it():
    table = make_scores().assign(top1_low=0.0625)
    assert not texts(draw_accuracy(table, Figure().subplots()), "above")


def test_cells_are_checked():
    scores = make_scores()
    with pytest.raises(ValueError, match="^no cells to draw$"):
        accuracy_figure(scores.iloc[:0], dataset="toy", simulated=True)
    with pytest.raises(ValueError, match="^S1 HVC stands twice in the table$"):
        accuracy_figure(scores.iloc[[0, 1, 1]], dataset="toy", simulated=True)
    with pytest.raises(ValueError, match="^no images to draw$"):
        guesses_figure(pd.DataFrame(), {}, title="")
    with pytest.raises(ValueError, match="^no guesses for image 'z'$"):
        guesses_figure(pd.DataFrame({"image_id": ["y"]}), {"z": np.zeros((2, 2, 3))}, title="")


def test_reliability_is_drawn_where_it_is(cell, figures):
    figure, points = figures["reliability"]
    rows = pd.DataFrame(reliability(*cell))
    upper, lower = figure.axes
    (bars,) = upper.containers
    line, _, (errors,) = bars.lines
    assert line.get_xdata() == pytest.approx(100 * rows["confidence"])
    assert line.get_ydata() == pytest.approx(100 * rows["accuracy"])
    ends = np.array([segment[:, 1] for segment in errors.get_segments()])
    assert ends == pytest.approx(100 * rows[["low", "high"]].to_numpy())
    (counts,) = [line for line in lower.lines if line.get_gid() == "images"]
    assert counts.get_ydata().tolist() == rows["images"].tolist()
    (diagonal,) = [line for line in upper.lines if line.get_gid() == "diagonal"]
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 100]
    assert upper.get_ylabel() == "right (%)"
    assert lower.get_xlabel() == "probability of the first guess (%)"
    assert points["accuracy"].tolist() == rows["accuracy"].tolist()
    scores = quality(*cell)
    caption = figure.get_supxlabel().replace("\n", " ")
    assert f"ECE {100 * scores['ece']:.1f}% (95% interval" in caption
    assert f"would give {100 * scores['ece_chance']:.1f}%" in caption


def test_several_curves_differ_in_more_than_colour(cell):
    rows = reliability(*cell)
    figure, points = reliability_figure({"S1": rows, "S2": rows[:2]}, title="toy (simulated)")
    lines = [container.lines[0] for container in figure.axes[0].containers]
    assert len({line.get_marker() for line in lines}) == 2
    assert len({line.get_linestyle() for line in lines}) == 2
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["S1", "S2"]
    assert points["curve"].value_counts().to_dict() == {"S1": len(rows), "S2": 2}


def test_similarity_is_in_the_order_of_superclasses(cell, figures):
    figure, points = figures["similarity"]
    ax, bar = figure.axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    # tools comes first, as class a is of it.
    assert labels == [f"the class {name}" for name in "acefbd"]
    assert [label.get_text() for label in ax.get_xticklabels()] == labels
    assert [text.get_text() for text in texts(ax, "superclass")] == ["tools", "animals"]
    assert ax.lines[0].get_ydata()[0] == 3.5 and len(ax.lines) == 2
    matrix, ids = class_similarity(*cell), list(cell[0].class_id)
    shown = ax.images[0].get_array()
    assert shown[0, 4] == shown[4, 0] == matrix[ids.index("a"), ids.index("b")]
    assert np.ma.getmaskarray(shown).sum() == 6
    assert bar.get_ylabel() == "similarity (nats)"
    row = points[(points["class_a"] == "a") & (points["class_b"] == "b")]
    assert len(points) == 15 and row["similarity"].item() == shown[0, 4]
    caption = figure.get_supxlabel().replace("\n", " ")
    assert "Spearman's correlation with 'same superclass'" in caption and "permutation p" in caption


@pytest.mark.parametrize("superclass", [None, {"a": "tools"}])
def test_without_superclasses_classes_are_in_the_order_of_their_ids(cell, superclass):
    labels, category = cell
    figure, _ = similarity_figure(
        class_similarity(labels, category), labels.class_id, title="", superclass=superclass
    )
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == list("abcdef")
    assert not ax.lines and "superclass" not in said(figure) and "tools" not in said(figure)


def test_many_classes_go_without_names():
    rng = np.random.default_rng(0)
    ids = [f"n{number:03d}" for number in range(60)]
    superclass = {name: "alone" if name == "n059" else "together" for name in ids}
    figure, points = similarity_figure(
        rng.random((60, 60)), ids, title="toy (simulated)", superclass=superclass
    )
    assert [text.get_text() for text in texts(figure, "superclass")] == ["together"]
    assert "n001" not in said(figure) and "Names of 60 classes: see the table" in said(figure)
    assert len(points) == 60 * 59 / 2


def test_images_are_chosen_by_hash_a_round_of_classes_at_a_time():
    ids = [f"i{number}" for number in range(40)]
    category = [f"c{number % 5}" for number in range(40)]
    chosen = choose_images(ids, category)
    assert len(chosen) == len(set(chosen)) == 12
    of = dict(zip(ids, category, strict=True))
    assert (
        {of[image] for image in chosen[:5]}
        == {of[image] for image in chosen[5:10]}
        == set(category)
    )
    assert choose_images(ids[:3], category[:3]) == choose_images(ids[:3], category[:3], 3)


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order(random):
    rows = [(f"i{number}", f"c{number % 5}") for number in range(20)]
    expected = choose_images(*zip(*rows, strict=True))
    random.shuffle(rows)
    assert choose_images(*zip(*rows, strict=True)) == expected


def test_guesses_by_hand():
    probs = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.15, 0.05]])
    labels = SoftLabels(
        np.log(probs), np.array(["p", "q"]), np.array(["d", "c", "b", "a"]), np.zeros(2)
    )
    found = top_guesses(labels, ["d", "d"], ["q", "p"])
    expected = [
        ("q", "d", 1, "d", 0.7, True),
        ("q", "d", 2, "b", 0.15, False),
        ("q", "d", 3, "c", 0.1, False),
        ("p", "d", 1, "a", 0.4, False),
        ("p", "d", 2, "b", 0.3, False),
        ("p", "d", 3, "c", 0.2, False),
        ("p", "d", 4, "d", 0.1, True),
    ]
    columns = ["image_id", "category", "rank", "guess", "probability", "right"]
    pd.testing.assert_frame_equal(found, pd.DataFrame(expected, columns=columns))


def test_guesses_are_bars_and_the_right_one_is_marked(cell, figures):
    figure, points = figures["guesses"]
    pairs = np.reshape(figure.axes, (-1, 2))
    images = list(dict.fromkeys(points["image_id"]))
    assert images == choose_images(cell[0].image_id, cell[1], 8)
    missed = 0
    for image, (picture, bars) in zip(images, pairs, strict=False):
        rows = points[points["image_id"] == image]
        assert len(picture.images) == 1
        assert bars.get_title(loc="left") == f"the class {rows['category'].iloc[0]}"
        drawn = [patch for patch in bars.patches if patch.get_gid() in ("right", "wrong")]
        frames = [patch for patch in bars.patches if patch.get_gid() == "frame"]
        assert [patch.get_width() for patch in drawn] == pytest.approx(rows["probability"])
        names = [text for text in bars.texts if not text.get_text().endswith("%")]
        percents = [text.get_text() for text in bars.texts if text.get_text().endswith("%")]
        assert percents == [f"{100 * p:.0f}%" for p in rows["probability"]]
        for row, patch, frame, name in zip(rows.itertuples(), drawn, frames, names, strict=True):
            assert patch.get_gid() == ("right" if row.right else "wrong")
            assert (name.get_text()[0] == "✓") == row.right
            assert (frame.get_linewidth() > 1) == row.right
            assert (name.get_fontweight() == "bold") == row.right
            assert name.get_text().endswith(f"the class {row.guess}")
            assert (f"{row.rank}th: " in name.get_text()) == (row.rank > 3)
        colours = {patch.get_gid(): to_hex(patch.get_facecolor()) for patch in drawn}
        assert len(set(colours.values())) == len(colours)
        missed += len(rows) > 3
    assert 0 < missed < 8


def test_figures_that_cannot_be_had_are_left_out(cell):
    labels, category = cell
    found = cell_figures(labels, category, origin=ORIGIN, scores={})
    assert set(found) == {"reliability", "similarity"}
    two = SoftLabels(np.log([[0.4, 0.6]]), np.array(["p"]), np.array(["x", "y"]), np.zeros(1))
    assert set(cell_figures(two, ["x"], origin=ORIGIN, scores={})) == {"reliability"}


LONG = {name: f"{name}, a name that is longer than most of them are" for name in "abcdef"}


def extreme(cell, name):
    """Figures at the ends of what they are made for."""
    labels, category = cell
    if name == "one cell":
        return accuracy_figure(make_scores(["S1"], ["HVC"]), dataset="toy", simulated=True)
    if name == "many cells":
        rois = ["V1", "LOC+FFA+PPA", "early-visual-cortex", *(f"ROI{n}" for n in range(7))]
        scores = make_scores([f"S{n}" for n in range(5)], rois, ("ridge", "features", "resnet1d"))
        return accuracy_figure(scores, dataset="a-data-set-with-a-long-name", simulated=False)
    if name == "long names":
        return similarity_figure(
            class_similarity(labels, category), labels.class_id, title="toy (simulated)",
            names=LONG, superclass=SUPERCLASS,
        )  # fmt: skip
    if name == "five curves":
        rows = reliability(labels, category)
        curves = {f"S{n}, LOC+FFA+PPA, logistic": rows for n in range(5)}
        return reliability_figure(curves, title="toy (simulated): " + "a title that goes on, " * 8)
    guesses = top_guesses(labels, category, ["i00", "i11"])
    images = dict.fromkeys(["i00", "i11"], np.zeros((9, 9, 3), np.uint8))
    return guesses_figure(guesses, images, title="toy (simulated)", names=LONG)


@pytest.mark.parametrize(
    "name",
    [*CELLS, "accuracy", "one cell", "many cells", "long names", "five curves", "long guesses"],
)
def test_no_text_is_cut_off_or_overlaps(cell, figures, name):
    figure, _ = figures[name] if name in figures else extreme(cell, name)
    figure.draw_without_rendering()
    boxes = [(text.get_text(), box(text)) for text in shown(figure)]
    assert len(boxes) > 8
    for index, (text, place) in enumerate(boxes):
        assert place.x0 >= 0 and place.y0 >= 0, text
        assert place.x1 <= figure.bbox.x1 and place.y1 <= figure.bbox.y1, text
        for other, other_place in boxes[:index]:
            assert not place.overlaps(other_place), (text, other)


def box(text):
    # A slanted label's rectangle covers its neighbours': its end is what stands under the field.
    if text.get_rotation() % 90 == 0:
        return text.get_window_extent()
    whole = text.get_window_extent()
    return whole.from_extents(whole.x1 - 15, whole.y1 - 5, whole.x1, whole.y1)


def shown(figure):
    """Every text that is drawn: matplotlib keeps labels of ticks that are out of view, too."""
    texts = [*figure.texts]
    for ax in figure.axes:
        texts += ax.get_legend().get_texts() if ax.get_legend() else []
        texts += [*ax.texts, ax.title, ax._left_title]
        if not ax.axison:
            continue
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            texts.append(axis.label)
            texts += [
                label
                for tick in axis.get_major_ticks()
                for label in (tick.label1, tick.label2)
                if low <= tick.get_loc() <= high and label.get_visible()
            ]
    return [text for text in texts if text.get_text()]


def test_the_same_input_gives_the_same_bytes(cell, tmp_path):
    # Made anew: a layout that has been drawn once is solved from where it was.
    pairs = [make_figures(cell), make_figures(cell)]
    for name in (*CELLS, "accuracy"):
        files = [tmp_path / f"{name}{number}.png" for number in range(2)]
        for file, made in zip(files, pairs, strict=True):
            made[name][0].savefig(file, dpi=50, metadata={"Software": None})
        one, two = (file.read_bytes() for file in files)
        assert one == two and one.startswith(b"\x89PNG"), name
        pd.testing.assert_frame_equal(pairs[0][name][1], pairs[1][name][1])


def test_draws_on_axes_that_it_is_given(cell):
    before = dict(rcParams)
    axes = Figure().subplots(1, 2)
    assert draw_accuracy(make_scores(), axes[0]) is axes[0]
    assert draw_similarity(class_similarity(*cell), axes[1], labels=list("abcdef")) is axes[1]
    axes = Figure().subplots(2, 1)
    assert draw_reliability({"S1": reliability(*cell)}, axes) is axes
    guesses = top_guesses(*cell, ["i00"])
    assert draw_guesses(guesses, np.zeros((4, 4, 3), np.uint8), axes) is axes
    assert dict(rcParams) == before
