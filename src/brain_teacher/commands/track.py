"""``track``: students that MLflow does not know, since its server was away, are brought in."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from brain_teacher.cells.folder import OutputFolder
from brain_teacher.chain.provenance import digest_of_plan
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.commands import Given, Place, Say
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import regular
from brain_teacher.report.kinds import BRAIN
from brain_teacher.report.words import said_categories, said_simulated
from brain_teacher.tracking import Input, find_untracked, tracked

# What a student says of itself beside what `distill` puts on MLflow runs as tags.
OWN = {
    *("teacher", "seed", "fold", "folds", "fingerprint", "plan", "settings", "curves", "diverged"),
    *("device", "card", "pictures", "second_table"),
}
# Seeds from here on are `search`'s pilots.
PILOT = 1_000_000


def track(*, students: Place, say: Say = print) -> None:
    """Log the students of a folder that the MLflow store does not know, each once.

    They come into the MLflow run that the others of the folder belong to, or into a new one. Each
    teacher's best student becomes an MLflow model, as ``distill`` makes them (of pilots and smoke
    runs none does).
    """
    folder = Path(students)
    if not folder.is_dir():
        raise BrainTeacherError(f"{folder} is no folder: give one that `distill` wrote")
    with OutputFolder(folder, say).locked():
        everyone = student_folder.read_all(folder)
        digests = {name: student_folder.digest(folder, name) for name in everyone}
        lacking, parent = find_untracked(digests)
        metas = [each.meta for each in everyone.values()]
        experiment, tags = _experiment(metas), _tags(metas)
        roi, word = tags.get("roi", ""), said_simulated(bool(metas[0]["simulated"]))
        title = f"{metas[0]['dataset']}{said_categories(metas[0])} {roi} ({word})"
        read = [] if parent else [Input(folder, "students")]
        told: Given = {"tags": tags, "params": {}, "parent": parent, "inputs": read}
        with tracked(experiment, title, **told) as tracker:
            for name in lacking:
                student_folder.tell(tracker, folder, name, _tags([everyone[name].meta]))
            if (file := folder / student_folder.TABLE).exists():  # it is written last
                student_folder.tell_table(tracker, folder, pd.read_csv(regular(file)))
            if experiment == "distill" and not any("limit" in meta for meta in metas):
                for name in student_folder.best_of(folder, everyone):
                    student_folder.tell_model(tracker, folder, name)
        if tracker.problem is not None:
            raise BrainTeacherError("not all is tracked: try again once the MLflow store answers")
    known = len(everyone) - len(lacking)
    say(f"track: {len(lacking)} of {len(everyone)} students brought in, {known} were known already")


def _experiment(metas: list[dict]) -> str:
    """Which command made them."""
    if any(meta["seed"] >= PILOT for meta in metas):
        return "search"
    brains = {(meta["subject"], meta["roi"]) for meta in metas if meta["teacher"] == BRAIN}
    return "explore" if len(brains) > 1 else "distill"


def _tags(metas: Iterable[dict]) -> dict[str, Any]:
    """What is the same of all, as `distill` says it, and the plan."""
    metas = list(metas)
    plans = [meta["plan"] for meta in metas if isinstance(meta["plan"], dict)]
    whole = {key: value for plan in plans for key, value in plan.items()}
    same = {
        key: value
        for key, value in metas[0].items()
        if key not in OWN and all(meta.get(key) == value for meta in metas)
    }
    return same | {"plan": digest_of_plan(whole)}
