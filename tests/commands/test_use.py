"""``use``: presets put in place; no change lost, nothing pushed into git."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from brain_teacher.chain.params import load_params
from helpers.running import ROOT, run, work_in

PRESETS = sorted((ROOT / "params").glob("*.yaml"))
REPOSITORYS = (ROOT / "params.yaml").read_text("utf-8")
SAMPLE = REPOSITORYS.replace("batch: 32", "batch: 16")
GOD = (ROOT / "params" / "god.yaml").read_text("utf-8")


def git(*arguments):
    named = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *named, *arguments], check=True, capture_output=True)


@pytest.fixture
def params(tmp_path, monkeypatch):
    """A clone's params.yaml, committed as the sample's; its folder is the working folder."""
    work_in(monkeypatch, tmp_path, tmp_path / "mlflow.db")
    # Whatever remote or identity this machine has of its own.
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    shutil.copytree(ROOT / "params", tmp_path / "params")
    (tmp_path / ".dvc").mkdir()
    file = tmp_path / "params.yaml"
    file.write_text(SAMPLE)
    remote("[core]\nremote = mine\n['remote \"mine\"']\nurl = ../../elsewhere\n")
    git("init", "-q")
    git("add", "params", "params.yaml")
    git("commit", "-qm", "the sample")
    return file


def remote(config, file="config"):
    Path(".dvc", file).write_text(config)


def fails(*arguments, code):
    output = run("use", *arguments, code=code)
    assert output.startswith("Error: ") and output.count("\n") == 1, output
    return output.removeprefix("Error: ").rstrip("\n")


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_preset_can_be_used(path):
    params = load_params(path)
    assert params.dataset.name == path.stem
    assert {*params.compare.family, "brain"} <= set(params.distill.teacher)
    assert params.distill.decoder in params.decode.decoder
    assert list(yaml.safe_load(path.read_text("utf-8"))) == list(yaml.safe_load(REPOSITORYS))
    assert path.read_text("utf-8").startswith("# ")


def test_gods_fits_the_data_set():
    params = load_params(ROOT / "params" / "god.yaml")
    distill = params.distill
    assert (distill.network, distill.width, distill.image_size) == ("resnet18", 64, 224)
    assert params.preprocess.subject == params.preprocess.roi == distill.subject == "all"
    assert params.decode.voxels == 500 and "1000" in GOD
    # GOD has no superclasses: the teacher would have nothing to go by.
    assert "semantic" not in {*params.compare.family, *distill.teacher}


def test_without_a_name_the_presets_are_listed(params):
    params.write_text(GOD)
    lines = run("use").splitlines()
    assert lines[0] == "sample: the sample's, as git last had it"
    assert len(lines) == 1 + len(PRESETS)
    (line,) = (each for each in lines if each.startswith("god: "))
    assert line == f"god: {GOD.partition(chr(10))[0].lstrip('# ')} (in use)"
    assert sum(each.endswith(" (in use)") for each in lines) == 1


def test_there_and_back(params):
    assert run("use", "god") == (
        "params.yaml is now that of god; `brain-teacher use sample` brings the sample's back\n"
    )
    assert params.read_text() == GOD
    run("use", "god")  # what is in place already
    git("commit", "-qam", "to god")
    git("commit", "-q", "--allow-empty", "-m", "something else")
    run("use", "sample")
    assert params.read_text() == SAMPLE
    run("use", "god")  # the sample's is an older commit's: nothing is lost
    assert params.read_text() == GOD


def test_the_newest_sample_counts(params):
    newer = SAMPLE.replace("seeds: 8", "seeds: 16")
    for content in (newer, GOD, "no: [params", "dataset: text", "", "- 1"):
        params.write_text(content)
        git("commit", "-qam", "another")
    run("use", "sample")
    assert params.read_text() == newer


@pytest.mark.parametrize("name", ["god", "sample"])
def test_changes_that_git_does_not_have_are_not_lost(name, params):
    changed = SAMPLE.replace("seeds: 8", "seeds: 5")
    params.write_text(changed)
    assert fails(name, code=2) == (
        "params.yaml has changes that git does not have: commit them (`git commit params.yaml`), "
        "or lose them with --force"
    )
    assert params.read_text() == changed
    run("use", name, "--force")
    assert params.read_text() == {"god": GOD, "sample": SAMPLE}[name]


@pytest.mark.parametrize("gone", ["repository", "program"])
def test_without_git_nothing_is_overwritten_and_there_is_no_sample(gone, params, monkeypatch):
    if gone == "repository":
        shutil.rmtree(".git")
    else:
        monkeypatch.setenv("PATH", "")
    assert fails("god", code=2).startswith("params.yaml has changes that git does not have")
    assert params.read_text() == SAMPLE
    assert fails("sample", code=1) == (
        "git has no params.yaml of data set 'sample': clone the repository with its history"
    )
    params.unlink()
    run("use", "god")
    assert params.read_text() == GOD


STORE = (ROOT / ".dvc" / "config").read_text()
REFUSED = (
    "`dvc push` would put god into store/, which is in git: type `dvc remote add --local "
    "--default mine URL` (a folder will do), then `brain-teacher use god` again"
)


def test_it_stops_while_dvc_would_push_into_git(params):
    remote(STORE)
    assert fails("god", code=1) == REFUSED
    assert fails("god", "--force", code=1) == REFUSED
    assert params.read_text() == SAMPLE
    run("use", "sample")
    remote("[core]\nremote = lab\n['remote \"lab\"']\nurl = s3://lab/god\n", "config.local")
    run("use", "god")
    assert params.read_text() == GOD


def test_the_command_that_it_names_is_the_remedy(params):
    remote(STORE)
    command = REFUSED.partition("type `")[2].partition("`")[0].replace("URL", "elsewhere")
    git("add", ".dvc/config")
    from dvc.cli import main

    assert main(command.split()[1:]) == 0
    run("use", "god")
    assert params.read_text() == GOD


@pytest.mark.parametrize("config", ["[core]\nremote mine\n", "[core]\nremoet = mine\n"])
def test_a_broken_dvc_config_is_one_line(config, params):
    remote(config)
    assert fails("god", code=1).startswith(".dvc: ")
    assert params.read_text() == SAMPLE


def test_a_preset_that_is_not_there_or_wrong(params):
    assert fails("gods", code=2).startswith(
        "there is no preset 'gods'; did you mean 'god'? (there is sample, "
    )
    (params.parent / "params" / "mine.yaml").write_text(GOD.replace("seeds: 8", "sedes: 8"))
    said = fails("mine", code=2)
    assert said == "params/mine.yaml: unknown key 'distill.sedes'; did you mean 'seeds'?"
    assert params.read_text() == SAMPLE
