"""``preprocess`` side by side: the same files, the same errors."""

import h5py
import pytest

from brain_teacher.chain.params import load_params
from brain_teacher.commands import preprocess as module
from brain_teacher.commands.preprocess import preprocess
from brain_teacher.commands.simulate import DEFAULTS, simulate
from brain_teacher.errors import BrainTeacherError
from brain_teacher.machine import RunTime
from helpers.real_data import ROOT


@pytest.fixture
def data(tmp_path):
    sizes = {"subjects": 3, "categories": 2, "shown": 4, "unseen": 2, "voxels": 40}
    simulate(
        **DEFAULTS | sizes | {"out": tmp_path / "toy", "image_size": 12}, say=lambda text: None
    )
    return tmp_path / "toy"


def test_processes_write_what_one_writes(data, tmp_path, monkeypatch):
    params, said = load_params(ROOT / "params.yaml"), []
    one = preprocess(params, data=data, out=tmp_path / "one", say=said.append)
    monkeypatch.setattr(module, "WORTH_PROCESSES", 0)
    side_by_side = RunTime(jobs=2)
    both = preprocess(
        params, data=data, out=tmp_path / "both", run_time=side_by_side, say=said.append
    )
    files = sorted(path.name for path in one.iterdir() if path.is_file())
    assert len(files) == 3 * 10 + 2  # index.json, plot.csv
    assert files == sorted(path.name for path in both.iterdir() if path.is_file())
    assert all((one / name).read_bytes() == (both / name).read_bytes() for name in files)
    preprocess(params, data=data, out=both, say=said.append)
    made = [text for text in said if " made, " in text]
    assert ["30 made, 0 kept" in text for text in made] == [True, True, False]
    assert "0 made, 30 kept" in made[2]


def test_what_is_wrong_with_a_file_is_said_from_a_process_too(data, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WORTH_PROCESSES", 0)
    with h5py.File(data / "bdata" / "S2.h5", "r+") as file:
        del file["dataset"]
    with pytest.raises(BrainTeacherError, match=r"S2\.h5"):
        preprocess(
            load_params(ROOT / "params.yaml"), data=data, out=tmp_path / "x",
            run_time=RunTime(jobs=2),
        )  # fmt: skip
    # The others' are there.
    assert len(list((tmp_path / "x").glob("S[13]_*.npz"))) >= 10
