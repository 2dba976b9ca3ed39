"""What MLflow runs say that they read: DVC's own hash, and a source that brings the files back."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import warnings
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import numpy as np
import pytest

from brain_teacher.decoding.soft_labels import FORMAT, SoftLabels
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import write_npz
from brain_teacher.tracking import MODEL, Input, inputs, store, tracked
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
    (folder / "data" / "sample").mkdir(parents=True)
    (folder / "data" / "sample" / "dataset.yaml").write_text("name: sample")
    table = folder / TABLE
    (table / "figures").mkdir(parents=True)
    (table / "figures" / "ä.csv").write_text("1")
    (table / "S1.npz").write_text("first")
    ids = map(np.array, (["i"], ["a", "b"], [0]))
    labels = SoftLabels(np.log(np.full((1, 2), 0.5)), *ids, {"format": FORMAT})
    write_npz(table / "S1_HVC_logistic.npz", **labels.arrays())
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
    read = [Input(TABLE, "teacher"), Input("data/sample", "images"), Input("none", "x")]
    with tracked("distill", "parent", tags={}, params={}, inputs=read) as tracker:
        told = {"params": {}, "curves": {}, "tags": {}, "metrics": {"test_accuracy": 0.5}}
        child = tracker.child("brain", **told, inputs=["teacher", "images"], measured_on="images")
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
    read, _ = sorted(
        mlflow.get_run(learnt[1]).inputs.dataset_inputs,
        key=lambda each: each.dataset.name != "soft labels",
    )
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


@pytest.fixture
def champion(here, learnt, monkeypatch):
    """A version of the student that learnt from the table, with a model that has a metric."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    client, (_, child, _) = MlflowClient(), learnt
    run = client.get_run(child)
    model = client.create_logged_model(run.info.experiment_id, source_run_id=child)
    client.finalize_logged_model(model.model_id, "READY")
    read = {each.tags[0].value: each.dataset for each in run.inputs.dataset_inputs}["images"]
    tied = {"dataset_name": read.name, "dataset_digest": read.digest}
    metric = Metric("test_accuracy", 0.5, 1, 0, model_id=model.model_id, **tied)
    client.log_batch(child, [metric])
    if not client.search_registered_models():
        client.create_registered_model(MODEL)
    version = client.create_model_version(
        MODEL, f"models:/{model.model_id}", run_id=child, model_id=model.model_id
    )
    client.set_registered_model_alias(MODEL, "champion", version.version)
    # No name is looked up, and no certificate is asked for.
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    return model


def test_the_searches_of_the_page_find_what_it_says(champion, learnt, here, project):
    page = (ROOT / "docs" / "mlflow.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    outs = [{"path": TABLE, "md5": project[1][1]}]
    (here / "dvc.lock").write_text(json.dumps({"stages": {"decode": {"outs": outs}}}))
    known = {}
    try:
        for block in blocks:
            exec(compile(block, "docs/mlflow.md", "exec"), known)
    finally:
        (here / "dvc.lock").unlink()
    assert len(blocks) == 6
    assert {"brain", "parent"} <= set(known["names"]) and "none" not in known["names"]
    assert known["labels"].class_id.tolist() == ["a", "b"]
    assert known["read"]["teacher"] == project[1][1]
    assert [each.model_id for each in known["found"]] == [champion.model_id]
    (webhook,) = known["client"].list_webhooks()
    assert webhook.name == "aliases"
    known["client"].delete_webhook(webhook.webhook_id)  # its secret is of this process
    assert hasattr(known["Bot"], "do_POST")


@pytest.mark.full
def test_the_pages_bot_hears_when_brain_taught_moves(champion, here, tmp_path):
    page = (ROOT / "docs" / "mlflow.md").read_text("utf-8")
    code = page[page.index("import base64") : page.index("# HTTPServer")]
    known, heard = {}, []
    exec(compile(code, "docs/mlflow.md", "exec"), known)

    class Bot(known["Bot"]):
        def tell(self, action, version):
            heard.append((action, version))

        def log_message(self, *_):
            pass

    bot = known["HTTPServer"](("127.0.0.1", 0), Bot)
    Thread(target=bot.serve_forever, daemon=True).start()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    loose = {"MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true"}
    loose |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    call = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    call += ["--backend-store-uri", f"sqlite:///{here / 'mlflow.db'}"]
    log = tmp_path / "log"
    with log.open("w") as out:
        told = {"stdout": out, "stderr": out, "cwd": tmp_path, "start_new_session": True}
        server = subprocess.Popen(call, env=os.environ | loose, **told)
    try:
        wait_until(lambda: is_up(server, port, log), 180)
        from mlflow import MlflowClient

        uri = f"http://127.0.0.1:{port}"
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        url = f"http://127.0.0.1:{bot.server_port}/"
        events = ["model_version_alias.created", "model_version_alias.deleted"]
        client.create_webhook("bot", url, events, secret=known["SECRET"].decode())
        client.create_webhook("stranger", url, events, secret="another")
        client.set_registered_model_alias(MODEL, "challenger", "1")
        client.set_registered_model_alias(MODEL, "brain-taught", "1")
        wait_until(lambda: len(heard) == 1, 60)
        client.delete_registered_model_alias(MODEL, "brain-taught")
        wait_until(lambda: len(heard) == 2, 60)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)
        bot.shutdown()
        bot.server_close()
    assert heard == [("created", "1"), ("deleted", None)]


def is_up(server, port, log):
    assert server.poll() is None, log.read_text()
    with urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
        return answer.status == 200


def wait_until(is_so, seconds):
    """Wait until something is so; what is not there yet raises an OSError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError):
            if is_so():
                return
        time.sleep(0.5)
    raise TimeoutError
