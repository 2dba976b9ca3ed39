"""Which device torch computes on, and in which precision."""

import pytest
import torch

from brain_teacher.chain.students.precision import measured_precision
from brain_teacher.distillation import timing
from brain_teacher.networks.devices import choose_device, choose_precision


def test_auto_takes_what_is_there(monkeypatch):
    for there, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert choose_device("auto") == expected
        assert choose_device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("cuda") == "cuda"


def test_a_device_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError) as caught:
        choose_device("cuda")
    assert str(caught.value) == (
        "device is cuda, but torch finds no CUDA device here; use cpu or auto"
    )


def test_precisions(monkeypatch):
    for wanted in ("float32", "bfloat16"):
        assert choose_precision(wanted, "cpu") == wanted
    for able, expected in (
        ({"avx512_bf16": True}, "bfloat16"),
        ({"amx_bf16": True, "avx512_bf16": False}, "bfloat16"),
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, "float32"),
        ({"sve": True}, "float32"),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        assert choose_precision("auto", "cpu") == expected


def test_without_bfloat16_in_the_hardware_students_measure_nothing(monkeypatch):
    def measured(*_, **__):
        pytest.fail("a step of emulated bfloat16 can take minutes")

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False})
    monkeypatch.setattr(timing, "faster_precision", measured)
    assert measured_precision({}, image_size=224, device="cpu") == "float32"
