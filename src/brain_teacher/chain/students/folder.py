"""The students' folder: writing it cell by cell, keeping the best weights, reading it."""

import shutil
from pathlib import Path

import pandas as pd

from brain_teacher.cells.folder import is_stage
from brain_teacher.cells.making import made_from, new_cells
from brain_teacher.chain.students.cells import ANSWERS
from brain_teacher.distillation.students import read_student
from brain_teacher.errors import BrainTeacherError, about
from brain_teacher.files import atomic_write, file_digest, write_npz
from brain_teacher.report.words import BY_WAY_OF

WEIGHTS = "weights.safetensors"
TABLE = "students.csv"


def read(folder, name):
    """The answers of one student of a folder."""
    path = Path(folder) / name / ANSWERS
    with about(path):
        return read_student(path)


def read_all(folder):
    """All students of a folder, by name.

    Raises
    ------
    BrainTeacherError
        If the folder holds no students.
    """
    names = sorted(path.parent.name for path in Path(folder).glob(f"*/{ANSWERS}"))
    if not names:
        raise BrainTeacherError(
            f"{folder} holds no students: run `dvc repro distill`, or `brain-teacher distill`"
        )
    return {name: read(folder, name) for name in names}


def rank(answers):
    """Sort key of the best student on validation: accuracy, then NLL, then the lowest seed."""
    if answers.diverged:
        return (2.0, 0.0, answers.meta["seed"])
    accuracy, nll = answers.accuracy("validation"), answers.nll("validation")
    return (-accuracy, nll, answers.meta["seed"])


def load_classifier(folder, name):
    """A student's network with its weights, ready for people: pixels in, log-probabilities out."""
    from brain_teacher.networks.classifiers import Classifier, read_network

    answers, path = read(folder, name), Path(folder) / name / WEIGHTS
    settings = answers.meta["settings"]
    try:
        network = read_network(
            path,
            settings,
            n_classes=len(answers.class_id),
            image_size=settings["image_size"],
        )
    except ValueError as error:
        raise BrainTeacherError(f"{path} {error}; distill again") from error
    return Classifier(network).contiguous()


def digest(folder, name):
    """SHA-256 of a student's answers: two students with the same one are the same student."""
    return file_digest(Path(folder) / name / ANSWERS)


