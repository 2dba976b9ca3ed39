"""Which device torch computes on."""

import pytest
import torch

from brain_teacher.devices import choose_device


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
