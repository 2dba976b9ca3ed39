"""Whether noise decodes in the users' own designs, before anything else is decoded there."""

from collections.abc import Sequence
from typing import Any

from brain_teacher.chain.decodings.cells import DecodeCell
from brain_teacher.dataset.trials import read_voxels
from brain_teacher.decoding.noise import LEVEL, decode_noise
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from brain_teacher.errors import BrainTeacherError, about

ALLOW = "allow"


def decoded_noise(cells: Sequence[DecodeCell], above_chance: str) -> list[dict[str, Any]]:
    """Noise decoded as each subject's cells are, a row a subject: its ROIs share their trials.

    Above chance, it is an error unless `above_chance` says ``allow``.
    """
    from threadpoolctl import threadpool_limits

    found: list[dict[str, Any]] = []
    for subject in dict.fromkeys(cell.subject for cell in cells):
        mine = [cell for cell in cells if cell.subject == subject]
        cell = mine[0]
        with about(cell.voxels.path), threadpool_limits(1):
            how = {key: cell.settings[key] for key in ("normalise", "select")}
            trials = training_trials(read_voxels(cell.voxels.path)[0])
            plan = plan_for(trials, **cell.settings["folds"])
            choose = any(map(_chooses, mine))
            said = {"choose": choose, "seed": subject, "classes": cell.classes}
            row = decode_noise(trials, plan, **how, **said)
        found.append({"subject": subject, **row})
    told = [row for row in found if row["p"] < LEVEL / len(found)]
    if told and above_chance != ALLOW:
        worst = min(told, key=lambda row: row["p"])
        raise BrainTeacherError(
            f"subject {worst['subject']}: noise in the voxels' place is decoded, "
            f"{100 * worst['top1']:.1f}% right, by chance {100 * worst['chance']:.1f}% "
            f"(p = {worst['p']:.1g}): the order of the trials tells categories; change "
            "decode.folds.by or decode.normalise, or allow it (decode.noise_above_chance: allow)"
        )
    return found


def _chooses(cell: DecodeCell) -> bool:
    """Whether its voxels are chosen: whether it has more than are wanted."""
    with about(cell.voxels.path):
        return cell.settings["voxels"] < read_voxels(cell.voxels.path)[0].data.shape[1]


def said_of_noise(rows: Sequence[dict[str, Any]]) -> str:
    """One sentence, for the terminal and the figure."""
    values = ", ".join(f"{row['subject']} {100 * row['top1']:.1f}" for row in rows)
    chances = {f"{100 * row['chance']:.1f}" for row in rows}
    return (
        "noise in the voxels' place (same trials, folds and scaling; ridge regression): top-1 in % "
        f"{values}; chance {', '.join(sorted(chances, key=float))}"
    )
