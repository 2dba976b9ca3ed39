"""What MLflow runs say that they read: DVC's own hash, and a source that brings the files back."""

import json
import shutil
import subprocess
import tomllib
import warnings
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from brain_teacher.errors import BrainTeacherError
from brain_teacher.tracking import Input, inputs, store, tracked
from helpers.stores import make_store

ROOT = Path(__file__).parents[2]
TABLE = "outputs/soft labels"
# pygtrie, under DVC.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")


def git(folder, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def dvc(folder, *arguments):
    """DVC in this process: each of its own takes seconds to begin."""
    from dvc.cli import main

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.chdir(folder)
        assert main(["--quiet", *arguments]) == 0


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A repository with a table under DVC, which a second commit changes; its two hashes."""
    folder = tmp_path_factory.mktemp("project")
    git(folder, "init")
    dvc(folder, "init")
    dvc(folder, "config", "core.analytics", "false")
    dvc(folder, "remote", "add", "-d", "shared", str(tmp_path_factory.mktemp("shared")))
    (folder / "MLproject").touch()
    table = folder / TABLE
    (table / "figures").mkdir(parents=True)
    (table / "figures" / "ä.csv").write_text("1")
    (table / "S1.npz").write_text("first")
    (table / "S10.npz").write_text("")
    (table / ".part-1").write_text("what a kill left")
    shutil.copy(ROOT / ".dvcignore", folder)
    dvc(folder, "add", TABLE)
    git(folder, "add", ".")
    git(folder, "commit", "-m", "one")
    hashes = [said(folder)]
    (table / "S1.npz").unlink()
    (table / "S1.npz").write_text("second")
    dvc(folder, "add", TABLE)
    git(folder, "commit", "-a", "-m", "two")
    hashes.append(said(folder))
    dvc(folder, "push")
    return folder, hashes


def said(folder):
    """The hash that DVC wrote down."""
    text = (folder / f"{TABLE}.dvc").read_text()
    return text.split("md5: ")[1].split()[0]


@pytest.fixture
def here(project, monkeypatch):
    folder, _ = project
    monkeypatch.chdir(folder)
    for name in ("DVC_ROOT", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    if not (folder / "mlflow.db").exists():
        make_store(folder / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    return folder


def test_the_digest_is_the_one_that_dvc_writes(here, project):
    _, (first, second) = project
    assert first != second and len(first) == len(second) == 36
    assert inputs.dvc_digest(here / TABLE) == second == inputs.written_down(TABLE)
    assert inputs.dvc_digest(here / TABLE / "S10.npz") == "d41d8cd98f00b204e9800998ecf8427e"


def test_what_is_too_large_is_taken_at_dvcs_word(here, project, monkeypatch):
    monkeypatch.setattr(inputs, "MOST", 1)
    assert inputs.described(Input(TABLE, "teacher"))["digest"] == project[1][1]
    assert inputs.described(Input("outputs", "teacher")) is None  # DVC does not know it


def test_the_committed_lock_is_read(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    for path in ("outputs/soft_labels", "outputs/students", "data/sample"):
        assert len(inputs.written_down(path)) == 36
    assert inputs.written_down("outputs") is None


@pytest.mark.parametrize(
    ("origin", "address"),
    [
        ("https://who:secret@host.org/lab/it.git", "https://host.org/lab/it.git"),
        ("git@host.org:lab/it.git", "ssh://git@host.org/lab/it.git"),
        ("/home/who/it", None),
        ("file:///home/who/it", None),
    ],
)
def test_the_address_has_nobodys_password(here, origin, address):
    git(here, "remote", "add", "origin", origin)
    try:
        source = json.loads(inputs.described(Input(TABLE, "teacher"))["source"])
    finally:
        git(here, "remote", "remove", "origin")
    assert source.get("repository") == address
    assert source["path"] == TABLE and len(source["commit"]) == 40


@pytest.fixture
def learnt(here, project):
    """The ids of two MLflow runs, a parent and its child that learnt from the table."""
    read = [Input(TABLE, "teacher"), Input(f"{TABLE}/S10.npz", "images"), Input("none", "x")]
    with tracked("distill", "parent", tags={}, params={}, inputs=read) as tracker:
        told = {"params": {}, "curves": {}, "tags": {}, "metrics": {"test_accuracy": 0.5}}
        child = tracker.child("brain", **told, inputs=["teacher"], measured_on="teacher")
        other = tracker.child("none", **told, inputs=["images"])
        parent = tracker.mlflow_run_id
    assert tracker.problem is None
    return parent, child, other


def test_who_learnt_from_a_table_is_found_by_dvcs_hash(learnt, project):
    import mlflow

    parent, child, other = learnt
    _, (_, second) = project

    def found(text):
        runs = mlflow.search_runs(
            search_all_experiments=True, filter_string=text, output_format="list"
        )
        return {run.info.run_id for run in runs}

    assert found(f"dataset.digest = '{second}'") >= {parent, child}
    assert other not in found(f"dataset.digest = '{second}'")
    assert other not in found("dataset.context = 'teacher'") and child in found(
        "dataset.context = 'teacher'"
    )
    metric = mlflow.MlflowClient().get_run(child).data.metrics
    assert metric == {"test_accuracy": 0.5}


def test_the_source_brings_back_what_was_read(learnt, here, project, tmp_path):
    import mlflow

    _, (first, second) = project
    (read,) = mlflow.get_run(learnt[1]).inputs.dataset_inputs
    source = mlflow.data.get_source(read)
    assert (source._get_source_type(), source.digest) == ("dvc", second)
    assert source.load() == str(here / TABLE)  # unchanged where it lies: no copy
    # After it was changed, the commit that named it is found by the hash.
    (here / TABLE / "S1.npz").chmod(0o644)
    (here / TABLE / "S1.npz").write_text("changed since")
    try:
        copy = Path(source.load())
        assert copy != here / TABLE and (copy / "S1.npz").read_text() == "second"
    finally:
        dvc(here, "checkout", "--force")
    source = type(source).from_dict(source.to_dict() | {"digest": first})
    copy = Path(source.load(tmp_path))
    assert (copy / "S1.npz").read_text() == "first" and inputs.dvc_digest(copy) == first
    with pytest.raises(BrainTeacherError, match="is there already; name another folder"):
        source.load(tmp_path)


def test_what_no_commit_names_is_said(here):
    from brain_teacher.tracking.dvc_source import DvcSource

    source = DvcSource(TABLE, 32 * "0" + ".dir", repository="-uexec", commit="abc")
    with pytest.raises(BrainTeacherError, match=r"is in no commit .*\(none names it\); commit dvc"):
        source.load()


def test_another_clone_reads_it_from_the_address(here, project, tmp_path, monkeypatch):
    from brain_teacher.tracking.dvc_source import DvcSource

    monkeypatch.chdir(tmp_path)
    source = DvcSource(TABLE, project[1][1], repository=f"file://{here}")
    copy = Path(source.load(tmp_path / "copy"))
    assert (copy / "S1.npz").read_text() == "second"


def test_mlflow_finds_the_source_by_its_entry_point():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    ((name, value),) = declared["mlflow.dataset_source"].items()
    loaded = EntryPoint(name, value, "mlflow.dataset_source").load()
    assert loaded._get_source_type() == name == "dvc"
    assert not loaded._can_resolve("s3://bucket/table")
    store.import_mlflow()
    from mlflow.data.dataset_source_registry import _dataset_source_registry

    assert _dataset_source_registry.sources.count(loaded) == 1
