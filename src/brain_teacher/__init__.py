"""Can a human brain teach a neural network? Knowledge distillation from fMRI decoders."""

__version__ = "0.1.0"


def __getattr__(name):
    # On demand: `import brain_teacher` loads no torch.
    if name == "SoftLabelDataset":
        from brain_teacher.soft_label_dataset import SoftLabelDataset

        return SoftLabelDataset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
