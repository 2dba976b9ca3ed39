"""docs/server.md: a lab's MLflow on Postgres and S3, with accounts, two clones, and faults."""

import re
import shutil
import sys
import time
import urllib.error
import urllib.request

import pytest

from brain_teacher.tracking import MODEL, Registry, store, tracked
from helpers import lab_server, remote_servers
from helpers.cloning import Clone, dvc, make_clone

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(bool(lab_server.LACKING), reason=f"not installed: {lab_server.LACKING}"),
    pytest.mark.skipif(lab_server.postgres_programs() is None, reason="there is no Postgres"),
]
NOT_TRACKED = re.compile(
    r"not tracked in MLflow \((.*)\): (\d+) MLflow runs, the first (.*); `brain"
)
# One image split, one brain: as much as the registry wants.
SMALL = ("--seeds", "1", "--epochs", "1", "--teacher", "none,brain", "--quiet")


class Lab:
    """The server's parts, people, and what they see."""

    def __init__(self, database, bucket, mlflow, people):
        self.database, self.bucket, self.mlflow, self.people = database, bucket, mlflow, people

    def client(self):
        import mlflow

        return mlflow.MlflowClient(self.mlflow.address, self.mlflow.address)

    def runs(self, experiment):
        client = self.client()
        return client.search_runs([client.get_experiment_by_name(experiment).experiment_id])


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    with lab_server.postgres() as database, remote_servers.s3(folder) as (env, bucket):
        mlflow = lab_server.Mlflow(folder, database, env)
        try:
            mlflow.start()
            people = mlflow.settle("ann", "ben", guests=["guest"])
            with mlflow.as_("ann", lab_server.password_of("ann")):
                yield Lab(database, bucket, mlflow, people)
        finally:
            mlflow.kill()


@pytest.fixture(scope="module")
def clones(lab, tmp_path_factory):
    """Ann's clone and Ben's, in which nothing has run yet."""
    place = tmp_path_factory.mktemp("clones")
    ann = make_clone(place / "ann")
    shutil.copytree(ann.path, place / "ben", symlinks=True)
    ben = Clone(place / "ben")
    ann.env |= lab.people["ann"]
    ben.env |= lab.people["ben"]
    return ann, ben


@pytest.fixture(scope="module")
def worked(lab, clones, tmp_path_factory):
    """Both have run the chain, at once; what it printed."""
    logs = [tmp_path_factory.mktemp("logs") / "log" for _ in clones]
    started = [c.start(*dvc(), "repro", log=log) for c, log in zip(clones, logs, strict=True)]
    codes = [process.wait(timeout=3000) for process in started]
    said = [log.read_text() for log in logs]
    assert codes == [0, 0], said
    return said


@pytest.mark.parametrize(
    ("host", "code"), [("mlflow.my-lab.org", 401), ("somewhere-else.org", 403)]
)
def test_only_the_labs_names_are_answered_and_only_its_people(host, code, lab):
    asked = urllib.request.Request(f"{lab.mlflow.address}/", headers={"Host": host})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(asked, timeout=60)
    with caught.value as refusal:
        assert refusal.code == code


def test_two_people_run_the_chain_at_once(worked, lab, clones):
    assert not [text for text in worked if "not tracked" in text]
    for experiment in ("preprocess", "decode", "controls", "distill", "compare"):
        parents = [r for r in lab.runs(experiment) if "mlflow.parentRunId" not in r.data.tags]
        assert [r.info.status for r in parents] == ["FINISHED", "FINISHED"]
        assert all(r.info.artifact_uri.startswith("mlflow-artifacts:/") for r in parents)
    listed = lab.bucket.list_objects_v2(Bucket="my-lab", Prefix="mlflow/")["Contents"]
    assert any(each["Key"].endswith("model.pt2") for each in listed)
    assert not (clones[0].path / "mlartifacts").exists()


def test_promoted_by_one_known_to_the_other_and_served_to_a_guest(worked, lab, clones):
    ann, ben = clones
    assert " version 1 (new), challenger" in ann.brain_teacher("promote")
    assert " version 1 (known already), challenger" in ben.brain_teacher("promote")
    version = lab.client().get_model_version_by_alias(MODEL, "challenger")
    assert len(version.description) <= 5000
    code = (
        "import mlflow, sys\n"
        f"student = mlflow.pyfunc.load_model('models:/{MODEL}@challenger')\n"
        "print(student.predict(student.input_example, params={'top': 1}))\n"
    )
    assert "'log_prob': " in ann.run(sys.executable, "-c", code, **lab.people["guest"])


def test_who_may_only_read_is_told_in_a_line_and_works_on(worked, lab, clones):
    guest = lab.people["guest"]
    said = clones[0].brain_teacher("promote", code=1, **guest).splitlines()
    assert said[-1].startswith("Error: the MLflow registry cannot be reached (")
    assert not [line for line in said if "Traceback" in line]
    said = clones[0].brain_teacher("distill", *SMALL, "--out", "runs/guest", **guest)
    assert NOT_TRACKED.search(said) and "Permission denied" in said
    assert (clones[0].path / "runs" / "guest" / "students.csv").is_file()