class Writer:
    """Writes students as they finish, and says which are kept from before.

    Weights are kept for each teacher's best student on validation. They are written before the
    answers, so that whenever a student counts as finished its teacher's best weights are there.

    Parameters
    ----------
    folder : OutputFolder
    tracker : Tracker
    material : Material
    tags : dict
        For the students' MLflow runs.
    plan : str
        Digest of the plan that they are trained under.
    """

    def __init__(self, folder, tracker, material, *, tags, plan):
        self.folder = folder
        self._tracker, self._material, self._tags, self._plan = tracker, material, tags, plan
        self._best = {}

    def new_cells(self, cells):
        """The cells to train: not finished, or their teacher's best has lost its weights."""
        new = new_cells(cells, self.folder)
        fresh = {cell.name for cell in new}
        for cell in cells:
            if cell.name not in fresh:
                self._consider(cell, read(self.folder.path, cell.name))
        for teacher, (cell, answers) in list(self._best.items()):
            if not answers.diverged and not self._has_weights(cell):
                del self._best[teacher]
                new += [c for c in cells if c.teacher == teacher and c.name not in fresh]
        return new

    def _has_weights(self, cell):
        return self.folder.is_kept(f"{cell.name}/{WEIGHTS}", made_from(cell))

    def _consider(self, cell, answers):
        """Make it its teacher's best, if it is; returns the one that is not, or None."""
        before = self._best.get(cell.teacher)
        if before is not None and rank(before[1]) <= rank(answers):
            return cell
        self._best[cell.teacher] = (cell, answers)
        return before and before[0]

    def write(self, cell, trained):
        """Write one student: weights, then answers."""
        from safetensors.numpy import save_file

        student, place = trained[0], self.folder.path / cell.name
        if student.weights:
            with atomic_write(place / WEIGHTS) as temporary:
                save_file(student.weights, temporary)
            self.folder.remember(f"{cell.name}/{WEIGHTS}", made_from(cell))
        write_npz(place / ANSWERS, **cell.arrays(student, self._material, self._plan))

    def conclude(self, cell, trained):
        """What follows once a student counts as finished: the best weights stay; MLflow is told."""
        cell.checkpoint.unlink(missing_ok=True)
        answers = read(self.folder.path, cell.name)
        worse = self._consider(cell, answers)
        if worse is not None:
            (self.folder.path / worse.name / WEIGHTS).unlink(missing_ok=True)
        self._log(cell, answers, trained[1])

    def _log(self, cell, answers, seconds):
        metrics = {
            f"{split}_{name}": measure(split)
            for split in answers.log_probs
            for name, measure in (("accuracy", answers.accuracy), ("nll", answers.nll))
        }
        curves = {f"epoch/{name}": values for name, values in answers.meta["curves"].items()}
        ids = {"teacher": cell.teacher, "seed": cell.seed}
        self._tracker.child(
            f"{cell.teacher} seed {cell.seed}",
            params=ids | answers.meta["settings"],
            metrics=metrics,
            curves=curves,
            tags=self._tags | ids | {"fingerprint": digest(self.folder.path, cell.name)},
            seconds=seconds,
            failed=answers.diverged,
        )

    def finish(self, cells, *, models=True):
        """Remove students of former settings (under DVC); log each teacher's best as a model.

        Pilots and smoke runs log none (`models`): nobody should take them for results. Returns the
        table of all students.
        """
        best = {cell.name for cell, answers in self._best.values() if not answers.diverged}
        for cell in cells:
            if cell.name not in best:  # left by a kill between two steps of `write`
                (self.folder.path / cell.name / WEIGHTS).unlink(missing_ok=True)
        if is_stage():
            names = {cell.name for cell in cells}
            for path in self.folder.path.iterdir():
                if path.is_dir() and path.name not in names:
                    shutil.rmtree(path)
        table = self._write_table(cells)
        by_teacher = table.groupby("teacher")["validation_accuracy"].mean().dropna()
        means = {f"validation_accuracy/{name}": value for name, value in by_teacher.items()}
        self._tracker.log(metrics=means, artifacts=[self.folder.path / TABLE])
        for cell, answers in self._best.values() if models else ():
            if not answers.diverged:
                self._tracker.log_student(
                    digest(self.folder.path, cell.name),
                    lambda name=cell.name: load_classifier(self.folder.path, name),
                    model_card(answers),
                )
        return table

    def _write_table(self, cells):
        """All students on one screen; a diverged one has no numbers."""
        rows = []
        for cell in cells:
            answers = read(self.folder.path, cell.name)
            row = {"teacher": cell.teacher, "seed": cell.seed}
            if "fold" in answers.meta:
                row["fold"] = answers.meta["fold"]
            for split in ("validation", "test"):
                row[f"{split}_accuracy"] = answers.accuracy(split)
                row[f"{split}_nll"] = answers.nll(split)
            rows.append(row)
        table = pd.DataFrame(rows)
        numbers = [f"{s}_{n}" for s in ("validation", "test") for n in ("accuracy", "nll")]
        table[numbers] = table[numbers].astype(float)  # of None alone, too
        with atomic_write(self.folder.path / TABLE) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
        return table


def model_card(answers):
    """What an MLflow model says of itself: classes and origin."""
    keys = ("teacher", "seed", "dataset", "simulated", "roi", "subject", "decoder", "fingerprint")
    card = {key: answers.meta[key] for key in (*keys, BY_WAY_OF) if key in answers.meta}
    size = answers.meta["settings"]["image_size"]
    return card | {"class_id": answers.class_id.tolist(), "image_size": size}
