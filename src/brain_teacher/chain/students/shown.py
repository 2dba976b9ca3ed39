"""What MLflow shows of one student: every outcome, and two figures of its test images."""

from pathlib import Path

import numpy as np

from brain_teacher.analysis.outcomes import OUTCOMES, NoOutcome
from brain_teacher.decoding.quality import reliability
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.distillation.students import Answers
from brain_teacher.report.kinds import called, kind_of
from brain_teacher.report.words import named, said_simulated

TEST = "test"


def outcomes_of(answers: Answers) -> dict[str, float]:
    """Every outcome of every split that the student answered, as ``test_accuracy``."""
    found = {}
    for split in answers.log_probs:
        for name, outcome in OUTCOMES.items():
            try:
                found[f"{split}_{name}"] = float(np.mean(outcome.of(answers, split)))
            except NoOutcome:
                continue
    return found


def draw_student(answers: Answers, folder: Path) -> None:
    """Write confusion and reliability of a student's answers to the test images."""
    from brain_teacher.report.cell_curves import reliability_figure
    from brain_teacher.report.confusion_figure import confusion_figure
    from brain_teacher.report.figure_files import save_figure

    if TEST not in answers.log_probs:
        return
    meta, log_probs = answers.meta, answers.log_probs[TEST]
    who = f"{called(meta['teacher'], kind_of(meta))} seed {meta['seed']}"
    title = f"{named(meta['dataset'])} ({said_simulated(meta['simulated'], kind_of(meta))}), {who}"
    rows = SoftLabels(log_probs, answers.image_id[TEST], answers.class_id, np.zeros(len(log_probs)))
    truth, guess = answers.truth(TEST), log_probs.argmax(axis=1)
    figures = {
        "confusion": confusion_figure(
            truth, guess, answers.class_id, title=f"{title}: what it takes for what, test images"
        ),
        "reliability": reliability_figure(
            {who: reliability(rows, answers.category[TEST])},
            title=f"{title}: are its probabilities true? Test images",
        ),
    }
    for name, (figure, _) in figures.items():
        save_figure(folder / f"{name}.png", figure, dpi=110, metadata={"Software": None})
