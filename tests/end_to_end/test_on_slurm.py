"""The chain through jobs of a real SLURM: to the bit what it is in this process."""

import filecmp
import os

import pytest
import yaml

from helpers.cloning import dvc, make_clone
from helpers.slurm import SITE, slurm_env  # noqa: F401 - a fixture

pytestmark = pytest.mark.full
SIX = ("--teacher", "none,brain", "--seeds", "3", "--device", "cpu")


@pytest.fixture(scope="module")
def clone(tmp_path_factory, slurm_env):  # noqa: F811
    """A clone whose site has SLURM, with voxels."""
    folder = tmp_path_factory.mktemp("slurm")
    clone = make_clone(folder / "clone")
    settings = {name.rpartition(".")[2]: value for name, value in SITE.items()}
    (folder / "dask").mkdir()
    content = yaml.safe_dump({"jobqueue": {"slurm": settings}})
    (folder / "dask" / "jobqueue.yaml").write_text(content)
    path = os.pathsep.join([clone.env["PATH"], slurm_env["PATH"]])
    clone.env |= slurm_env | {"PATH": path, "DASK_CONFIG": str(folder / "dask")}
    clone.run(*dvc(), "repro", "preprocess")
    return clone


def assert_same(one, other):
    """Two folders hold the same files, to the bit."""
    names = [sorted(p.relative_to(d) for p in d.rglob("*") if p.is_file()) for d in (one, other)]
    assert names[0] == names[1] and names[0]
    _, differ, failed = filecmp.cmpfiles(one, other, names[0], shallow=False)
    assert (differ, failed) == ([], [])


def test_decode_and_six_students_are_the_serial_ones_to_the_bit(clone):
    runs = clone.path / "runs"
    for out, where in {
        "here": ("--jobs", "1"),
        "jobs": ("--jobs", "2", "--cluster", "slurm"),
    }.items():
        decoded = ("--out", f"runs/{out}/soft_labels", *where, "--roi", "V1,HVC")
        clone.brain_teacher("decode", *decoded)
        taught = ("--soft-labels", f"runs/{out}/soft_labels", "--out", f"runs/{out}/students")
        said = clone.brain_teacher("distill", *taught, *SIX, *where)
        assert "6 students of 2 teachers, 6 new, 0 kept" in said
    for folder in ("soft_labels", "students"):
        assert_same(runs / "here" / folder, runs / "jobs" / folder)
        assert not (runs / "jobs" / ".brain-teacher" / folder / "cluster").exists()


def test_a_stage_of_dvc_runs_on_slurm(clone):
    on = {"BRAIN_TEACHER_CLUSTER": "slurm", "BRAIN_TEACHER_JOBS": "2"}
    clone.run(*dvc(), "repro", "decode", **on)
    lock = (clone.path / "dvc.lock").read_text()
    assert "slurm" not in lock
    # Here, nothing is left to do.
    assert "0 new" in clone.brain_teacher("decode", "--out", "outputs/soft_labels")
