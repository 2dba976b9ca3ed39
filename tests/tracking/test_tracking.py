"""MLflow with a real store: parent and children, `mlflow run`, a store that is away, the registry.

Each store has an address of its own, since mlflow keeps what it opened for the life of a process.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import warnings
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from brain_teacher.errors import BrainTeacherError
from brain_teacher.tracking import MODEL, Input, Registry, Version, flat, models, store, tracked
from helpers.stores import make_store

ROOT = Path(__file__).parents[2]
VARIABLES = [
    "DVC_ROOT", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_DISABLE_TELEMETRY", "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT",
]  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A repository of its own, with none of the variables set that say where a store is."""
    root = tmp_path_factory.mktemp("repository")
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.setenv(name, "")  # so that it is put back afterwards, whatever is set meanwhile
            patch.delenv(name)
        patch.setenv("DVC_ROOT", str(root))
        yield root


@pytest.fixture(scope="module")
def client(root):
    mlflow = store.import_mlflow()
    return mlflow.MlflowClient()


@pytest.fixture(scope="module")
def distilled(root, client):
    """The ids of a parent and of its two children."""
    artifact = root / "table.txt"
    artifact.write_text("a table")
    params = {"distill.alpha": 0.8, "distill.roi": ["HVC"]}
    with tracked("distill", "sample HVC", tags={"simulated": True}, params=params) as tracker:
        parent = tracker.mlflow_run_id
        one = tracker.child(
            "brain seed 0",
            params={"seed": 0},
            metrics={"validation_accuracy": 0.5},
            curves={"epoch/train_loss": [3.0, 2.0, 1.5], "epoch/validation_nll": [None, 0.9, 0.8]},
            tags={"fingerprint": "f0", "seed": 0},
        )
        two = tracker.child(
            "brain seed 1", params={}, metrics={}, curves={"epoch/train_loss": [9.0]},
            tags={"fingerprint": "f1"}, failed=True,
        )  # fmt: skip
        tracker.log(metrics={"accuracy/brain": 0.25}, artifacts=[artifact])
    return parent, one, two


def test_the_store_is_in_the_repository_with_absolute_addresses(root, client, distilled):
    assert (root / "mlflow.db").is_file()
    assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{root}/mlflow.db"
    experiment = client.get_experiment_by_name("distill")
    assert experiment.artifact_location == f"file://{root}/mlartifacts"
    assert client.get_run(distilled[0]).info.experiment_id == experiment.experiment_id


def test_telemetry_is_off_unless_a_person_turned_it_on(root, client):
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
        store.import_mlflow()
        assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "false"


def test_the_parent_has_tags_params_metrics_and_files(root, client, distilled):
    run = client.get_run(distilled[0])
    assert (run.info.run_name, run.info.status) == ("sample HVC", "FINISHED")
    assert run.data.tags["simulated"] == "True"
    assert run.data.params == {"distill.alpha": "0.8", "distill.roi": "['HVC']"}
    assert run.data.metrics == {"accuracy/brain": 0.25}
    assert [file.path for file in client.list_artifacts(distilled[0])] == ["table.txt"]
    (stored,) = (root / "mlartifacts").rglob("table.txt")
    assert stored.read_text() == "a table"


def test_children_belong_to_the_parent(client, distilled):
    parent, *children = distilled
    experiment = client.get_experiment_by_name("distill").experiment_id
    found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent}'")
    assert {run.info.run_id for run in found} == set(children)
    one, two = (client.get_run(child) for child in children)
    assert (one.info.run_name, one.info.status) == ("brain seed 0", "FINISHED")
    assert (two.info.run_name, two.info.status) == ("brain seed 1", "FAILED")
    assert one.data.tags["fingerprint"] == "f0" and one.data.tags["seed"] == "0"
    assert one.data.params == {"seed": "0"}


def test_curves_have_a_step_an_epoch_from_1(client, distilled):
    history = client.get_metric_history(distilled[1], "epoch/train_loss")
    assert [(point.step, point.value) for point in history] == [(1, 3.0), (2, 2.0), (3, 1.5)]
    # An epoch without a value is no step.
    history = client.get_metric_history(distilled[1], "epoch/validation_nll")
    assert [(point.step, point.value) for point in history] == [(2, 0.9), (3, 0.8)]
    metrics = client.get_run(distilled[1]).data.metrics
    assert metrics == {
        "epoch/train_loss": 1.5, "epoch/validation_nll": 0.8, "validation_accuracy": 0.5,
    }  # fmt: skip


