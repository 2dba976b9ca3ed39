"""Where torch computes, and in which precision: for decoders and for students. Loads torch."""

import os

import torch

from brain_teacher.networks.memory import keep_freed_memory


def choose_device(wanted):
    """``auto`` becomes ``cuda`` where there is one, else ``cpu``."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, but torch finds no CUDA device here; use cpu or auto")
    return wanted


def cards_here():
    """What ``CUDA_VISIBLE_DEVICES`` calls each CUDA device that this process may use."""
    count, said = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    return said.split(",")[:count] if said else [str(number) for number in range(count)]


def card_of(device):
    """The kind of card that a device is, as its maker calls it; None for a CPU."""
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else None


def has_bfloat16(device):
    """Whether the hardware itself multiplies bfloat16; elsewhere it is emulated, and far slower.

    On a CPU that means avx512_bf16 or AMX.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return able.get("avx512_bf16", False) or able.get("amx_bf16", False)


def choose_precision(wanted, device):
    """``auto`` becomes ``bfloat16`` where `has_bfloat16`, else ``float32``."""
    if wanted != "auto":
        return wanted
    return "bfloat16" if has_bfloat16(device) else "float32"


def autocast(device, precision):
    """A context in which ``bfloat16`` is used where torch finds it safe; ``float32``: nowhere."""
    return torch.autocast(
        torch.device(device).type, dtype=torch.bfloat16, enabled=precision == "bfloat16"
    )


def train_alone_on(device):
    """Get this process ready to train one network at a time: its results then repeat to the bit."""
    if device == "cpu":
        torch.set_num_threads(1)  # 1 and 2 threads give different bits
        keep_freed_memory()