def test_a_server_that_is_killed_in_the_middle_of_distill(worked, lab, clones):
    ann, before = clones[0], {run.info.run_id for run in lab.runs("distill")}
    log = ann.path.parent / "killed.log"
    process = ann.start(
        *(sys.executable, "-m", "brain_teacher", "distill", "--seeds", "4", "--epochs", "20"),
        *("--teacher", "none,brain", "--jobs", "1", "--out", "runs/killed", "--quiet"), log=log,
    )  # fmt: skip
    while len([r for r in lab.runs("distill") if r.info.run_id not in before]) < 3:
        assert process.poll() is None, log.read_text()
        time.sleep(0.5)
    lab.mlflow.kill()
    assert process.wait(timeout=1200) == 0, log.read_text()
    lost = NOT_TRACKED.search(log.read_text())
    assert lost and 1 <= int(lost[2]) <= 6, log.read_text()
    lab.mlflow.start()
    command = re.search("`(brain-teacher track .*)` brings them in", log.read_text())[1].split()
    said = ann.brain_teacher(*command[1:])
    assert re.search(r"track: \d of 8 students brought in, \d were known already", said)
    assert "track: 0 of 8 students brought in" in ann.brain_teacher(*command[1:])
    new = [run for run in lab.runs("distill") if run.info.run_id not in before]
    prints = [run.data.tags["fingerprint"] for run in new if "fingerprint" in run.data.tags]
    assert len(prints) == len(set(prints)) == 8
    (parent,) = [run for run in new if "mlflow.parentRunId" not in run.data.tags]
    assert parent.info.status == "FINISHED"
    assert {run.info.status for run in new} <= {"FINISHED", "KILLED"}


def test_postgres_that_was_restarted_is_found_again(worked, lab, clones):
    lab.database.stop()
    lab.database.start()
    said = clones[1].brain_teacher("track", "outputs/students")
    assert "track: 0 of " in said


def free_requests(lab, count):
    """So many more requests to the bucket need no rights; nobody has any."""
    switch = f"{lab.mlflow.env['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
    kind = {"Content-Type": "text/plain"}  # of a form moto reads nothing
    ask = urllib.request.Request(switch, data=count, headers=kind, method="POST")
    urllib.request.urlopen(ask, timeout=30).close()


def test_a_bucket_that_refuses_costs_no_work_and_the_models_come_later(worked, lab, clones):
    ben = clones[1]
    free_requests(lab, b"0")
    try:
        said = ben.brain_teacher("distill", *SMALL, "--out", "runs/refused")
        assert "not tracked in MLflow (" in said and "brain-teacher track runs/refused" in said
        said = ben.brain_teacher("track", "runs/refused", code=1).splitlines()
        assert said[-1] == "Error: not all is tracked: try again once the MLflow store answers"
    finally:
        free_requests(lab, b"inf")
    assert "0 of 2 students brought in" in ben.brain_teacher("track", "runs/refused")
    client, last = lab.client(), lab.runs("distill")[:3]
    for run in last:
        if "fingerprint" in run.data.tags:
            where = f"source_run_id = '{run.info.run_id}'"
            models = client.search_logged_models([run.info.experiment_id], where)
            assert "READY" in {model.status for model in models}


def test_no_text_of_ours_is_too_long_for_postgres(lab, monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    tags, params = {"tag": "x" * 9000}, {"param": "x" * 7000}
    with tracked("decode", "n" * 300, tags=tags, params=params) as tracker:
        pass
    assert tracker.problem is None
    run = lab.client().get_run(tracker.mlflow_run_id)
    assert (len(run.info.run_name), len(run.data.tags["tag"])) == (250, 8000)
    assert len(run.data.params["param"]) == 6000
    registry, where = Registry(), f"{run.info.artifact_uri}/model"
    if MODEL not in {model.name for model in lab.client().search_registered_models()}:
        lab.client().create_registered_model(MODEL)
    version = lab.client().create_model_version(MODEL, where, run_id=run.info.run_id).version
    registry.describe(version, "x" * 6000, {"tag": "x" * 6000})
    assert len(lab.client().get_model_version(MODEL, version).description) == 5000


def test_two_clones_that_make_an_experiment_at_once_share_it(lab, monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    mlflow = store.import_mlflow()
    client, known = mlflow.MlflowClient(), []
    expected = client.create_experiment("rivals")
    asked = type(client).get_experiment_by_name

    def too_early(self, name):
        known.append(name)
        return asked(self, name) if len(known) > 1 else None

    monkeypatch.setattr(type(client), "get_experiment_by_name", too_early)
    assert store.prepare_store(mlflow, "rivals") == expected