def test_a_student_is_logged_in_few_calls_however_long_its_curves(client, distilled, monkeypatch):
    sizes, log_batch = [], type(client).log_batch

    def spy(self, run_id, metrics=(), params=(), tags=(), **others):
        sizes.append((len(metrics), len(params)))
        return log_batch(self, run_id, metrics, params, tags, **others)

    monkeypatch.setattr(type(client), "log_batch", spy)
    with tracked("distill", "long", tags={}, params={}) as tracker:
        curves = {f"epoch/{name}": list(range(300)) for name in "abcd"}
        long = tracker.child("long", params={"a": 1}, metrics={"b": 2}, curves=curves, tags={})
    # The server takes 1000 metrics a call; params go once.
    assert sizes == [(0, 0), (1000, 1), (201, 0)]
    assert len(client.get_metric_history(long, "epoch/d")) == 300


def test_an_error_marks_the_mlflow_run_as_failed_and_goes_on_up(client, distilled):
    with (
        pytest.raises(RuntimeError, match="^the work failed$"),
        tracked("distill", "fails", tags={}, params={}) as tracker,
    ):
        raise RuntimeError("the work failed")
    assert client.get_run(tracker.mlflow_run_id).info.status == "FAILED"


def test_under_mlflow_run_the_given_run_is_the_parent(client, distilled, monkeypatch):
    experiment = client.create_experiment("given")
    given = client.create_run(experiment, run_name="funny-name-1").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    with tracked("distill", "sample HVC", tags={"roi": "HVC"}, params={"a": 1}) as tracker:
        # A sub-process that inherited it would write into this MLflow run.
        assert "MLFLOW_RUN_ID" not in os.environ
        assert tracker.mlflow_run_id == given
        child = tracker.child("child", params={}, metrics={}, curves={}, tags={})
    run, child = client.get_run(given), client.get_run(child)
    assert (run.info.run_name, run.info.status) == ("sample HVC", "FINISHED")
    assert run.data.tags["roi"] == "HVC" and run.data.params == {"a": "1"}
    assert child.info.experiment_id == experiment
    assert child.data.tags["mlflow.parentRunId"] == given
    assert len(client.search_runs([experiment])) == 2


def test_what_the_store_refuses_ends_tracking_and_not_the_work(client, distilled, capsys):
    done = []
    with tracked("distill", "refused", tags={}, params={"a": 1}) as tracker:
        tracker.log(params={"a": 2})  # MLflow: a param cannot change
        assert tracker.problem.startswith("MlflowException: Changing param values is not allowed.")
        assert tracker.child("c", params={}, metrics={}, curves={}, tags={}) is None
        done.append("work")
    assert done == ["work"]
    assert capsys.readouterr().err == (
        f"not tracked in MLflow ({tracker.problem}): 1 MLflow runs, the first c; the results are "
        "written all the same\n"
    )


AWAY = """
from brain_teacher.tracking import tracked
with tracked("distill", "sample HVC", tags={"a": 1}, params={"b": 2}) as tracker:
    tracker.log(metrics={"c": 3})
    child = tracker.child("child", params={}, metrics={}, curves={}, tags={})
    tracker.log_student("f", None, {})
    print("worked", tracker.mlflow_run_id, child)
"""


