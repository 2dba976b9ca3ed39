"""The students' folder: writing it cell by cell, keeping the best weights, reading it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from brain_teacher.cells.folder import OutputFolder, is_stage
from brain_teacher.cells.making import made_from, new_cells
from brain_teacher.chain.provenance import Plan, own_plan
from brain_teacher.chain.students.answers import check_alike
from brain_teacher.chain.students.cells import ANSWERS, Material, StudentCell, Trained
from brain_teacher.chain.students.inputs import IMAGES, contexts_of
from brain_teacher.chain.students.names import read_names
from brain_teacher.chain.students.shown import draw_student, outcomes_of
from brain_teacher.chain.summary import write_plot
from brain_teacher.dataset.images import SPLITS
from brain_teacher.distillation.students import Answers, read_student
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.files import atomic_write, file_digest, regular, write_npz
from brain_teacher.report.kinds import BY_WAY_OF, called, kind_of
from brain_teacher.tracking import Tracker

WEIGHTS = "weights.safetensors"
TABLE = "students.csv"


def read(folder: str | Path, name: str) -> Answers:
    """The answers of one student of a folder."""
    path = Path(folder) / name / ANSWERS
    with about(path):
        return read_student(path)


def read_all(folder: str | Path) -> dict[str, Answers]:
    """All students of a folder, by name; at least one."""
    names = sorted(path.parent.name for path in Path(folder).glob(f"*/{ANSWERS}"))
    if not names:
        raise BrainTeacherError(
            f"{folder} holds no students: run `dvc repro distill`, or `brain-teacher distill`"
        )
    return {name: read(folder, name) for name in names}


def rank(answers: Answers) -> tuple[float, float, int]:
    """Sort key of the best student on validation: accuracy, then NLL, then the lowest seed."""
    if answers.diverged:
        return (2.0, 0.0, answers.meta["seed"])
    accuracy, nll = answers.accuracy("validation"), answers.nll("validation")
    return (-accuracy, nll, answers.meta["seed"])


def load_classifier(folder: str | Path, name: str) -> Any:
    """A student's network with its weights, ready for people: pixels in, log-probabilities out."""
    from brain_teacher.networks.classifiers import Classifier, read_network

    answers, path = read(folder, name), Path(folder) / name / WEIGHTS
    settings = answers.meta["settings"]
    try:
        size, n_classes = settings["image_size"], len(answers.class_id)
        network = read_network(path, settings, n_classes=n_classes, image_size=size)
    except ValueError as error:
        raise BrainTeacherError(f"{path} {error}; distill again") from error
    return Classifier(network).contiguous()


def digest(folder: str | Path, name: str) -> str:
    """SHA-256 of a student's answers: two students with the same one are the same student."""
    return file_digest(Path(folder) / name / ANSWERS)


def check_neighbours(folder: Path, cells: Sequence[StudentCell], material: Material) -> None:
    """What a former run left in a folder must be students like those that are to be made.

    Under DVC it is taken away when these are made (`Writer.finish`).
    """
    names = {path.parent.name for path in folder.glob(f"*/{ANSWERS}")}
    left = names - {cell.name for cell in cells}
    if left and not is_stage():
        there = {name: read(folder, name).meta for name in sorted(left)}
        # Of what others are to train, the card is not known beforehand.
        card = material.card or next(iter(there.values())).get("card")
        check_alike({c.name: c.meta(material, plan={}, card=card) for c in cells} | there)


