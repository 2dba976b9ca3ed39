"""Where students are trained, and in which precision."""

from brain_teacher.errors import UsageError
from brain_teacher.files import read_json, write_json

PRECISION = "precision.json"


def settle(params, recipe, out, say):
    """Choose device and precision, as ``auto`` asks for.

    Returns
    -------
    recipe : dict
        With its precision.
    device : str
    """
    settings = params.distill
    device = device_for(settings)
    if settings.precision == "auto":
        record = out / PRECISION
        if not record.exists():
            here = {"image_size": settings.image_size, "device": device}
            write_json(record, {"precision": measured_precision(recipe, **here)})
        recipe = recipe | {"precision": read_json(record)["precision"]}
        say(f"precision: {recipe['precision']} (for this folder, {record})")
    return recipe, device


def device_for(settings):
    """The device that ``distill.device`` asks for."""
    if settings.device == "cpu":
        return "cpu"
    from brain_teacher.networks.devices import choose_device

    try:
        return choose_device(settings.device)
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
