"""The audit of pretraining: the same difference, over two groups of test images."""

import numpy as np
import pandas as pd
import pytest

from brain_teacher.analysis.audit import NEW, SEEN, audit
from brain_teacher.analysis.comparison import compare_answers
from brain_teacher.analysis.statistics import Scores, paired_difference, scores_of
from brain_teacher.distillation.students import Answers
from brain_teacher.report.tables import audit_markdown
from brain_teacher.report.words import audit_sentence
from helpers.answers import make_answers

FAMILY, CLASSES = ("none", "smooth"), [f"c{number}" for number in range(8)]
SKILL = {"none": 0.5, "smooth": 0.8, "brain": 2.0}


@pytest.fixture(scope="module")
def answers():
    return {
        name: {seed: make_answers(name, seed, skill=skill) for seed in range(3)}
        for name, skill in SKILL.items()
    }


def table_of(answers, seen):
    return audit(answers, seen=seen, teacher="brain", family=FAMILY)


def test_each_group_is_what_a_comparison_of_its_images_would_give(answers):
    seen = {"c1", "c4", "c6", "n01443537"}
    table = table_of(answers, seen)
    assert list(zip(table["classes"], table["teacher"], strict=True)) == [
        (group, name) for group in (SEEN, NEW) for name in (*FAMILY, "brain")
    ]
    # By hand: answers are right where the most probable class is the category.
    for group, wanted in ((SEEN, seen), (NEW, set(CLASSES) - seen)):
        part = {}
        for name, students in answers.items():
            rows = []
            for student in students.values():
                chosen = np.isin(student.category["test"], list(wanted))
                right = student.class_id[student.log_probs["test"].argmax(axis=1)]
                rows.append((right == student.category["test"])[chosen])
            part[name] = Scores((0, 1, 2), rows)
        for _, row in table[table["classes"] == group].iterrows():
            assert row["accuracy (%)"] == pytest.approx(100 * part[row["teacher"]].correct.mean())
            assert (row["n classes"], row["images"]) == ((3, 15) if group == SEEN else (5, 25))
            if row["teacher"] == "brain":
                assert np.isnan(row[["95% low", "95% high", "p"]].astype(float)).all()
                continue
            expected = paired_difference(part["brain"], part[row["teacher"]])
            assert row["brain minus this (points)"] == pytest.approx(100 * expected.mean)
            assert row["95% low"] == pytest.approx(100 * expected.low)
            assert row["95% high"] == pytest.approx(100 * expected.high)
            assert row["p"] == pytest.approx(expected.p)


def test_the_groups_together_are_the_whole(answers):
    table = table_of(answers, {"c0", "c1"})
    for name, students in answers.items():
        rows = table[table["teacher"] == name]
        mean = np.average(rows["accuracy (%)"], weights=rows["images"])
        assert mean == pytest.approx(100 * scores_of(students).correct.mean())


def test_all_in_one_group_is_the_comparison_itself(answers):
    whole = compare_answers(answers, teacher="brain", family=FAMILY, margin=0.04)
    for seen, group in ((CLASSES, SEEN), ([], NEW)):
        table = table_of(answers, seen)
        assert set(table["classes"]) == {group}
        for name, difference in whole.differences.items():
            (row,) = (each for _, each in table.iterrows() if each["teacher"] == name)
            assert row["brain minus this (points)"] == pytest.approx(100 * difference.mean)
            assert row["95% high"] == pytest.approx(100 * difference.high)


def test_the_order_of_images_does_not_matter(answers):
    def shuffled(student, seed):
        order = np.random.default_rng(seed).permutation(len(student.image_id["test"]))
        parts = (student.log_probs, student.image_id, student.category)
        return Answers(student.meta, student.class_id, *({"test": p["test"][order]} for p in parts))

    mixed = {
        name: {seed: shuffled(each, [seed, len(name)]) for seed, each in students.items()}
        for name, students in answers.items()
    }
    pd.testing.assert_frame_equal(table_of(mixed, {"c2"}), table_of(answers, {"c2"}))


def test_a_diverged_student_is_left_out(answers):
    brain = {0: make_answers("brain", 0, diverged=True)} | {
        seed: answers["brain"][seed] for seed in (1, 2)
    }
    found = table_of(answers | {"brain": brain}, {"c2"})
    expected = table_of({n: {s: each[s] for s in (1, 2)} for n, each in answers.items()}, {"c2"})
    differences = ["brain minus this (points)", "95% low", "p"]
    pd.testing.assert_frame_equal(found[differences], expected[differences])


def test_one_image_has_an_accuracy_and_no_interval():
    answers = {
        name: {seed: make_answers(name, seed, images=8) for seed in range(2)}
        for name in (*FAMILY, "brain")
    }
    table = table_of(answers, {"c2"})
    (none, *_) = (row for _, row in table.iterrows())
    assert none["images"] == 1 and np.isnan(none["brain minus this (points)"])
    said = audit_sentence(table, teacher="brain", control="none", weights="IMAGENET1K_V1")
    assert f"{SEEN} (1 classes, 1 images); {NEW} (7 classes, 7 images) " in said


ROWS = pd.DataFrame(
    {
        "classes": [SEEN, SEEN, NEW, NEW],
        "n classes": [59, 59, 91, 91],
        "images": [1770, 1770, 2730, 2730],
        "teacher": ["none", "brain"] * 2,
        "accuracy (%)": [61.04, 62.26, 40.0, 40.8],
        "brain minus this (points)": [1.22, np.nan, 0.8, np.nan],
        "95% low": [0.14, np.nan, -0.04, np.nan],
        "95% high": [2.3, np.nan, 1.64, np.nan],
        "p": [0.031, np.nan, 0.06, np.nan],
    }
)


def test_the_sentence():
    assert audit_sentence(ROWS, teacher="brain", control="none", weights="IMAGENET1K_V1") == (
        "Pretraining: the students began with IMAGENET1K_V1, which may have seen some of the "
        "classes; brain minus none: seen before (59 classes, 1,770 images) +1.2 points (95% "
        "interval +0.1 to +2.3); new (91 classes, 2,730 images) +0.8 points (95% interval +0.0 to "
        "+1.6). Not corrected."
    )


def test_the_table():
    lines = audit_markdown(ROWS, "made up").splitlines()
    assert lines[:2] == ["made up", ""] and len(lines) == 8
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells[0] == list(ROWS)
    assert cells[2] == [
        "seen before",
        "59",
        "1770",
        "none",
        "61.0",
        "+1.2",
        "+0.1",
        "+2.3",
        "0.031",
    ]
    assert cells[3] == ["seen before", "59", "1770", "brain", "62.3", "", "", "", ""]
    assert cells[4][6] == "+0.0"