@dataclass(eq=False)
class Writer:
    """Writes students as they finish, and says which are kept from before.

    Weights are kept for each teacher's best student on validation, if `weights`. They are written
    before the answers, so that whenever a student counts as finished its teacher's best weights are
    there.
    """

    folder: OutputFolder
    tracker: Tracker
    material: Material
    tags: dict[str, Any]  # of the students' MLflow runs
    plan: Plan  # that they are trained under
    weights: bool = True
    _card: str | None = field(default=None, init=False)
    _best: dict[str, tuple[StudentCell, Answers]] = field(default_factory=dict, init=False)

    def new_cells(self, cells: Sequence[StudentCell]) -> list[StudentCell]:
        """The cells to train: not finished, or their teacher's best has lost its weights."""
        new = new_cells(cells, self.folder)
        fresh = {cell.name for cell in new}
        for cell in cells:
            if cell.name not in fresh:
                answers = read(self.folder.path, cell.name)
                if answers.meta["device"] != self.material.device:
                    raise UsageError(
                        f"{self.folder.path / cell.name} was trained on {answers.meta['device']}, "
                        f"and students of {self.material.device} are no pairs to it: give --device "
                        f"{answers.meta['device']}, or another --out"
                    )
                self._check_card(cell.name, answers.meta.get("card"))
                self._consider(cell, answers)
        if new and self.material.card is not None:
            self._check_card(new[0].name, self.material.card)
        for teacher, (cell, answers) in list(self._best.items()) if self.weights else ():
            weights = f"{cell.name}/{WEIGHTS}"
            if not answers.diverged and not self.folder.is_kept(weights, made_from(cell)):
                del self._best[teacher]
                new += [c for c in cells if c.teacher == teacher and c.name not in fresh]
        return new

    def _check_card(self, name: str, card: str | None) -> None:
        """Students of one kind of card alone are pairs: others round otherwise."""
        self._card = self._card or card
        if card != self._card:
            raise UsageError(
                f"{self.folder.path / name}: {card} trains it, and students of {self._card} "
                "are no pairs to it: train all on one kind of card (of a cluster's jobs, by "
                "--constraint or a queue), or give another --out"
            )

    def _consider(self, cell: StudentCell, answers: Answers) -> StudentCell | None:
        """Make it its teacher's best, if it is; returns the one that is not, or None."""
        before = self._best.get(cell.teacher)
        if before is not None and rank(before[1]) <= rank(answers):
            return cell
        self._best[cell.teacher] = (cell, answers)
        return before and before[0]

    def write(self, cell: StudentCell, trained: Trained) -> Iterator[str]:
        """Write one student: weights, then answers; give the name of each file once it is there."""
        from safetensors.numpy import save_file

        student, place = trained.student, self.folder.path / cell.name
        self._check_card(cell.name, trained.card)
        if student.weights and self.weights:
            with atomic_write(place / WEIGHTS) as temporary:
                save_file(student.weights, temporary)
            yield f"{cell.name}/{WEIGHTS}"
        plan = own_plan(self.plan, cell.teacher)
        write_npz(place / ANSWERS, **cell.arrays(trained, self.material, plan))
        yield f"{cell.name}/{ANSWERS}"

    def conclude(self, cell: StudentCell, trained: Trained) -> None:
        """What follows once a student counts as finished: the best weights stay; MLflow is told."""
        if cell.checkpoint is not None:
            cell.checkpoint.unlink(missing_ok=True)
        answers = read(self.folder.path, cell.name)
        worse = self._consider(cell, answers)
        if worse is not None:
            (self.folder.path / worse.name / WEIGHTS).unlink(missing_ok=True)
        tell(self.tracker, self.folder.path, cell.name, self.tags, seconds=trained.seconds)

    def finish(self, cells: Sequence[StudentCell], *, models: bool = True) -> pd.DataFrame:
        """Remove students of former settings (under DVC); log each teacher's best as a model.

        Pilots and smoke runs log none (`models`): nobody should take them for results. Returns the
        table of all students.
        """
        best = {cell.name: each for cell, each in self._best.values() if not each.diverged}
        names = {cell.name for cell in cells}
        for name in names - best.keys():  # left by a kill between two steps of `write`
            (self.folder.path / name / WEIGHTS).unlink(missing_ok=True)
        keep = {f"{name}/{file}" for name in names for file in (ANSWERS, WEIGHTS)}
        self.folder.prune(keep, _listed(self.folder.path / TABLE))
        table = self._write_table(cells)
        self._write_plot(cells)
        tell_table(self.tracker, self.folder.path, table)
        for name in best if models else ():
            tell_model(self.tracker, self.folder.path, name)
        return table

    def _write_plot(self, cells: Sequence[StudentCell]) -> None:
        """Each teacher's mean accuracy on validation, by epoch; who diverged is left out."""
        curves: dict[str, list] = {}
        for cell in cells:
            answers = read(self.folder.path, cell.name)
            if not answers.diverged:
                curve = answers.meta["curves"]["validation_accuracy"]
                curves.setdefault(cell.teacher, []).append(pd.Series(curve, dtype=float))
        means = {who: pd.concat(each, axis=1).mean(axis=1) for who, each in curves.items()}
        table = pd.DataFrame(means).dropna(how="all")
        table.insert(0, "epoch", table.index + 1)
        simulated = cells[0].origin["simulated"]
        write_plot(self.folder.path, table, simulated=simulated)

    def _write_table(self, cells: Sequence[StudentCell]) -> pd.DataFrame:
        """All students on one screen; a diverged one has no numbers."""
        rows = []
        for cell in cells:
            answers = read(self.folder.path, cell.name)
            ids = {"teacher": cell.teacher, "seed": cell.seed, "kind": kind_of(cell.origin)}
            ids |= {key: answers.meta[key] for key in ("fold",) if key in answers.meta}
            rows.append(ids | _measures(answers, SPLITS))
        table = pd.DataFrame(rows)
        # Of None alone, too.
        table = table.astype({key: float for key in table if key.endswith(("_accuracy", "_nll"))})
        with atomic_write(self.folder.path / TABLE) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
        return table


