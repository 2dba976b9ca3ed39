"""The weights of every student: those that `distill` kept, and the others made again."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from brain_teacher.cells.cell import FileInput
from brain_teacher.cells.folder import OutputFolder
from brain_teacher.cells.making import make_cells
from brain_teacher.chain.dataset import DataSet
from brain_teacher.chain.device import card_for, device_for, where
from brain_teacher.chain.params import Params
from brain_teacher.chain.students.cells import StudentCell, Trained
from brain_teacher.chain.students.folder import WEIGHTS
from brain_teacher.chain.students.rivals import LIVE, live_weights
from brain_teacher.chain.students.setting import Setting, open_setting
from brain_teacher.distillation.students import Answers
from brain_teacher.errors import BrainTeacherError, UsageError
from brain_teacher.files import atomic_write
from brain_teacher.machine import RunTime

# Of the settings in a student's file, what is none of its recipe.
_BESIDE = {"image_size"}
# Another order of summation changes a log-probability by less; another student, by more.
TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False, kw_only=True)
class AgainCell(StudentCell):
    """Train a student again, for its weights."""

    @property
    def files(self) -> tuple[str, ...]:
        """Its weights."""
        return (f"{self.name}.safetensors",)


def setting_of(
    params: Params,
    everyone: Mapping[str, Answers],
    *,
    dataset: DataSet,
    run_time: RunTime,
    **tables: str | Path,
) -> Setting:
    """The setting that a folder's students were trained in, as their own files say it.

    `tables` are the folders of soft labels, controls and rivals.
    """
    metas = [each.meta for each in everyone.values()]
    first = metas[0]
    recipes = {
        meta["teacher"]: {k: v for k, v in meta["settings"].items() if k not in _BESIDE}
        for meta in metas
    }
    device = device_for(run_time)
    if device != first["device"]:
        raise UsageError(
            f"these students were trained on {first['device']}: give --device {first['device']}"
        )
    own = {key: first["settings"][key] for key in ("image_size", "network", "width", "stem")}
    own |= {key: first["settings"][key] for key in ("weights", "loss")}
    if settings := first["settings"].get("loss_settings"):
        own[own["loss"]] = settings
    asked = {
        "subject": first["subject"].split("+"),
        "roi": first["roi"].split("+"),
        "decoder": first["decoder"],
        "split": "folds" if "fold" in first else "unseen",
        "teacher": list(recipes),
    }
    params = params.with_distill(**own, **asked)
    setting = open_setting(params, dataset=dataset, limit=first.get("limit"), **tables)
    return replace(
        setting,
        recipes=recipes,
        material=replace(setting.material, device=device, card=card_for(run_time, device)),
        live=FileInput.of(live_weights(setting.rivals)) if LIVE in recipes else None,
    )


def cells_of(
    setting: Setting, everyone: Mapping[str, Answers], students: Path
) -> list[StudentCell]:
    """The cells that made these students, in the order of their names; none that diverged.

    One that this setting would make otherwise is a failure.
    """
    seeds = sorted({each.meta["seed"] for each in everyone.values()})
    cells, _ = setting.students(setting.teachers, seeds)
    by_name = {cell.name: cell for cell in cells}
    for name, answers in everyone.items():
        cell = by_name.get(name)
        if cell is None or cell.fingerprint() != answers.meta["fingerprint"]:
            raise BrainTeacherError(
                f"{students / name} was taught by other soft labels, pictures or settings than are "
                "given now: name those that it was distilled with (--params, --data, "
                "--soft-labels), or distill again"
            )
    return [by_name[name] for name in sorted(everyone) if not everyone[name].diverged]


def weights_of(
    setting: Setting,
    cells: list[StudentCell],
    everyone: Mapping[str, Answers],
    students: Path,
    *,
    run_time: RunTime,
    say: Callable[[str], None],
    quiet: bool,
) -> dict[str, Path]:
    """The file of each student's weights.

    `distill` keeps those of each teacher's best. The others are trained again, to the same answers,
    and kept beside the students' folder, which is a DVC output and stays as it is.
    """
    found = {cell.name: students / cell.name / WEIGHTS for cell in cells}
    lacking = [cell for cell in cells if not found[cell.name].is_file()]
    if not lacking:
        return found
    whole = students.absolute()
    place = whole.with_name(f"{whole.name}-weights")
    again = [AgainCell(**{f.name: getattr(cell, f.name) for f in fields(cell)}) for cell in lacking]
    with OutputFolder(place, say).locked() as folder:
        make_cells(
            "outcomes",
            again,
            folder,
            shared=setting.material,
            write=partial(_write, place, everyone),
            what=f"weights of {{}} students made again ({place.name})",
            unit="student",
            say=say,
            quiet=quiet,
            **where(run_time, setting.material.device),
        )
    return found | {cell.name: place / cell.files[0] for cell in again}


def _write(
    place: Path, everyone: Mapping[str, Answers], cell: AgainCell, trained: Trained
) -> Iterator[str]:
    """Write the weights of a student that answers as the one of its name did."""
    from safetensors.numpy import save_file

    before, student = everyone[cell.name].log_probs["test"], trained.student
    after: Any = student.log_probs.get("test")
    if student.diverged or not np.allclose(before, after, rtol=0, atol=TOLERANCE):
        raise BrainTeacherError(
            f"{cell.name}, made again here, answers otherwise than it did: it was trained on "
            "another machine, or by other code; distill here, and start again"
        )
    with atomic_write(place / cell.files[0]) as temporary:
        save_file(student.weights, temporary)
    yield cell.files[0]
