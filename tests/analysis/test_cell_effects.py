"""Subjects and ROIs: Holm over the cells, and replication in single subjects."""

import numpy as np
import pytest
from scipy.stats import permutation_test
from statsmodels.stats.multitest import multipletests

from brain_teacher.analysis.cell_effects import (
    cell_effects,
    over_subjects,
    replication,
    roi_effects,
    roi_words,
    sure_cells,
)
from brain_teacher.analysis.statistics import Scores, paired_difference


def make_cells(subjects=("S1", "S2", "S3", "S4", "S5"), rois=("V1", "HVC")):
    cells = {}
    for number, (roi, subject) in enumerate((roi, subject) for roi in rois for subject in subjects):
        rng = np.random.default_rng(number)
        effect = 0.0 if roi == "V1" else 0.12
        none = rng.random((8, 300)) < 0.5
        brain = np.where(rng.random((8, 300)) < 0.4, rng.random((8, 300)) < 0.5 + effect, none)
        cells[subject, roi] = {"brain": Scores(range(8), brain), "none": Scores(range(8), none)}
    return cells


def test_holm_is_over_all_cells():
    cells = make_cells()
    table = cell_effects(cells, teacher="brain", controls=["none"])
    assert list(zip(table["subject"], table["roi"], strict=True)) == list(cells)
    alone = [paired_difference(each["brain"], each["none"]) for each in cells.values()]
    assert table["p"].tolist() == [each.p for each in alone]
    assert table["mean"].tolist() == [each.mean for each in alone]
    expected = multipletests([each.p for each in alone], method="holm")[1]
    assert table["p_corrected"].tolist() == expected.tolist()
    assert (table["p_corrected"] > table["p"]).any()


def test_replication_counts_single_subjects():
    table = cell_effects(make_cells(), teacher="brain", controls=["none"])
    up = (table["mean"] > 0).groupby(table["roi"]).sum()
    sure = ((table["mean"] > 0) & (table["p_corrected"] < 0.05)).groupby(table["roi"]).sum()
    assert sure["HVC"] < 5 or up["HVC"] == 5
    assert replication(table) == [
        *(
            f"Replication in single subjects, {roi}: above none in {up[roi]} of 5, in {sure[roi]} "
            "after Holm's correction over the 10 comparisons."
            for roi in ("V1", "HVC")
        ),
        "No test over subjects is made: with 5 of them no sign-flip goes below 0.0625.",
    ]


@pytest.mark.parametrize("group", ["S1+S2", "all subjects"])
def test_groups_of_subjects_are_no_replication(group):
    cells = make_cells(subjects=("S1", "S2", group), rois=("HVC",))
    first, last = replication(cell_effects(cells, teacher="brain", controls=["none"]))
    assert " of 2, in " in first and first.endswith("over the 3 comparisons.")
    assert last.endswith("with 2 of them no sign-flip goes below 0.5.")


def test_with_six_subjects_a_test_is_made():
    cells = make_cells(subjects=[f"S{n}" for n in range(6)], rois=("V1", "HVC"))
    table = cell_effects(cells, teacher="brain", controls=["none"])
    tested = over_subjects(table).set_index("roi")
    effects = [table[table["roi"] == roi]["mean"] for roi in ("V1", "HVC")]
    # scipy's own test of the same: each subject's effect with its sign flipped.
    flips = [
        permutation_test((e.to_numpy(),), np.mean, permutation_type="samples", n_resamples=np.inf)
        for e in effects
    ]
    assert tested["p"].tolist() == pytest.approx([each.pvalue for each in flips])
    corrected = multipletests(tested["p"], method="holm")[1]
    assert tested["p_corrected"].tolist() == corrected.tolist()
    said = replication(table)
    assert len(said) == 4 and not any("No test" in text for text in said)
    assert f"Over 6 subjects, HVC: {100 * effects[1].mean():+.1f} over none" in said[3]


def test_a_cell_is_sure_where_it_is_above_every_control():
    cells = make_cells(subjects=("S1",))
    for each in cells.values():
        each["brain-class"] = each["brain"]
    both = {"teacher": "brain", "controls": ["none", "brain-class"]}
    assert not any(sure_cells(cell_effects(cells, **both)).values())
    table = cell_effects(cells, teacher="brain", controls=["none"])
    expected = ((table["mean"] > 0) & (table["p_corrected"] < 0.05)).tolist()
    assert list(sure_cells(table).values()) == expected and any(expected)


def test_rois_are_held_against_each_other_by_seed_and_image():
    cells = make_cells(subjects=("S1",), rois=("V1", "LOC", "HVC"))
    scores = {roi: each["brain"] for (_, roi), each in cells.items()}
    table = roi_effects(scores)
    pairs = [("V1", "LOC"), ("V1", "HVC"), ("LOC", "HVC")]
    assert list(zip(table["roi"], table["minus"], strict=True)) == pairs
    alone = [paired_difference(scores[a], scores[b]) for a, b in pairs]
    assert table["mean"].tolist() == [each.mean for each in alone]
    assert table["p_corrected"].tolist() == multipletests(table["p"], method="holm")[1].tolist()
    sure = table[table["p_corrected"] < 0.05]
    assert f"{len(sure)} of 3 pairs differ" in roi_words(table)
    assert len(roi_effects({"V1": scores["V1"]})) == 0


def test_a_cell_with_one_seed_is_named():
    one = Scores((0,), [[1, 0]])
    with pytest.raises(ValueError, match="^S1 V1, brain minus none: two common seeds are needed"):
        cell_effects(
            {("S1", "V1"): {"brain": one, "none": one}}, teacher="brain", controls=["none"]
        )