def tell(
    tracker: Tracker, folder: Path, name: str, tags: Mapping[str, Any], seconds: float = 0.0
) -> None:
    """Log a finished student of a folder as an MLflow run; it took `seconds`, and ended now."""
    answers = read(folder, name)
    meta = answers.meta
    ids = {"teacher": meta["teacher"], "seed": meta["seed"]}
    tracker.child(
        f"{called(meta['teacher'], kind_of(meta))} seed {meta['seed']}",
        params=ids | meta["settings"],
        metrics=outcomes_of(answers),
        curves={f"epoch/{name}": values for name, values in meta["curves"].items()},
        inputs=contexts_of(meta["teacher"]),
        measured_on=IMAGES,
        tags={**tags, **ids, "fingerprint": digest(folder, name)},
        seconds=seconds,
        failed=answers.diverged,
    )


def tell_table(tracker: Tracker, folder: Path, table: pd.DataFrame) -> None:
    """Log the table of a folder's students, and the teachers' means, on the parent MLflow run."""
    by_teacher = table.groupby("teacher")["validation_accuracy"].mean().dropna()
    means = {f"validation_accuracy/{name}": value for name, value in by_teacher.items()}
    tracker.log(metrics=means, artifacts=[folder / TABLE])


def tell_model(tracker: Tracker, folder: Path, name: str) -> None:
    """Log a student's network as an MLflow model, if the store knows the student."""
    answers = read(folder, name)
    tracker.log_student(
        digest(folder, name),
        lambda: load_classifier(folder, name),
        model_card(answers, read_names(folder)),
        metrics=outcomes_of(answers),
        measured_on=IMAGES,
        draw=partial(draw_student, answers),
    )


def best_of(folder: Path, everyone: Mapping[str, Answers]) -> list[str]:
    """Each teacher's best student on validation, of those whose weights are kept."""
    best: dict[str, str] = {}
    for name, answers in everyone.items():
        teacher = answers.meta["teacher"]
        if (folder / name / WEIGHTS).is_file() and not answers.diverged:
            best[teacher] = min(best.get(teacher, name), name, key=lambda n: rank(everyone[n]))
    return sorted(best.values())


def _listed(table: Path) -> set[str]:
    """The files of the students that a folder's table lists; none where there is none."""
    try:
        rows = pd.read_csv(regular(table)).fillna("").to_dict("records")
        ids = [(row["teacher"], row["seed"], row.get("fold", "")) for row in rows]
    except (OSError, ValueError, KeyError):
        return set()
    names = [f"{who}_{seed}" + (f"_fold{fold:g}" if fold != "" else "") for who, seed, fold in ids]
    return {f"{name}/{file}" for name in names for file in (ANSWERS, WEIGHTS)}


def _measures(answers: Answers, splits: Iterable[str]) -> dict[str, Any]:
    names = ("accuracy", "nll")
    return {f"{split}_{name}": getattr(answers, name)(split) for split in splits for name in names}


def model_card(answers: Answers, names: Mapping[str, str]) -> dict[str, Any]:
    """What an MLflow model says of itself: classes, what these are called, and origin."""
    keys = ("teacher", "seed", "dataset", "simulated", "roi", "subject", "decoder", "fingerprint")
    card = {key: answers.meta[key] for key in (*keys, BY_WAY_OF, "kind") if key in answers.meta}
    size = answers.meta["settings"]["image_size"]
    class_id = answers.class_id.tolist()
    if called_so := {each: names[each] for each in class_id if each in names}:
        card["class_name"] = called_so
    return card | {"class_id": class_id, "image_size": size}