@pytest.mark.parametrize("given", [False, True])
def test_with_the_store_away_the_work_goes_on_and_says_so(given, tmp_path):
    # Nothing listens on port 9 (discard).
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    env |= {"PYTHONPATH": str(ROOT / "src"), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    env |= {"DVC_ROOT": str(tmp_path)} | ({"MLFLOW_RUN_ID": "abc"} if given else {})
    done = subprocess.run(
        [sys.executable, "-c", AWAY],
        check=False,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "worked None None\n")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("not tracked in MLflow (MlflowException: API request to http://127.0")
    lost = ": 1 MLflow runs, the first child; the results are written all the same"
    assert last.endswith(lost)
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize("store", ["a folder", "no database", "nowhere"])
def test_a_database_that_cannot_be_opened_is_said_within_seconds(store, tmp_path):
    place = tmp_path / "mlflow.db"
    if store == "a folder":
        place.mkdir()
    elif store == "no database":
        place.write_text("some text, which is no SQLite" * 100)
    else:
        place = tmp_path / "no" / "such" / "folder" / "mlflow.db"
        (tmp_path / "no").touch()
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    env |= {"PYTHONPATH": str(ROOT / "src"), "MLFLOW_TRACKING_URI": f"sqlite:///{place}"}
    # mlflow's own ten tries take 102 s; this machine's import of it, up to 20.
    done = subprocess.run(
        [sys.executable, "-c", AWAY],
        check=False,
        env=env | {"DVC_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=80,
    )
    assert (done.returncode, done.stdout) == (0, "worked None None\n")
    said = "file is not a database" if store == "no database" else "unable to open database file"
    assert said in done.stderr.splitlines()[-1]


@pytest.fixture
def tiny():
    """A torch module of a student for images of 8 pixels and 3 classes, and its card."""
    import torch

    with warnings.catch_warnings():
        # mlflow's first import warns of its own type hints.
        warnings.simplefilter("ignore")
        import mlflow.pyfunc
        import mlflow.pytorch  # noqa: F401

    from brain_teacher.networks.classifiers import Classifier, build_network

    network = build_network(n_classes=3, width=8, image_size=8, seed=0)
    model = Classifier(network).eval().to(memory_format=torch.contiguous_format)
    return model, {"class_id": ["a", "b", "c"], "image_size": 8, "teacher": "brain"}


def test_a_student_becomes_a_version_with_aliases_and_answers_as_before(
    root, client, distilled, tiny
):
    import mlflow
    import torch

    model, card = tiny
    assert models.log_student_model(mlflow, "unknown", None, card) is None
    uri = models.log_student_model(mlflow, "f0", lambda: model, card)
    assert mlflow.active_run() is None
    # Found again: no second model is made of it.
    assert models.log_student_model(mlflow, "f0", None, card) == uri
    assert models.find_mlflow_run(mlflow, "f0").info.run_id == distilled[1]

    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8)).astype(np.float32)
    with torch.inference_mode():
        expected = model(torch.from_numpy(pixels)).numpy()
    info = mlflow.models.get_model_info(uri)
    assert info.metadata == card
    with torch.inference_mode():
        found = mlflow.pytorch.load_model(uri)(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # The function takes pictures as people have them (tests/test_served.py).
    (answer, *_) = mlflow.pyfunc.load_model(uri).predict(list(pixels.transpose(0, 2, 3, 1)))
    assert {each["class_id"]: each["log_prob"] for each in answer} == pytest.approx(
        dict(zip("abc", expected[0].tolist(), strict=True)), abs=1e-5
    )
    place = client.get_logged_model(uri.removeprefix("models:/")).artifact_location
    files = {path.name: path for path in Path(place.removeprefix("file://")).rglob("*")}
    assert not [name for name in files if name.endswith(".pkl")]
    # Nor where it was made: of the store, the source, the libraries.
    with zipfile.ZipFile(files["model.pt2"]) as archive:
        graph = b"".join(map(archive.read, archive.namelist()))
    texts = [files[name].read_bytes() for name in ("MLmodel", "conda.yaml", "requirements.txt")]
    for made_at in (root, ROOT, Path(torch.__file__).parents[1]):
        assert not [text for text in (graph, *texts) if str(made_at).encode() in text]

    registry = Registry()
    assert registry.find_version("f0") is None
    assert registry.student_model("f0", "brain seed 0", None, card) == uri
    version = registry.register(uri, {"fingerprint": "f0"})
    assert registry.find_version("f0") == version and registry.find_version("f1") is None
    registry.describe(version, "the card", {"verdict": "cannot tell", "seed": 0})
    assert registry.alias("challenger") is None
    registry.set_alias("challenger", version)
    registry.set_alias("champion", version)
    assert registry.alias("challenger") == registry.alias("champion") == str(version)
    registry.set_alias("champion", version, f"version {version} since today.")
    assert registry.reasons()["champion"] == f"version {version} since today."
    registry.remove_alias("champion", "no version since today")
    assert registry.alias("champion") is None
    assert registry.reasons()["champion"] == "no version since today"
    stored = client.get_model_version_by_alias(MODEL, "challenger")
    assert stored.description == "the card"
    tags = {"fingerprint": "f0", "verdict": "cannot tell", "seed": "0"}
    assert stored.tags == tags == registry.tags(version)
    assert registry.versions()[-1] == Version(str(version), ("challenger",), tags, has_files=True)
    assert not registry.lineage("nobody")


def test_a_models_metrics_and_figures_come_with_it_once(client, distilled, tiny):
    import mlflow

    model, card = tiny
    drawn = []

    def draw(folder):
        drawn.append(folder)
        (folder / "confusion.png").write_text("a figure")

    told = {"metrics": {"test_accuracy": 0.5}, "draw": draw}
    told["tied"] = {"dataset_name": "sample", "dataset_digest": "126e.dir"}
    with tracked("distill", "parent", tags={}, params={}) as tracker:
        child = {"params": {}, "metrics": {}, "curves": {}, "tags": {"fingerprint": "f7"}}
        run_id = tracker.child("brain seed 7", **child)
    uri = models.log_student_model(mlflow, "f7", lambda: model, card, **told)
    assert models.log_student_model(mlflow, "f7", None, card, **told) == uri
    assert len(drawn) == 1
    assert [f.path for f in client.list_artifacts(run_id, "figures")] == ["figures/confusion.png"]
    (metric,) = client.get_logged_model(uri.removeprefix("models:/")).metrics
    assert (metric.key, metric.value) == ("test_accuracy", 0.5)
    assert (metric.dataset_name, metric.dataset_digest) == ("sample", "126e.dir")
    found = client.search_logged_models(
        [client.get_run(run_id).info.experiment_id], "metrics.test_accuracy > 0.4",
        datasets=[{"dataset_name": "sample", "dataset_digest": "126e.dir"}],
    )  # fmt: skip
    assert [each.model_uri for each in found] == [uri]


def test_a_student_that_the_store_lacks_is_logged_again(client, distilled, tiny):
    model, card = tiny
    registry = Registry()
    read = [Input(__file__, "students")]
    uri = registry.student_model("lost", "brain seed 7", lambda: model, card, read)
    assert len(registry.lineage("lost")["students"]) == 32
    run = client.search_runs(
        [client.get_experiment_by_name("promote").experiment_id], "tags.fingerprint = 'lost'"
    )[0]
    assert (run.info.run_name, run.info.status) == ("brain seed 7", "FINISHED")
    assert registry.student_model("lost", "brain seed 7", None, card) == uri


def test_a_card_that_is_longer_than_postgres_takes_is_whole_in_the_artifacts(
    client, distilled, tiny, tmp_path
):
    import mlflow

    model, card = tiny
    registry = Registry()
    uri = registry.student_model("lost", "brain seed 7", lambda: model, card)
    version = registry.register(uri, {"fingerprint": "lost"})
    (tmp_path / "README.md").write_text("x" * 6000)
    registry.attach(version, tmp_path)
    registry.describe(version, "x" * 6000, {})
    text = client.get_model_version(MODEL, version).description
    assert len(text) == 5000 and text.endswith("is README.md among this version's artifacts.")
    files = client.list_logged_model_artifacts(uri.removeprefix("models:/"))
    assert {file.path: file.file_size for file in files}["README.md"] == 6000
    assert len(mlflow.pyfunc.load_model(uri).predict([np.zeros((8, 8, 3))])[0]) == 3


def test_a_version_whose_artifacts_are_gone_is_none(client, distilled, tiny):
    model, card = tiny
    registry = Registry()
    uri = registry.student_model("cleaned", "brain seed 8", lambda: model, card)
    version = registry.register(uri, {"fingerprint": "cleaned"})
    assert registry.find_version("cleaned") == version
    logged = client.get_logged_model(uri.removeprefix("models:/"))
    shutil.rmtree(logged.artifact_location.removeprefix("file://"))
    assert registry.find_version("cleaned") is None
    assert registry.lost_versions("cleaned") == [version]
    with pytest.raises(BrainTeacherError, match=f"^the files of version {version} are gone: it"):
        registry.set_alias("champion", version)
    assert registry.alias("champion") is None
    again = registry.student_model("cleaned", "brain seed 8", lambda: model, card)
    assert again != uri
    new = registry.register(again, {"fingerprint": "cleaned"})
    assert registry.find_version("cleaned") == new != version


def test_a_store_of_files_is_taken_where_it_is_asked_for(tmp_path):
    # MLflow refuses it unless told: `make demo` died at its last step.
    code = (
        "import torch\n"
        "from brain_teacher.tracking import Registry, tracked\n"
        "with tracked('distill', 'name', tags={}, params={}) as tracker:\n"
        "    pass\n"
        "assert tracker.problem is None, tracker.problem\n"
        "class Model(torch.nn.Module):\n"
        "    def forward(self, pixels):\n"
        "        return pixels.mean((2, 3))\n"
        "registry = Registry()\n"
        "card = {'image_size': 8, 'class_id': ['a', 'b', 'c']}\n"
        "uri = registry.student_model('f', 'brain seed 0', Model, card)\n"
        "registry.set_alias('challenger', registry.register(uri, {'fingerprint': 'f'}))\n"
        "print(registry.find_version('f'), registry.alias('challenger'))\n"
    )
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    env |= {"PYTHONPATH": str(ROOT / "src"), "MLFLOW_TRACKING_URI": f"file:{tmp_path / 'mlruns'}"}
    env |= {"DVC_ROOT": str(tmp_path)}
    call = [sys.executable, "-c", code]
    done = subprocess.run(call, check=False, env=env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "1 1\n"), done.stderr
    assert "not tracked" not in done.stderr and (tmp_path / "mlruns").is_dir()


def test_looks_at_a_test_set_are_counted_over_all_experiments(client, distilled, monkeypatch):
    registry = Registry()
    assert registry.looks("these") is None  # the store does not know them
    for number, images in enumerate(["these", "others", "these"]):
        with tracked("compare", f"look {number}", tags={"test_images": images}, params={}):
            pass
    with (
        pytest.raises(RuntimeError),
        tracked("compare", "fails", tags={"test_images": "these"}, params={}),
    ):
        raise RuntimeError
    assert registry.looks("these") == 2
    given = client.create_run(client.create_experiment("by mlflow run")).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    with tracked("compare", "look 3", tags={"test_images": "these"}, params={}):
        pass
    assert registry.looks("these") == 3 and registry.looks("others") == 1
    assert registry.looks("it's no filter") is None


def test_a_registry_that_is_away_is_a_failure(tmp_path):
    code = (
        "from brain_teacher.errors import BrainTeacherError\n"
        "from brain_teacher.tracking import Registry\n"
        "try:\n    Registry()\nexcept BrainTeacherError as error:\n    print(error)"
    )
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    env |= {"PYTHONPATH": str(ROOT / "src"), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    env |= {"DVC_ROOT": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "the MLflow registry cannot be reached (API request to http://127.0.0.1:9/"
    )


def test_the_root_is_dvcs_or_the_nearest_folder_with_an_mlproject(tmp_path, monkeypatch):
    inner = tmp_path / "project" / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(inner)
    assert store.repository_root() == inner
    (tmp_path / "project" / "MLproject").touch()
    assert store.repository_root() == tmp_path / "project"
    # An experiment of DVC runs in a folder that it deletes: the store is where DVC's root is.
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert store.repository_root() == tmp_path


def test_settings_are_made_flat():
    block = {"C": 1, "folds": {"by": "image", "deeper": {"a": [1, 2]}}}
    assert flat(block, "decode") == {
        "decode.C": 1, "decode.folds.by": "image", "decode.folds.deeper.a": [1, 2],
    }  # fmt: skip


def git(folder, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip


def test_the_codes_commit_says_when_the_tree_differs(tmp_path, monkeypatch):
    from brain_teacher.tracking.store import code_commit

    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert code_commit() is None
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "one")
    commit = code_commit()
    assert len(commit) == 40 and set(commit) <= set("0123456789abcdef")
    (tmp_path / "new").write_text("not known to git")
    assert code_commit() == commit
    (tmp_path / "a").write_text("2")
    assert code_commit() == f"{commit}+changes"


@pytest.mark.parametrize(
    "change",
    [
        "drop table model_version_tags",
        "alter table model_versions rename column name to nom",
        "drop table experiments",
        "update alembic_version set version_num = 'another'",
    ],
)
def test_a_registry_of_another_schema_is_one_line(tmp_path, monkeypatch, capfd, change):
    make_store(tmp_path / "other.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as database:
        database.execute(change)
        database.commit()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'other.db'}")
    with pytest.raises(BrainTeacherError) as caught:
        Registry().find_version("a")
    assert str(caught.value).startswith("the MLflow registry cannot be reached (")
    assert "\n" not in str(caught.value) and "Traceback" not in capfd.readouterr().err
