"""What the sentences of the methods must be told beside the settings."""

from collections.abc import Mapping
from typing import Any

from brain_teacher.analysis.outcomes import OUTCOMES
from brain_teacher.chain.params import Params
from brain_teacher.chain.telling.left import Left
from brain_teacher.dataset.images import SPLITS, read_unseen_splits
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.errors import about
from brain_teacher.report.kinds import BRAIN, kind_of

Blocks = dict[str, dict[str, Any]]


def settings_of_run(left: Left, params: Params) -> Blocks:
    """The blocks of the plan, as the students say that they were trained; else as params.yaml."""
    blocks = {name: dict(block) for name, block in params.plan.items()}
    blocks["decode"]["noise_above_chance"] = params.decode.noise_above_chance
    plans = [student.meta["plan"] for student in left.students.values()]
    told = [plan for plan in plans if isinstance(plan, dict) and plan]
    if told:
        blocks["distill"] |= {"recipes": {}, "tables": {}}
    for plan in told:
        for place, value in plan.items():
            *path, key = place.split(".")
            block: Any = blocks
            for name in path:
                block = block.setdefault(name, {})
                if not isinstance(block, dict):
                    break
            else:
                if path:  # `data` is a hash, no setting
                    block[key] = value
    return blocks


def made_of(left: Left, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What was made, as far as it is known."""
    cells = left.decoded.cells if left.decoded is not None else []
    decoder = settings["distill"]["decoder"]
    mine = [cell for cell in cells if cell.decoder == decoder]
    meta = left.meta
    teachers = list(dict.fromkeys(each.meta["teacher"] for each in left.students.values()))
    trained = [each for each in left.students.values() if not each.diverged]
    counts = {
        split: len({i for each in trained for i in each.image_id.get(split, ())})
        for split in SPLITS
    }
    outcome = OUTCOMES[settings["compare"]["outcome"]]
    gate, margin = settings["promote"]["gate"], settings["compare"]["margin"]
    return {
        "simulated": _simulated(left),
        "source": left.dataset.description.source.rstrip(". ") if left.dataset else "",
        "listed": _listed(left),
        **_recorded(left),
        "decoded": bool(mine) and decoder in DECODERS,
        "folds": ", ".join(dict.fromkeys(cell.folds for cell in mine)),
        "between": bool(left.decoded and left.decoded.between_subjects),
        "teachers": [name for name in teachers if name != BRAIN] + [BRAIN] * (BRAIN in teachers),
        "combined": bool(meta) and "+" in meta["subject"] + meta["roi"],
        "relates": LOSSES[settings["distill"]["loss"]].features,
        "maps": LOSSES[settings["distill"]["loss"]].maps,
        "precision": meta["settings"]["precision"] if meta else "",
        "compared": left.evidence is not None,
        "kind": kind_of(meta) if meta else BRAIN,
        "margin": f"{outcome.given(margin)} {outcome.step}",
        "gate": f"{outcome.given(gate)} {outcome.step}",
        **counts,
    }


def _simulated(left: Left) -> bool:
    said = [each.get("simulated") for each in (left.meta, left.evidence or {})]
    said += [left.decoded is not None and left.decoded.simulated]
    return any(said) or bool(left.dataset and left.dataset.description.simulated)


def _recorded(left: Left) -> dict[str, Any]:
    cells = left.voxels.cells if left.voxels is not None else []
    trials = sorted({cell.trials for cell in cells})
    images = sorted({c.images for c in left.decoded.cells}) if left.decoded is not None else []
    categories = left.dataset.description.categories if left.dataset is not None else {}
    known = next(iter(left.students.values())).class_id if left.students else categories
    return {
        "subjects": list(dict.fromkeys(cell.subject for cell in cells)),
        "rois": list(dict.fromkeys(cell.roi for cell in cells)),
        "trials": _span(trials),
        "images": _span(images),
        "classes": len(known) or "all",
    }


def _span(values: list[int]) -> str:
    return " to ".join(dict.fromkeys(map(str, values[:1] + values[-1:]))) or "an unknown number of"


def _listed(left: Left) -> bool:
    """Whether the data set says itself which unseen pictures choose."""
    if left.dataset is None or not left.dataset.folder.is_dir():
        return False
    with about(left.dataset.folder):
        return read_unseen_splits(left.dataset.folder) is not None
