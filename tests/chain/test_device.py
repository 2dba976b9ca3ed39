"""Where work runs: cores, cards, or other machines, of which nothing is known here."""

import pytest
import torch

from brain_teacher.chain.device import card_for, device_for, where
from brain_teacher.machine import RunTime, cores


@pytest.fixture
def three_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA A100")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_on_cores():
    assert where(RunTime(), "cpu") == {"workers": cores(), "cards": (), "cluster": None}
    assert card_for(RunTime(), "cpu") is None


@pytest.mark.parametrize(("jobs", "workers"), [(None, 3), (1, 1), (6, 6)])
def test_a_process_a_card(three_cards, jobs, workers):
    found = where(RunTime(jobs=jobs), "cuda")
    assert found == {"workers": workers, "cards": ["0", "1", "2"], "cluster": None}
    assert card_for(RunTime(), "cuda") == "NVIDIA A100"


def test_cards_that_a_person_chose_keep_their_names(three_cards, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,4,MIG-b")
    assert where(RunTime(), "cuda")["cards"] == ["GPU-a", "4", "MIG-b"]


def test_nothing_is_chosen_of_one_card(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert where(RunTime(), "cuda") == {"workers": 1, "cards": [], "cluster": None}


@pytest.mark.parametrize(("asked", "device"), [("auto", "cpu"), ("cpu", "cpu"), ("cuda", "cuda")])
def test_other_machines_have_a_card_if_it_is_asked_for(asked, device, monkeypatch):
    # Neither this machine's cards nor their lack matter.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: not torch.cuda.device_count())
    run_time = RunTime(jobs=40, device=asked, cluster="slurm")
    assert device_for(run_time) == device
    assert where(run_time, device) == {"workers": 40, "cards": (), "cluster": "slurm"}
    assert card_for(run_time, device) is None
