"""Where students are trained, and in which precision."""

from brain_teacher.errors import UsageError
from brain_teacher.files import read_json, write_json

PRECISION = "precision.json"


def settle(params, recipe, out, run_time, say):
    """Choose device and precision, as ``auto`` asks for.

    Returns
    -------
    recipe : dict
        With its precision.
    device : str
    """
    settings = params.distill
    device = device_for(run_time)
    if settings.precision == "auto":
        record = out / PRECISION
        if not record.exists():
            here = {"image_size": settings.image_size, "device": device}
            write_json(record, {"precision": measured_precision(recipe, **here)})
        recipe = recipe | {"precision": _recorded(record, device)}
        say(f"precision: {recipe['precision']} (for this folder, {record})")
    return recipe, device


def _recorded(record, device):
    """The precision of the folder's students, which this machine must have."""
    precision = read_json(record)["precision"]
    if precision == "bfloat16":
        from brain_teacher.networks.devices import has_bfloat16

        if not has_bfloat16(device):
            raise UsageError(
                f"{record} says that the students there are trained in bfloat16, which this "
                f"machine's {device} lacks (a step would take minutes): train them where it is, or "
                "choose another --out; without that file all students are trained anew, in float32"
            )
    return precision


def device_for(run_time):
    """The device that ``--device`` asks for."""
    if run_time.device == "cpu":
        return "cpu"
    from brain_teacher.networks.devices import choose_device

    try:
        return choose_device(run_time.device)
    except ValueError as error:
        raise UsageError(str(error)) from error


def measured_precision(recipe, *, image_size, device):
    """The faster precision here, as students are trained; nothing to measure without bfloat16."""
    from brain_teacher.distillation.engine import Recipe
    from brain_teacher.distillation.timing import faster_precision
    from brain_teacher.networks.devices import has_bfloat16

    if not has_bfloat16(device):
        return "float32"  # a step of emulated bfloat16 can take minutes
    return faster_precision(Recipe(**recipe), image_size=image_size, device=device)
