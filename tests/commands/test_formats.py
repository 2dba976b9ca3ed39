"""Files of another shape, as a person meets them: each one line that says what to do."""

import gzip
import json
import shutil
from pathlib import Path

import pytest
import yaml

from brain_teacher.cells.folder import OutputFolder
from brain_teacher.chain.params import load_params
from brain_teacher.chain.students.precision import settle
from brain_teacher.errors import BrainTeacherError
from brain_teacher.machine import RunTime
from helpers.running import ROOT, project, run

SAMPLE = (
    *("simulate", "--out", "data/sample", "--subjects", "1", "--categories", "2", "--shown", "4"),
    *("--unseen", "4", "--voxels", "40", "--image-size", "12"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with a data set and its voxels."""
    folder = tmp_path_factory.mktemp("formats")
    with project(folder):
        run(*SAMPLE)
        run("preprocess", "--roi", "V1", "--out", "outputs/voxels")
        yield folder


@pytest.fixture
def work(made):
    """The same, put back afterwards."""
    names = ("params.yaml", "data/sample/dataset.yaml", "outputs/voxels/index.json")
    before = {made / name: (made / name).read_bytes() for name in names}
    yield made
    for path, content in before.items():
        path.write_bytes(content)
    shutil.rmtree(made / "data/sample/soft_labels", ignore_errors=True)


def fails(*arguments, code=1):
    said = run(*arguments, "--quiet", code=code)
    assert said.startswith("Error: ") and said.count("\n") == 1, said
    return said.removeprefix("Error: ").rstrip("\n")


def edit(name, change):
    content = json.loads(Path(name).read_text())
    change(content)
    Path(name).write_text(json.dumps(content))


def test_a_second_simulated_makes_no_recording_real(work):
    file = Path("data/sample/dataset.yaml")
    line = len(file.read_text().splitlines()) + 1
    file.write_text(file.read_text() + "simulated: false\n")
    assert fails("preprocess", "--out", "x") == (
        f"data/sample/dataset.yaml: line {line}: key 'simulated' stands twice"
    )


def test_what_says_how_it_was_simulated_is_simulated(work):
    file = Path("data/sample/dataset.yaml")
    file.write_text(file.read_text().replace("simulated: true", "simulated: false"))
    assert fails("preprocess", "--out", "x") == (
        "data/sample/dataset.yaml: top level: 'simulation' says how it was simulated, so "
        "'simulated' is true"
    )


def test_what_was_cut_from_simulated_recordings_stays_simulated(work):
    file = Path("data/sample/dataset.yaml")
    content = yaml.safe_load(file.read_text()) | {"simulated": False}
    del content["simulation"]
    file.write_text(yaml.safe_dump(content))
    said = run("decode", "--voxels", "outputs/voxels", "--out", "decoded")
    assert "sample (simulated)" in said
    assert json.loads(Path("decoded/metrics.json").read_text())["simulated"] is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("decode: {voxels: 3}\n", "line {}: key 'decode' stands twice"),
        ("x: &a [1]\ny: *a\n", "line {}: '*a' is a reference; write out what it means"),
        ("'[': 1\n", "unknown key '[' (there is dataset, preprocess, decode, "),
        ("no: 1\n", "line {}: a key is no text; put it in quotes"),
    ],
)
def test_settings_that_say_something_else(work, text, message):
    file = Path("params.yaml")
    lines = len(file.read_text().splitlines())
    at = lines + 1 + text.count("\n", 0, -1)
    file.write_text(file.read_text() + text)
    said = fails("preprocess", "--out", "x", code=2)
    assert said.startswith(f"params.yaml: {message.format(at)}")


@pytest.mark.parametrize(
    ("block", "key", "value", "message"),
    [
        ("distill", "temperature", 1e-320, "give 1e-30 or more (it is 1e-320)"),
        ("distill", "temperature", 1e308, "give no more than 1e30 (it is 1e+308)"),
        ("distill", "epochs", 10**18, "Input should be less than or equal to 1000000"),
        ("distill", "learning_rate", float("nan"), "Input should be a finite number (it is nan)"),
        ("decode", "voxels", -1, "Input should be greater than or equal to 1 (it is -1)"),
        ("decode", "ridge", {"penalty": [1] * 1001}, "List should have at most 1000 items"),
        ("compare", "family", ["semantic"], "name 'none' too: every verdict begins with hard "),
    ],
)  # fmt: skip
def test_numbers_that_nobody_means(work, block, key, value, message):
    content = yaml.safe_load(Path("params.yaml").read_text())
    content[block][key] = value
    Path("params.yaml").write_text(yaml.safe_dump(content))
    said = fails("preprocess", "--out", "x", code=2)
    assert said.startswith(f"params.yaml: {block}.{key}") and message in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("cells"), "cells: Field required"),
        (lambda content: content.update(cells=[]), "cells: List should have at least 1 item"),
        (lambda content: content.update(simulated="no"), "simulated: Input should be a valid bool"),
        (
            lambda content: content["cells"][0].update(subject="../x"),
            "cells.0.subject: '../x' may hold only letters, digits and '-'",
        ),
    ],
)
def test_an_index_of_another_shape(work, change, message):
    edit("outputs/voxels/index.json", change)
    said = fails("decode", "--voxels", "outputs/voxels", "--out", "x")
    assert said.startswith(f"outputs/voxels/index.json: {message}")
    assert said.endswith("; preprocess again")


def test_a_table_that_unpacks_without_end(work):
    Path("bomb.csv.gz").write_bytes(gzip.compress(b"image_id,a\n" + bytes(2**26)))
    said = fails("import-soft-labels", "bomb.csv.gz", "--kind", "people", "--decoder", "x")
    assert said == "bomb.csv.gz: is larger than 32 MiB, which no such file is"


@pytest.mark.parametrize("content", ["[]", '{"pid": "x"}', "[" * 5000, "3", "{", "null"])
def test_a_state_of_another_shape_is_no_memory(tmp_path, content):
    folder = OutputFolder(tmp_path / "out")
    with folder.locked():
        (tmp_path / "out/a.txt").write_text("a")
        folder.remember("a.txt", ["b"])
        assert folder.is_kept("a.txt", ["b"])
        for name in ("a.txt.json", "holder.json"):
            (folder.state / name).write_text(content)
        assert not folder.is_kept("a.txt", ["b"])
        with pytest.raises(Exception, match="is being written by another process; wait for it"):
            OutputFolder(tmp_path / "out").locked().__enter__()


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"precision": 3}', '{"precision": "float8"}', "["]
)
def test_a_precision_of_another_shape(tmp_path, content):
    (tmp_path / "precision.json").write_text(content)
    params = load_params(ROOT / "params.yaml")
    with pytest.raises(BrainTeacherError, match=r"precision\.json[: ]") as caught:
        settle(params, params.distill.recipe(), tmp_path, RunTime(device="cpu"), print)
    assert "\n" not in str(caught.value)


def test_a_category_may_be_called_like_half_a_formula(work):
    file = Path("data/sample/dataset.yaml")
    content = yaml.safe_load(file.read_text())
    content["categories"] = dict.fromkeys(content["categories"], r"$\frac{1$")
    file.write_text(yaml.safe_dump(content))
    run("decode", "--voxels", "outputs/voxels", "--out", "formula")
    assert Path("formula/figures/guesses.png").exists()
