"""Where students are trained, and in which precision."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from brain_teacher.chain.device import device_for
from brain_teacher.chain.params import Params
from brain_teacher.errors import UsageError
from brain_teacher.files import write_json
from brain_teacher.machine import RunTime
from brain_teacher.reading.text import Said, read_record

PRECISION = "precision.json"


class _Record(Said):
    precision: Literal["float32", "bfloat16"]


def settle(
    params: Params,
    recipe: dict[str, Any],
    out: Path,
    run_time: RunTime,
    say: Callable[[str], None],
) -> tuple[dict[str, Any], str]:
    """Choose precision and device, as ``auto`` asks for: the recipe with the one, and the other.

    In the methods
    --------------
    Training computed in {% if distill.precision == "auto" %}the faster of float32 and bfloat16 on
    this machine{% if made.precision %}, here {{ made.precision }}{% endif %}{% else %}{{
    distill.precision }}{% endif %}; answers were computed in float32.
    """
    settings = params.distill
    device = device_for(run_time)
    if settings.precision == "auto":
        record = out / PRECISION
        if not record.exists():
            if run_time.elsewhere and device != "cpu":
                raise UsageError(
                    "distill.precision: auto is measured on the card, which is elsewhere "
                    f"(--cluster {run_time.cluster}): say float32 or bfloat16 in params.yaml"
                )
            here = {"image_size": settings.image_size, "device": device}
            write_json(record, {"precision": measured_precision(recipe, **here)})
        recipe = recipe | {"precision": _recorded(record, device, run_time)}
        say(f"precision: {recipe['precision']} (for this folder, {record})")
    return recipe, device


def _recorded(record: Path, device: str, run_time: RunTime) -> str:
    """The precision of the folder's students, which this machine must have, if it trains them."""
    remedy = "take it away, and students are trained anew where that changes them"
    precision = read_record(record, _Record, remedy=remedy).precision
    if precision == "bfloat16" and not run_time.elsewhere:
        from brain_teacher.networks.devices import has_bfloat16

        if not has_bfloat16(device):
            raise UsageError(
                f"{record} says that the students there are trained in bfloat16, which this "
                f"machine's {device} lacks (a step would take minutes): train them where it is, or "
                "choose another --out; without that file all students are trained anew, in float32"
            )
    return precision


def measured_precision(recipe: dict[str, Any], *, image_size: int, device: str) -> str:
    """The faster precision here, as students are trained; nothing to measure without bfloat16."""
    from brain_teacher.distillation.engine import Recipe
    from brain_teacher.distillation.timing import faster_precision
    from brain_teacher.networks.devices import has_bfloat16

    if not has_bfloat16(device):
        return "float32"  # a step of emulated bfloat16 can take minutes
    return faster_precision(Recipe(**recipe), image_size=image_size, device=device)
