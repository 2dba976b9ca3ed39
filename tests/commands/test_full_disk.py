"""A disk that takes no more: one line, what was whole stays, and nothing is half-written."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers.running import project, run

SRC = Path(__file__).parents[2] / "src"
LIMIT = 40_000  # bytes a file may have; VC has more


@pytest.fixture
def work(tmp_path):
    with project(tmp_path):
        (tmp_path / "mlflow.db").unlink()  # what a store says of a full disk is MLflow's own
        run(
            *("simulate", "--out", "data/sample", "--subjects", "1", "--categories", "4"),
            *("--shown", "8", "--unseen", "4", "--voxels", "580", "--seed", "1"),
        )
        yield tmp_path


def run_with_little_room(*arguments):
    """Run ``brain-teacher`` where no file may grow beyond the limit."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))

    return subprocess.run(
        [sys.executable, "-m", "brain_teacher", *arguments],
        env=os.environ | {"PYTHONPATH": str(SRC), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )


def test_preprocess_says_so_and_goes_on_later(work):
    done = run_with_little_room("preprocess", "--out", "voxels")
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert "File too large" in error and "Traceback" not in done.stderr
    files = sorted(path.name for path in Path("voxels").iterdir())
    assert "S1_V1.npz" in files and "S1_VC.npz" not in files
    assert not [name for name in files if name.startswith(".part-")]
    for name in files:
        with np.load(Path("voxels", name)) as file:
            assert file["data"].shape[0] > 0  # whole
    said = run("preprocess", "--out", "voxels")
    assert f"{10 - len(files)} made, {len(files)} kept" in said


def test_a_data_set_is_whole_or_not_there(work):
    np.save("v.npy", np.random.default_rng(0).standard_normal((40, 400)))
    rows = "".join(f"i{k},{'ab'[k % 2]},1\n" for k in range(40))
    Path("t.csv").write_text(f"image_id,category,run\n{rows}")
    arrays = ("--voxels", "S1=v.npy", "--trials", "S1=t.csv")
    done = run_with_little_room("new-dataset", "data/mine", *arrays)
    assert done.returncode == 1
    assert done.stderr == "Error: data/mine was not made: [Errno 27] File too large\n"
    assert sorted(path.name for path in Path("data").iterdir()) == ["sample"]


def test_no_simulated_data_set_is_half_there(work):
    done = run_with_little_room(
        *("simulate", "--out", "data/more", "--subjects", "1", "--categories", "4"),
        *("--voxels", "580", "--seed", "2"),
    )
    assert done.returncode == 1 and "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in Path("data").iterdir()) == ["sample"]
