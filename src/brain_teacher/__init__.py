"""Can a human brain teach a neural network? Knowledge distillation from fMRI decoders."""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

# The public names, and where they live. Loaded on demand: `import brain_teacher` loads no torch.
_HOMES = {
    "Recipe": "distillation.engine",
    "SoftLabelDataset": "soft_label_dataset",
    "SoftLabels": "decoding.soft_labels",
    "Voxels": "dataset.trials",
    "combine": "decoding.combining",
    "decode_logistic": "decoding.decoders.logistic",
    "decode_ridge": "decoding.decoders.ridge",
    "draw_targets": "distillation.drawing",
    "plan_for": "decoding.out_of_fold",
    "quality": "decoding.quality",
    "read_soft_labels": "decoding.soft_labels",
    "soften": "decoding.log_probs",
    "train_student": "distillation.engine",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
