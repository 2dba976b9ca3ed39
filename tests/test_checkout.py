"""What git checks out on any machine, and what a folder that is no clone is told."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def make(target, folder):
    """`make` as a person types it: one that these tests run under hands its own switches down."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", target], cwd=folder, capture_output=True, text=True, check=False, env=own
    )


def git(*arguments, folder=ROOT):
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    """A clone as git on Windows makes it: text files with carriage returns, unless told not to."""
    clone = tmp_path_factory.mktemp("windows") / "clone"
    git("clone", "--quiet", "--config", "core.autocrlf=true", str(ROOT), str(clone))
    return clone


def test_a_checkout_leaves_every_object_of_the_store_as_it_is(windows):
    names = git("ls-files", "store/files", folder=windows).split()
    assert names
    # DVC's name of an object is its MD5; a listing's ends in ".dir".
    digests = {name: hashlib.md5((windows / name).read_bytes()).hexdigest() for name in names}
    named = {name: "".join(Path(name).parts[-2:]).removesuffix(".dir") for name in names}
    assert digests == named


def test_a_checkout_has_no_carriage_return(windows):
    listed = git("ls-files", "--eol", folder=windows).splitlines()
    assert [line for line in listed if "w/crlf" in line or "w/mixed" in line] == []


@pytest.mark.parametrize("target", ["install", "demo", "test"])
def test_a_folder_without_git_is_told_to_clone_before_anything_is_installed(target, tmp_path):
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    done = make(target, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (said,) = done.stderr.splitlines()
    assert said.endswith(
        "this folder is no git clone (a ZIP, perhaps), and DVC needs one: git clone the "
        "repository.  Stop."
    )
    assert not (tmp_path / ".venv").exists()


def test_the_demo_runs_in_a_folder_with_a_blank_and_says_what_it_brings(tmp_path):
    folder = tmp_path / "brain teacher"
    (folder / ".git").mkdir(parents=True)
    (folder / "outputs" / "comparison" / "tables").mkdir(parents=True)
    (folder / "outputs" / "comparison" / "tables" / "comparison.txt").write_text("the table\n")
    for name in ("Makefile", "data.dvc"):
        shutil.copy(ROOT / name, folder)
    for name in ("requirements.txt", "pyproject.toml", ".venv/.installed"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    for name in ("dvc", "brain-teacher"):
        program = folder / ".venv" / "bin" / name
        program.parent.mkdir(exist_ok=True)
        # Found by its name too: DVC's stages call `brain-teacher`.
        program.write_text(f'#!/bin/sh\necho "{name} $*: $(command -v {name})"\n')
        program.chmod(0o755)
    done = make("demo", folder)
    assert done.returncode == 0, done.stderr
    ran = [line for line in done.stdout.splitlines() if line.startswith(("dvc ", "brain-teacher "))]
    programs = f"{folder}/.venv/bin"
    assert ran == [
        f"dvc pull --remote sample data.dvc: {programs}/dvc",
        f"dvc repro: {programs}/dvc",
        f"brain-teacher promote: {programs}/brain-teacher",
    ]
    first, *_ = done.stdout.splitlines()
    files = yaml.safe_load((ROOT / "data.dvc").read_text())["outs"][0]
    assert f"{files['nfiles']} files, {files['size']} bytes" in first
    assert "the table" in done.stdout
