"""Soft labels alone need neither torch nor MLflow nor DVC: the package without its extras."""

import re
import subprocess
import sys
import tomllib

import pytest

from helpers.running import ROOT, project, run

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TINY = ["--subjects", "1", "--categories", "3", "--shown", "4", "--unseen", "8", "--voxels", "40"]
# Of the chain: each takes hundreds of MB, or is of no use to who only reads a table.
HEAVY = ("torch", "torchvision", "mlflow", "dvc", "nilearn", "bdpy", "matplotlib")
READ = """
import brain_teacher, numpy as np
one = brain_teacher.read_soft_labels("outputs/soft_labels/S1_V1_logistic.npz")
both = brain_teacher.combine([one, one], lambda ids: [i.split("_")[0] for i in ids])
category = [i.split("_")[0] for i in both.image_id]
made = brain_teacher.draw_targets("brain-class", both, category, temperature=2, seed=0)
print(one.meta["simulated"], both.log_probs.shape, made.probs.shape)
"""


def names(requirements):
    return {re.match(r"[\w-]+", each)[0] for each in requirements}


def test_what_is_heavy_is_an_extra_that_the_cluster_and_the_tests_take():
    extras = PROJECT["optional-dependencies"]
    assert not set(HEAVY) & names(PROJECT["dependencies"])
    assert set(HEAVY) < names(extras["all"])
    assert "brain-teacher[all]" in extras["cluster"]
    assert "brain-teacher[cluster,docs]" in extras["test"]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An interpreter with the package and its own dependencies, of the versions of the lock."""
    folder = tmp_path_factory.mktemp("lean")
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    # As constraints, hashes would be asked of what is built here, too.
    pins = re.findall(r"^[\w.-]+==[^\s\\]+(?: ;[^\\\n]+)?",
                      (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)  # fmt: skip
    (folder / "pins.txt").write_text("\n".join(pins))
    install = ["pip", "install", "--python", python, "--constraint", folder / "pins.txt", ROOT]
    subprocess.run([*uv, *install], check=True)
    return str(python)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A data set with a decoded table, made by the whole installation."""
    folder = tmp_path_factory.mktemp("work")

    def change(content):
        content["dataset"]["name"] = "tiny"

    with project(folder, change):
        run("simulate", "--out", "data/tiny", *TINY, "--seed", "3")
        run("preprocess", "--roi", "V1", "--out", "outputs/voxels")
        run("decode", "--out", "outputs/soft_labels")
    return folder


def lean(python, work, *arguments, code=0):
    """What a command says there."""
    done = subprocess.run(
        [python, *arguments], cwd=work, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.mark.full
def test_it_reads_joins_and_exports(python, work):
    for name in HEAVY:
        assert f"No module named '{name}'" in lean(python, work, "-c", f"import {name}", code=1)
    assert lean(python, work, "-c", READ).split() == ["True", "(12,", "3)", "(12,", "3)"]
    command, table = ("-m", "brain_teacher"), "outputs/soft_labels/S1_V1_logistic.npz"
    for kind in ("csv", "parquet", "npy"):
        lean(python, work, *command, "export", table, "--format", kind)
    named = ("--kind", "brain", "--decoder", "theirs", "--subject", "S1", "--roi", "V1")
    said = lean(python, work, *command, "import-soft-labels", "S1_V1_logistic.csv", *named)
    assert "12 of its 12 images, 3 classes" in said


@pytest.mark.full
@pytest.mark.parametrize(
    ("arguments", "lacks"),
    [
        (("distill", "--seeds", "1"), "torch"),
        (("preprocess",), "h5py"),  # told by the process that reads recordings
        (("compare",), "statsmodels"),
        (("pull", "outputs/soft_labels"), "dvc"),
    ],
)
def test_what_needs_more_says_so_in_a_line(python, work, arguments, lacks):
    said = lean(python, work, "-m", "brain_teacher", *arguments, code=1)
    assert said.splitlines()[-1] == f"Error: this needs {lacks}: pip install 'brain-teacher[all]'"
    assert "Traceback" not in said
