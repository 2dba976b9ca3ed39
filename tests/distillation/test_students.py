"""Students as values and files."""

import gc
import json

import numpy as np
import pytest

from brain_teacher.distillation.students import Answers, Student, read_student, student_arrays
from brain_teacher.files import write_npz
from brain_teacher.report.words import describe_network
from helpers.answers import ORIGIN, SETTINGS

CLASSES = np.array(["a", "b", "c"])
IDS = {"validation": np.array(["v1", "v2"]), "test": np.array(["t1", "t2", "t3"])}
CATEGORY = {"validation": np.array(["a", "c"]), "test": np.array(["b", "b", "c"])}
PROBS = {
    "validation": [[0.5, 0.25, 0.25], [0.6, 0.1, 0.3]],
    "test": [[0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.1, 0.1, 0.8]],
}
LOG_PROBS = {split: np.log(np.float32(probs)) for split, probs in PROBS.items()}
META = {"teacher": "brain", "seed": 3, "settings": SETTINGS, "plan": {}} | ORIGIN
CURVES = {"train_loss": [1.5, 0.5], "validation_nll": [1.0, 0.9]}


def student(**changes):
    values = {
        "curves": CURVES, "log_probs": LOG_PROBS, "epoch": 2, "weights": {}, "diverged": False,
    }  # fmt: skip
    return Student(**(values | changes))


def arrays(**changes):
    return student_arrays(
        student(**changes), class_id=CLASSES, image_id=IDS, category=CATEGORY, meta=META
    )


@pytest.fixture
def answers(tmp_path):
    write_npz(tmp_path / "student.npz", **arrays())
    return read_student(tmp_path / "student.npz")


def test_a_file_gives_back_what_was_written(answers):
    np.testing.assert_array_equal(answers.class_id, CLASSES)
    for split in ("validation", "test"):
        np.testing.assert_array_equal(answers.log_probs[split], LOG_PROBS[split])
        np.testing.assert_array_equal(answers.image_id[split], IDS[split])
        np.testing.assert_array_equal(answers.category[split], CATEGORY[split])
    learnt = {"format": 1, "epoch": 2, "diverged": False, "curves": CURVES}
    assert answers.meta == META | learnt
    assert answers.diverged is False


def test_accuracy_and_nll_by_hand(answers):
    # Validation: v1 right, v2 wrong. Test: t1 and t3 right, t2 wrong.
    assert answers.correct("validation") == {"v1": True, "v2": False}
    assert answers.accuracy("validation") == 0.5
    assert answers.accuracy("test") == pytest.approx(2 / 3)
    assert answers.nll("validation") == pytest.approx(-np.log(0.5 * 0.3) / 2, rel=1e-6)
    assert answers.nll("test") == pytest.approx(-np.log(0.8 * 0.2 * 0.8) / 3, rel=1e-6)


def test_the_order_of_the_classes_does_not_matter(answers):
    order = [2, 0, 1]
    shuffled = Answers(
        answers.meta,
        CLASSES[order],
        {split: values[:, order] for split, values in LOG_PROBS.items()},
        IDS,
        CATEGORY,
    )
    for split in ("validation", "test"):
        assert shuffled.accuracy(split) == answers.accuracy(split)
        assert shuffled.nll(split) == pytest.approx(answers.nll(split))


def test_a_diverged_student_has_no_accuracy_and_can_be_read_back(tmp_path):
    curves = {"train_loss": [1.5, None]}
    write_npz(
        tmp_path / "student.npz",
        **arrays(curves=curves, log_probs={}, diverged=True),
    )
    read = read_student(tmp_path / "student.npz")
    assert read.diverged and read.log_probs == {} and read.meta["curves"] == curves
    assert read.accuracy("test") is None and read.nll("validation") is None


def test_logits_are_refused():
    logits = LOG_PROBS | {"test": LOG_PROBS["test"] + np.float32([[0], [0], [1]])}
    with pytest.raises(ValueError) as caught:
        Answers({"diverged": False}, CLASSES, logits, IDS, CATEGORY)
    assert str(caught.value) == (
        "row 2 (image 't3') sums to 2.71828, not 1: log_probs must be natural-log probabilities, "
        "not logits or probabilities"
    )


@pytest.mark.parametrize("what", ["image_id", "category", "class_id"])
def test_ids_must_fit_the_log_probabilities(what):
    parts = {
        "meta": {}, "class_id": CLASSES, "log_probs": LOG_PROBS, "image_id": IDS,
        "category": CATEGORY,
    }  # fmt: skip
    shorter = {
        "image_id": IDS | {"validation": np.array(["v1"])},
        "category": CATEGORY | {"validation": np.array(["a"])},
        "class_id": CLASSES[:2],
    }
    with pytest.raises(ValueError) as caught:
        Answers(**(parts | {what: shorter[what]}))
    assert str(caught.value) == "validation: log_probs and ids have different lengths"


def test_a_category_that_no_answer_can_be_is_refused():
    # Such an image counted as wrong, whatever the student said.
    strange = CATEGORY | {"test": np.array(["b", "z", "c"])}
    with pytest.raises(ValueError, match="^test: category 'z' of an image is none of the classes$"):
        Answers({"diverged": False}, CLASSES, LOG_PROBS, IDS, strange)


def test_another_file_is_no_student(tmp_path):
    write_npz(tmp_path / "other.npz", log_probs=np.zeros(3), meta=np.array("{}"))
    with pytest.raises(ValueError) as caught:
        read_student(tmp_path / "other.npz")
    assert str(caught.value) == "holds no array 'class_id': it is not a student file"


# np.load leaves the file open that it found to be broken.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broken_file_is_a_value_error(tmp_path):
    write_npz(tmp_path / "student.npz", **arrays())
    whole = (tmp_path / "student.npz").read_bytes()
    (tmp_path / "student.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError) as caught:
        read_student(tmp_path / "student.npz")
    assert str(caught.value) == (
        "is broken, or not a student file (File is not a zip file); fetch it again"
    )
    del caught
    gc.collect()


def test_a_later_format_is_refused(tmp_path):
    later = arrays()
    meta = json.loads(str(later["meta"])) | {"format": 2}
    write_npz(tmp_path / "student.npz", **(later | {"meta": np.array(json.dumps(meta))}))
    with pytest.raises(ValueError) as caught:
        read_student(tmp_path / "student.npz")
    assert str(caught.value) == "has format 2; this version reads 1"


def test_pickles_are_never_opened(tmp_path):
    np.savez(tmp_path / "student.npz", meta=np.array([{}], dtype=object), class_id=CLASSES)
    with pytest.raises(ValueError, match="an array of object is not read"):
        read_student(tmp_path / "student.npz")


def test_a_narrow_network_is_never_called_resnet18_alone():
    names = {
        width: describe_network({"network": "resnet18", "width": width})
        for width in (64, 32, 16, 10)
    }
    assert names == {
        64: "ResNet18",
        32: "half-width ResNet18",
        16: "quarter-width ResNet18",
        10: "ResNet18 of width 10",
    }
