"""Students' answers made by hand, as values and as files."""

import numpy as np
from scipy.special import log_softmax

from brain_teacher.distillation.students import Answers, Student, student_arrays
from brain_teacher.files import write_npz

SETTINGS = {
    "loss": "hinton", "temperature": 2.0, "alpha": 0.8, "epochs": 3, "epoch": "last",
    "network": "resnet18", "stem": "auto", "width": 16, "weights": "none", "batch": 4,
    "learning_rate": 0.003, "weight_decay": 0.05, "shift": 2, "flip": True,
    "precision": "float32", "image_size": 12,
}  # fmt: skip
CURVES = {
    "train_loss": [3.0, 2.0, 1.0], "learning_rate": [0.1, 0.2, 0.0],
    "validation_accuracy": [0.1, 0.3, 0.4], "validation_nll": [2.5, 2.0, 1.5],
}  # fmt: skip
ORIGIN = {
    "soft_labels": "d1", "pictures": "p1",
    "dataset": "toy", "simulated": True, "roi": "HVC", "subject": "S1", "decoder": "logistic",
    "device": "cpu", "card": None, "kind": "brain",
}  # fmt: skip


def make_answers(
    teacher, seed, *, skill=1.0, images=40, classes=8, fold=None, diverged=False, **changes
):
    """One student: right where noise lets it be, the more often the greater its skill.

    The noise is the images' (the same for all), the seed's and the student's own. `changes` go into
    the settings, or into the origin.
    """
    class_id = np.array([f"c{number}" for number in range(classes)])
    log_probs, image_id, category = {}, {}, {}
    for split in () if diverged else ("validation", "test"):
        truth = np.arange(images) % classes
        hard = np.random.default_rng([7, fold or 0]).standard_normal((images, classes))
        own = np.random.default_rng([seed, sum(map(ord, teacher + split)), fold or 0])
        logits = hard + own.standard_normal((images, classes)) + skill * np.eye(classes)[truth]
        log_probs[split] = log_softmax(logits, axis=1).astype(np.float32)
        prefix = "" if fold is None else f"f{fold}-"
        image_id[split] = np.array([f"{split[0]}{prefix}{number:03d}" for number in range(images)])
        category[split] = class_id[truth]
    origin = ORIGIN | {key: value for key, value in changes.items() if key in ORIGIN}
    settings = SETTINGS | {key: value for key, value in changes.items() if key in SETTINGS}
    meta = {"teacher": teacher, "seed": seed, "settings": settings, "diverged": diverged}
    meta |= origin | {"plan": changes.get("plan", {}), "fingerprint": f"{teacher}{seed}"}
    if fold is not None:
        meta["fold"] = fold
    return Answers(meta, class_id, log_probs, image_id, category)


def write_answers(folder, answers, name=None):
    """Write one as ``distill`` does; gives its folder."""
    meta = dict(answers.meta)
    ending = f"_fold{meta['fold']}" if "fold" in meta else ""
    place = folder / (name or f"{meta['teacher']}_{meta['seed']}{ending}")
    place.mkdir(parents=True)
    student = Student(CURVES, answers.log_probs, 3, {}, meta.pop("diverged"))
    arrays = student_arrays(
        student,
        class_id=answers.class_id,
        image_id=answers.image_id,
        category=answers.category,
        meta=meta,
    )
    write_npz(place / "student.npz", **arrays)
    return place
