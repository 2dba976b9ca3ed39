"""``use``: presets put in place, whole; no change lost, nothing pushed into git."""

import copy
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from brain_teacher.chain.params import load_params
from helpers.running import ROOT, run, work_in

PRESETS = sorted((ROOT / "params").glob("*.yaml"))
REPOSITORYS = (ROOT / "params.yaml").read_text("utf-8")
# A user's own: it is brought back, and is no part of a preset.
SAMPLE = REPOSITORYS.replace("batch: 32", "batch: 16")
GOD = (ROOT / "params" / "god.yaml").read_text("utf-8")
# What each preset meant when it still said everything, where it was not as the sample's.
NO_WORDS = [
    "none", "smooth-matched", "permuted-classes", "brain-class", "brain-confidence",
    "permuted-images",
]  # fmt: skip
DISSIMILARITIES = {
    "decode.folds.by": "group",
    "decode.folds.group": "picture",
    "decode.normalise": "centre",
    "decode.logistic.C": [0.1, 1.0, 10.0, 100.0],
    "decode.ridge.penalty": [0.01, 0.1, 1.0, 10.0, 100.0],
    "distill.subject": ["mean"],
    "distill.roi": ["IT"],
    "distill.split": "folds",
}
OF_THINGS = {"decode.decoder": ["ridge"], "distill.decoder": "ridge"}
PEOPLE = {
    "distill.subject": ["people"],
    "distill.roi": ["choices"],
    "distill.decoder": "choices",
    "distill.teacher": [*NO_WORDS, "brain"],
    "distill.loss": "soft-cross-entropy",
    "distill.temperature": 1,
    "distill.alpha": 1,
    "distill.image_size": 32,
    "compare.family": NO_WORDS,
}
GODS = {
    "decode.voxels": 500,
    "decode.mlp.steps": [200, 400, 600],
    "search.epochs": [60, 120],
    "distill.teacher": [*NO_WORDS, "brain"],
    "distill.epochs": 60,
    "distill.stem": "large",
    "distill.width": 64,
    "distill.image_size": 224,
    "distill.batch": 64,
    "distill.learning_rate": 0.001,
    "distill.shift": 16,
    "compare.family": NO_WORDS,
    "compare.margin": 0.01,
    "promote.gate": 0.005,
}
MEANT = {
    "cichy92": DISSIMILARITIES,
    "kriegeskorte92": DISSIMILARITIES,
    "behaviour92": DISSIMILARITIES | {"distill.roi": ["judgement"]},
    "haxby-slice": {"decode.folds.by": "run", "distill.roi": ["slice"]},
    "miyawaki-figures": {
        "decode.folds.by": "group",
        "decode.folds.group": "style",
        "decode.calibrate": False,
        "distill.roi": ["V1"],
        "distill.teacher": [*NO_WORDS, "brain"],
        "distill.batch": 15,
        "distill.flip": False,
        "compare.family": NO_WORDS,
    },
    "god": GODS,
    "deeprecon": GODS,
    "things": OF_THINGS | {"distill.roi": ["LOC"]},
    "cneuromod-things": OF_THINGS | {"distill.roi": ["V1"]},
    "cifar10h": PEOPLE,
    "cifar10h-400": PEOPLE,
}


def meant(name):
    """All settings of a preset."""
    content = copy.deepcopy(yaml.safe_load(REPOSITORYS))
    for place, value in ({"dataset.name": name} | MEANT[name]).items():
        *above, key = place.split(".")
        block = content
        for part in above:
            block = block[part]
        block[key] = value
    return content


def says(file):
    """What a settings file says, itself."""
    return yaml.safe_load(file.read_text("utf-8"))


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
    names = [*(path.stem for path in PRESETS), "mine"]
    remote("\n".join(f"['remote \"{name}\"']\nurl = ../../elsewhere" for name in names))
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
def test_every_preset_can_be_used(path, params):
    settings = load_params(path)
    assert settings.dataset.name == path.stem
    assert {*settings.compare.family, "brain"} <= set(settings.distill.teacher)
    if MEANT[path.stem] is not PEOPLE:  # whose table comes with the pictures
        assert settings.distill.decoder in settings.decode.decoder
    assert path.read_text("utf-8").startswith("# ")
    run("use", path.stem)
    # Everything, in the order of the sample's; and alone it means the same.
    assert says(params) == meant(path.stem)
    assert list(says(params)) == list(yaml.safe_load(REPOSITORYS))
    assert load_params(params) == settings


def leaves(content, above=""):
    for key, value in content.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_holds_only_what_differs(path):
    assert dict(leaves(says(path))) == {"dataset.name": path.stem} | MEANT[path.stem]
    samples = dict(leaves(yaml.safe_load(REPOSITORYS)))
    assert all(samples.get(place) != value for place, value in leaves(says(path)))


def test_comments_stay_but_for_those_of_the_preset(params):
    run("use", "god")
    head = [line for line in GOD.splitlines() if line.startswith("#")]
    lines = params.read_text().splitlines()
    assert lines[: len(head)] == head and len(head) > 1
    samples, changed = SAMPLE.splitlines(), 0
    for line, before in zip(lines[len(head) :], samples, strict=True):
        if line == before:
            continue
        changed += 1
        key, _, comment = line.partition("#")
        said = next(each for each in GOD.splitlines() if each.startswith(key.rstrip()))
        assert comment == (said.partition("#")[2] or before.partition("#")[2])
    assert changed == 1 + len(MEANT["god"])
    # One of each: the preset's comment, the sample's, none; and a heading below a changed line.
    assert "  epochs: 60                 # 1,200 images: 19 steps each" in lines
    assert "  shift: 16                  # pixels, at random, each way" in lines
    assert "  batch: 64" in lines
    gate = lines.index(next(line for line in lines if line.startswith("  margin: 0.01")))
    assert lines[gate + 1 : gate + 3] == ["", "promote:"]


