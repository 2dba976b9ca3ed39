"""Where torch computes, and in which precision: for decoders and for students. Loads torch."""

import torch


def choose_device(wanted):
    """``auto`` becomes ``cuda`` where there is one, else ``cpu``."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, but torch finds no CUDA device here; use cpu or auto")
    return wanted


def autocast(device, precision):
    """A context in which ``bfloat16`` is used where torch finds it safe; ``float32``: nowhere."""
    return torch.autocast(
        torch.device(device).type, dtype=torch.bfloat16, enabled=precision == "bfloat16"
    )
