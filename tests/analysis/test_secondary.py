"""NLL, top-5 and ECE of the same answers, against scikit-learn and the decoders' own quality."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import ttest_rel
from sklearn.metrics import log_loss, top_k_accuracy_score

from brain_teacher.analysis.secondary import outcome_sentence, secondary_outcomes
from brain_teacher.analysis.statistics import Scores, paired_difference
from brain_teacher.decoding.quality import quality
from brain_teacher.decoding.soft_labels import SoftLabels
from helpers.answers import make_answers


def make_group(seeds=(0, 1, 2, 3), **options):
    return {
        "brain": [make_answers("brain", seed, skill=1.5, **options) for seed in seeds],
        "none": [make_answers("none", seed, skill=0.8, **options) for seed in seeds],
    }


def found(answers):
    answers = {name: {each.meta["seed"]: each for each in a} for name, a in answers.items()}
    return secondary_outcomes(answers, teacher="brain", family=["none"], primary="accuracy")


def test_means_are_those_of_scikit_learn_and_of_quality():
    answers = make_group()
    outcomes = found(answers)
    for name, students in answers.items():
        expected = {"nll": [], "top5": [], "ece": []}
        for each in students:
            truth, log_probs = each.category["test"], each.log_probs["test"].astype(float)
            expected["nll"].append(
                log_loss(truth, softmax(log_probs, axis=1), labels=each.class_id)
            )
            expected["top5"].append(
                top_k_accuracy_score(truth, log_probs, k=5, labels=each.class_id)
            )
            labels = SoftLabels(
                each.log_probs["test"], each.image_id["test"], each.class_id, np.zeros(40, int)
            )
            expected["ece"].append(quality(labels, truth)["ece"])
        for outcome, values in expected.items():
            assert outcomes[outcome]["mean"][name] == pytest.approx(np.mean(values), rel=1e-5)


def test_intervals_of_single_answers_are_two_way():
    answers = make_group()
    nll = {}
    for name, students in answers.items():
        rows = []
        for each in students:
            column = [list(each.class_id).index(c) for c in each.category["test"]]
            rows.append(-each.log_probs["test"][np.arange(40), column].astype(float))
        nll[name] = Scores(range(4), rows)
    expected = paired_difference(nll["brain"], nll["none"])
    assert found(answers)["nll"]["brain_minus"]["none"] == pytest.approx(
        {"mean": expected.mean, "low": expected.low, "high": expected.high}
    )


def test_the_interval_of_ece_is_students_over_paired_seeds():
    answers = make_group()
    one = {name: [found({"brain": [s], "none": [s]})["ece"]["mean"]["brain"] for s in students]
           for name, students in answers.items()}  # fmt: skip
    interval = ttest_rel(one["brain"], one["none"]).confidence_interval()
    difference = found(answers)["ece"]["brain_minus"]["none"]
    assert (difference["low"], difference["high"]) == pytest.approx((interval.low, interval.high))


def test_the_order_of_rows_and_columns_does_not_matter():
    answers = make_group()
    rng = np.random.default_rng(0)

    def shuffled(student):
        rows, columns = rng.permutation(40), rng.permutation(8)
        return replace(
            student,
            class_id=student.class_id[columns],
            log_probs={"test": student.log_probs["test"][np.ix_(rows, columns)]},
            image_id={"test": student.image_id["test"][rows]},
            category={"test": student.category["test"][rows]},
        )

    other = {name: [shuffled(each) for each in students] for name, students in answers.items()}
    for outcome, values in found(answers).items():
        again = found(other)[outcome]
        assert again["mean"] == pytest.approx(values["mean"])
        assert again["brain_minus"]["none"] == pytest.approx(values["brain_minus"]["none"])


def test_pairs_join_on_seeds():
    answers = make_group()
    less = {"brain": answers["brain"][1:], "none": answers["none"][::-1][:3]}
    both = {"brain": answers["brain"][1:], "none": answers["none"][1:]}
    for outcome, values in found(both).items():
        assert found(less)[outcome]["brain_minus"]["none"] == pytest.approx(
            values["brain_minus"]["none"]
        )


def test_what_cannot_be_had_is_absent():
    assert set(found(make_group())) == {"nll", "top5", "ece"}
    assert set(found(make_group(classes=5))) == {"nll", "ece"}
    answers = make_group(seeds=(0,))
    assert found(answers)["nll"]["brain_minus"] == {}
    student = answers["brain"][0]
    sure = np.full((40, 8), -np.inf, dtype=np.float32)
    sure[:, 0] = 0
    answers["brain"] = [replace(student, log_probs={"test": sure})]
    assert set(found(answers)) == {"top5", "ece"}


def test_the_sentence_tells_the_best_control_too():
    difference = {"mean": -0.75, "low": -1.0, "high": -0.5}
    outcomes = {
        "nll": {
            "mean": {"brain": 1.5, "none": 2.25, "semantic": 2.0, "other": 1.75},
            "brain_minus": {"none": difference, "semantic": difference},
        },
        "top5": {
            "mean": {"brain": 0.9, "none": 0.8, "semantic": 0.85, "other": 0.7},
            "brain_minus": {},
        },
        "ece": {"mean": {"brain": 0.1, "none": 0.2}, "brain_minus": {}},
    }
    assert outcome_sentence(outcomes, teacher="brain", controls=("none", "semantic")) == (
        "Exploratory, not corrected, brain minus each in brackets: NLL (nats; less is better): "
        "brain 1.500, none 2.250 (-0.750, 95% interval -1.000 to -0.500), semantic 2.000 (-0.750, "
        "95% interval -1.000 to -0.500), the best control, other, 1.750; top-5 accuracy (a "
        "fraction): brain 0.900, none 0.800, the best control, semantic, 0.850; ECE (a fraction; "
        "less is better): brain 0.100, the best control, none, 0.200."
    )