def test_a_sample_older_than_a_key_is_completed_and_keys_of_another_day_go(params):
    old = yaml.safe_load(SAMPLE)
    del old["decode"]["folds"], old["explore"], old["distill"]["epoch"]
    old["distill"]["abolished"] = 3
    old["search"] = "no block"
    params.write_text(yaml.safe_dump(old))
    git("commit", "-qam", "older")
    run("use", "miyawaki-figures")
    assert says(params) == meant("miyawaki-figures")


def test_a_preset_of_ones_own(params):
    Path("params/mine.yaml").write_text(
        "# Mine\ndataset:\n  name: mine  # my own\ndistill:\n  flip: off\n"
        "  recipes:\n    brain:\n      temperature: 4\n  weight_decay: 1e-3\n"
        "search:\n  alpha: [0.1, 0.2]  # few\n  learning_rate: [1e-1, 0.2, 0.3]\n"
    )
    run("use", "mine")
    assert load_params(params) == load_params("params/mine.yaml")
    distill = load_params(params).distill
    assert (distill.flip, distill.weight_decay) == (False, 0.001)
    assert distill.recipe("brain")["temperature"] == 4 and distill.batch == 32
    lines = params.read_text().splitlines()
    assert "  name: mine  # my own" in lines and "  alpha: [0.1, 0.2]  # few" in lines
    words = "# of none and weighted, which have no soft term"
    assert [line for line in lines if line.endswith(words)]


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
    run("use", "god", "--force")  # says the same, in more words
    assert run("use").splitlines() == lines
    Path("params/broken.yaml").write_text("# Broken\nno: [params")
    assert "broken: Broken\n" in run("use")
    assert fails("--force", code=2) == (
        "--force belongs to a preset: `brain-teacher use NAME --force`"
    )


def test_there_and_back(params):
    assert run("use", "god") == (
        "params.yaml is now that of god; `brain-teacher use sample` brings the sample's back\n"
        "next: dvc repro\n"
    )
    assert says(params) == meant("god")
    run("use", "god")  # what is in place already
    git("commit", "-qam", "to god")
    git("commit", "-q", "--allow-empty", "-m", "something else")
    run("use", "sample")
    assert params.read_text() == SAMPLE
    run("use", "god")  # the sample's is an older commit's: nothing is lost
    assert says(params) == meant("god")


def test_there_and_back_without_a_commit_between(params):
    # What a preset makes is no change of anybody's: nothing is lost with it.
    for name in ("god", "haxby-slice", "miyawaki-figures", "sample", "god", "sample"):
        run("use", name)
    assert params.read_text() == SAMPLE
    run("use", "god")
    params.write_text(params.read_text() + "# mine\n")
    assert "params.yaml has changes that git does not have" in fails("sample", code=2)


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
    assert says(params) == {"god": meant("god"), "sample": yaml.safe_load(SAMPLE)}[name]


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
    assert says(params) == meant("god")


STORE = (ROOT / ".dvc" / "config").read_text()
REFUSED = (
    "DVC has no remote 'god', and `dvc push` takes results there: type `dvc remote add --local "
    "--default god URL` (a folder outside will do), then `brain-teacher use god` again"
)


def test_it_stops_while_there_is_no_remote_of_that_name(params):
    remote(STORE)
    assert fails("god", code=1) == REFUSED
    assert fails("god", "--force", code=1) == REFUSED
    assert params.read_text() == SAMPLE
    run("use", "sample")
    remote("['remote \"god\"']\nurl = s3://lab/god\n", "config.local")
    run("use", "god")
    assert says(params) == meant("god")


def test_it_stops_while_dvc_would_push_into_git(params):
    remote(STORE)
    remote("['remote \"god\"']\nurl = ../store\n", "config.local")
    assert fails("god", code=1) == (
        "DVC's remote 'god' is store/, which is in git, and `dvc push` takes results there: type "
        "`dvc remote add --local --default --force god URL` (a folder outside will do), then "
        "`brain-teacher use god` again"
    )
    assert params.read_text() == SAMPLE


def test_the_command_that_it_names_is_the_remedy(params):
    remote(STORE)
    command = REFUSED.partition("type `")[2].partition("`")[0].replace("URL", "elsewhere")
    git("add", ".dvc/config")
    from dvc.cli import main

    assert main(command.split()[1:]) == 0
    run("use", "god")
    assert says(params) == meant("god")


@pytest.mark.parametrize("config", ["[core]\nremote mine\n", "[core]\nremoet = mine\n"])
def test_a_broken_dvc_config_is_one_line(config, params):
    remote(config)
    assert fails("god", code=1).startswith(".dvc: ")
    assert params.read_text() == SAMPLE


def test_a_preset_that_is_not_there_or_wrong(params):
    assert fails("gods", code=2).startswith(
        "there is no preset 'gods'; did you mean 'god'? (there is sample, "
    )
    (params.parent / "params" / "mine.yaml").write_text(
        GOD.replace("  epochs: 60 ", "  sedes: 60 ")
    )
    said = fails("mine", code=2)
    assert said == "params/mine.yaml: unknown key 'distill.sedes'; did you mean 'seeds'?"
    assert params.read_text() == SAMPLE
