"""Files in formats that we read, as anybody may have broken them: a value, or one line why not.

What is broken is drawn; each reader gets its share in the plain run, ten times as much with ``-m
full``. A traceback, an "unexpected", or ten seconds without an answer is a failure.
"""

import csv
import io
import json
import shutil
import signal
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brain_teacher.chain.params import load_params
from brain_teacher.chain.provenance import dvc_hash
from brain_teacher.chain.students.evidence import read_evidence
from brain_teacher.chain.voxels import Index
from brain_teacher.cli import main
from brain_teacher.dataset.description import read_description
from brain_teacher.dataset.stimuli import read_stimuli
from brain_teacher.dataset.trials import read_voxels
from brain_teacher.decoding.soft_labels import SoftLabels, read_soft_labels
from brain_teacher.distillation.students import read_student
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import write_npz
from brain_teacher.reading.text import read_record
from brain_teacher.sources.formats.own_arrays import read_arrays
from brain_teacher.sources.formats.soft_label_tables import read_table, to_soft_labels
from helpers.answers import make_answers, write_answers
from helpers.running import ROOT, project, run


def examples(plain):
    """So many in the plain run, ten times as many beside it."""
    more = pytest.param(10 * plain, marks=pytest.mark.full)
    return pytest.mark.parametrize("examples", [plain, more])


def hold(examples, test, *drawn):
    """Run a test on so many drawn inputs."""
    quiet = settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    quiet(given(*drawn)(test))()


@contextmanager
def answered(*refusals):
    """What is inside answers within ten seconds, by a value or one of these errors in a line."""

    def late(*_):
        pytest.fail("no answer within ten seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    try:
        yield
    except refusals as error:
        assert str(error) and "\n" not in str(error), repr(error)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# What is put where something else stood.
WORDS = st.sampled_from([
    "", "a", "sample", "S1", "../x", "/etc/passwd", "true", "no", "1e-320", "nan", "\x1b[31m",
    "a\nb", "a\0b", "ä", "日本", "'", '"', "[", "{", "&a", "*a", "!!python/none", "<<", "%",
    "$\\frac{1$", "{5}", "=1+1", "x" * 5000, "2026-99-99", "0x_", "1:2:3", "-", "---", "~",
])  # fmt: skip
NUMBERS = st.sampled_from([
    0, 1, -1, 2, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"), True,
])  # fmt: skip
SCALARS = WORDS | NUMBERS | st.none()
DEEP = st.integers(1, 3000).map(lambda depth: "[" * depth)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def places(content, before=()):
    """Every place in nested blocks and lists."""
    yield before
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in pairs if isinstance(content, dict | list) else ():
        if isinstance(value, dict | list):
            yield from places(value, (*before, key))
        else:
            yield (*before, key)


def changed(content, place, value, *, add=None):
    """A copy with another value at a place, and perhaps one more key beside it."""
    if not place:
        return value
    content = json.loads(json.dumps(content))
    block = content
    for key in place[:-1]:
        block = block[key]
    block[place[-1]] = value
    if add is not None and isinstance(block, dict):
        block[add] = value
    return content


def broken(content, write):
    """Texts of a content with something else at some place; or cut, or with bytes put in."""
    whole = write(content).encode()
    edits = st.builds(
        lambda place, value, add: write(changed(content, place, value, add=add)).encode(),
        st.sampled_from(list(places(content))), VALUES, st.none() | WORDS,
    )  # fmt: skip
    cuts = st.integers(0, len(whole)).map(lambda at: whole[:at])
    inserts = st.builds(
        lambda at, text: whole[:at] + text + whole[at:],
        st.integers(0, len(whole)),
        st.binary(max_size=4) | WORDS.map(str.encode) | DEEP.map(str.encode),
    )
    lines = whole.splitlines(keepends=True)
    twice = st.sampled_from(lines).map(lambda line: whole + line)
    return edits | cuts | inserts | twice


def as_json(content):
    return json.dumps(content, indent=1)


def as_yaml(content):
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


# YAML

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
DESCRIPTION = {
    "name": "tiny", "simulated": True, "subjects": {"S1": "bdata/S1.h5"}, "roi": ["V1", "HVC"],
    "categories": {"n01": "cat"}, "superclasses": {"n01": "animal"}, "source": "made up",
    "simulation": {"snr": [0.4, 0.3], "seed": 1, "order": "own"},
}  # fmt: skip
LOCK = {
    "schema": "2.0",
    "stages": {"decode": {"cmd": "x", "outs": [{"path": "outputs/x", "md5": "ab", "size": 3}]}},
}


@examples(150)
def test_settings(examples, tmp_path):
    def test(content):
        (tmp_path / "params.yaml").write_bytes(content)
        with answered(BrainTeacherError):
            load_params(tmp_path / "params.yaml")

    hold(examples, test, broken(PARAMS, as_yaml))


@examples(80)
def test_descriptions(examples, tmp_path):
    def test(content):
        (tmp_path / "dataset.yaml").write_bytes(content)
        with answered(ValueError):
            assert read_description(tmp_path).subjects

    hold(examples, test, broken(DESCRIPTION, as_yaml))


@examples(50)
def test_locks(examples, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def test(content):
        Path("dvc.lock").write_bytes(content)
        with answered(BrainTeacherError):
            assert isinstance(dvc_hash("outputs/x"), str | None)

    hold(examples, test, broken(LOCK, as_yaml))


# JSON

INDEX = {
    "dataset": "tiny", "simulated": True,
    "cells": [{"subject": "S1", "roi": "V1", "trials": 8, "voxels": 3}],
}  # fmt: skip
EVIDENCE = {
    "verdict": "cannot tell", "sentences": ["Cannot tell."], "exploratory": False, "diverged": [],
    "plan": "ab", "compare": {"outcome": "nll", "family": ["none"], "margin": 1, "knows": "words"},
    "students": [{"teacher": "brain", "seed": 0, "validation": 0.5, "test": None}],
    "differences": [
        {"a": "brain", "b": "none", "mean": 0.1, "low": 0, "high": 1, "p_corrected": 0.1}
    ],
}  # fmt: skip


@examples(60)
def test_indices(examples, tmp_path):
    def test(content):
        (tmp_path / "index.json").write_bytes(content)
        with answered(BrainTeacherError):
            for cell in read_record(tmp_path / "index.json", Index, remedy="again").cells:
                assert "/" not in cell.subject + cell.roi

    hold(examples, test, broken(INDEX, as_json))


@examples(60)
def test_comparisons(examples, tmp_path):
    def test(content):
        (tmp_path / "metrics.json").write_bytes(content)
        with answered(BrainTeacherError):
            assert isinstance(read_evidence(tmp_path)["differences"][0]["low"], int | float)

    hold(examples, test, broken(EVIDENCE, as_json))


# Arrays

ODD = [
    np.array("a"), np.array(3), np.zeros(0), np.zeros((0, 3)), np.zeros((2, 0)),
    np.zeros((2, 3, 1)), np.array(["a", "b"]), np.array(["a", "a"]), np.array([["a"]]),
    np.array([b"a", b"b"]), np.array(["", ""]), np.array(["a\0b", "\x1b[31m"]), np.array([1, 2]),
    np.array([1.5, np.nan]), np.array([1 + 2j, 0]), np.array([True, False]),
    np.array([(1, 2)], dtype=[("a", "i4"), ("b", "f8")]), np.array(["2026-01-01"], dtype="M8[D]"),
    np.array([2**63, 1], dtype=np.uint64), np.full((2, 2), -1e308), np.full((2, 3), np.inf),
    np.zeros((2, 3), dtype=">f8"), np.array([0xD800, 97], np.uint32).view("<U1"),
]  # fmt: skip
METAS = VALUES.map(lambda value: np.array(json.dumps(value)))


def members(file):
    with zipfile.ZipFile(file) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def as_member(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def packed(content):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return stream.getvalue()


def broken_npz(file):
    """An archive with another array, another meta, other bytes."""
    whole, content = file.read_bytes(), members(file)
    names = st.sampled_from([*content, "votes.npy", "more.npy", "group_x.npy"])
    meta = json.loads(str(np.load(file)["meta"]))
    arrays = st.sampled_from(ODD) | METAS
    edits = st.builds(lambda name, array: packed(content | {name: as_member(array)}), names, arrays)
    metas = st.builds(
        lambda place, value: packed(
            content | {"meta.npy": as_member(np.array(json.dumps(changed(meta, place, value))))}
        ),
        st.sampled_from(list(places(meta))),
        VALUES,
    )
    less = st.sampled_from(list(content)).map(
        lambda name: packed({key: value for key, value in content.items() if key != name})
    )
    return edits | metas | less | flipped(whole)


def flipped(whole):
    """Bytes cut off, or some exchanged."""
    cuts = st.integers(0, len(whole)).map(lambda at: whole[:at])
    flips = st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(1, 255)), max_size=4)

    def flip(changes):
        content = bytearray(whole)
        for at, bits in changes:
            content[at] ^= bits
        return bytes(content)

    return cuts | flips.map(flip)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file of each kind, whole."""
    folder = tmp_path_factory.mktemp("made")
    labels = SoftLabels(
        np.log(np.float32([[0.5, 0.5], [0.25, 0.75]])), np.array(["a", "b"]), np.array(["x", "y"]),
        np.zeros(2, np.int16), {"format": 1, "dataset": "tiny", "simulated": True, "prior": 1.0},
        np.array([3.0, 4.0]),
    )  # fmt: skip
    write_npz(folder / "labels.npz", **labels.arrays())
    shutil.copy(
        write_answers(folder, make_answers("brain", 0, images=4, classes=2)) / "student.npz", folder
    )
    ids, numbers = np.array(["a", "b"]), np.array([1, 2], np.int32)
    meta = np.array(json.dumps({"format": 1, "dataset": "tiny", "simulated": True}))
    columns = {"run": numbers, "data_type": np.ones(2, np.int8), "position": numbers}
    voxels = {"data": np.ones((2, 3), np.float32), "image_id": ids, "category": ids, **columns}
    write_npz(folder / "voxels.npz", **voxels, group_style=ids, meta=meta)
    table = {"probs": np.exp(labels.log_probs), "image_id": ids, "class_id": labels.class_id}
    write_npz(folder / "table.npz", **table, meta=np.array("{}"))
    return folder


@examples(80)
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("labels", lambda file: read_soft_labels(file).softened(2.0)),
        ("student", lambda file: [read_student(file).nll(split) for split in ("test",)]),
        ("voxels", lambda file: read_voxels(file)[0].take([0])),
        ("voxels", read_arrays),
        ("table", lambda file: to_soft_labels(read_table(file)[0], values="counts", meta={})),
    ],
)
def test_arrays(examples, made, tmp_path, name, read):
    def test(content):
        (tmp_path / "x.npz").write_bytes(content)
        with answered(ValueError), np.errstate(all="ignore"):
            read(tmp_path / "x.npz")

    hold(examples, test, broken_npz(made / f"{name}.npz"))


# CSV and Parquet

ROWS = [["image_id", "cat", "dog"], ["a", "0.25", "0.75"], ["b", "1", "0"], ["c", "0.5", "0.5"]]
CELLS = WORDS | NUMBERS.map(str)


def as_csv(rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def broken_csv(rows):
    """A table with another cell, row or encoding; or cut, or with bytes put in."""
    whole = as_csv(rows).encode()
    row = st.integers(0, len(rows) - 1)
    cells = st.builds(
        lambda at, place, cell: as_csv(
            [*rows[:at], [*rows[at][:place], cell, *rows[at][place + 1 :]], *rows[at + 1 :]]
        ).encode(),
        row, st.integers(0, len(rows[0])), CELLS,
    )  # fmt: skip
    lines = st.builds(
        lambda at, line: as_csv([*rows[:at], line, *rows[at:]]).encode(),
        row,
        st.lists(CELLS, max_size=5),
    )
    codes = st.sampled_from(["utf-16", "utf-16-le", "utf-32", "utf-7", "utf-8-sig"])
    inserts = st.builds(
        lambda at, text: whole[:at] + text + whole[at:],
        st.integers(0, len(whole)),
        st.binary(max_size=3) | st.sampled_from([b'"', b"\r", b"\n\n", b"," * 30_000, b"\0"]),
    )
    return cells | lines | inserts | flipped(whole) | codes.map(whole.decode().encode)


@examples(100)
def test_tables(examples, tmp_path):
    def test(content):
        (tmp_path / "t.csv").write_bytes(content)
        with answered(ValueError), np.errstate(all="ignore"):
            table, _ = read_table(tmp_path / "t.csv")
            to_soft_labels(table, values="probabilities", meta={}).sorted()

    hold(examples, test, broken_csv(ROWS))


@examples(50)
def test_stimuli(examples, tmp_path):
    rows = [
        ["stimulus_id", "image_id", "category", "style"],
        ["1", "a", "x", "s"],
        ["2", "b", "y", "t"],
    ]

    def test(content):
        (tmp_path / "stimuli.csv").write_bytes(content)
        with answered(ValueError):
            read_stimuli(tmp_path)

    hold(examples, test, broken_csv(rows))


@examples(40)
def test_parquet(examples, made, tmp_path):
    read_table(made / "table.npz")[0].rename_axis("image_id").to_parquet(tmp_path / "t.parquet")

    def test(content):
        (tmp_path / "x.parquet").write_bytes(content)
        with answered(ValueError), np.errstate(all="ignore"):
            table, _ = read_table(tmp_path / "x.parquet")
            to_soft_labels(table, values="probabilities", meta={})

    hold(examples, test, flipped((tmp_path / "t.parquet").read_bytes()))


# The command line


@pytest.fixture(scope="module")
def work(tmp_path_factory, made):
    """A project with a data set, soft labels and students that nobody had to train."""
    folder = tmp_path_factory.mktemp("work")

    def change(content):
        content["dataset"]["name"] = "tiny"
        content["compare"]["family"] = ["none"]

    with project(folder, change):
        run(
            *("simulate", "--out", "data/tiny", "--subjects", "1", "--categories", "2"),
            *("--shown", "2", "--unseen", "4", "--voxels", "20", "--image-size", "12"),
        )
        (folder / "data/tiny/stimuli.csv").write_text("stimulus_id,image_id,category\n1,a,b\n")
        shown = sorted(path.stem for path in (folder / "data/tiny/images/shown").iterdir())
        rows = [["image_id", "n99000001", "n99000002"], *([image, "0.5", "0.5"] for image in shown)]
        (folder / "choices.csv").write_text(as_csv(rows))
        shutil.copy(made / "labels.npz", folder)
        for seed in (0, 1):
            for teacher in ("brain", "none"):
                write_answers(folder / "students", make_answers(teacher, seed, images=8, classes=2))
        (folder / "index.json").write_text(as_json(INDEX))
        (folder / "metrics.json").write_text(as_json(EVIDENCE))
        (folder / "dvc.lock").write_text(as_yaml(LOCK))
        yield folder


# A file, and the command that reads it.
READ_BY = {
    "params.yaml": ("check", "data/tiny"),
    "data/tiny/dataset.yaml": ("check", "data/tiny"),
    "data/tiny/stimuli.csv": ("check", "data/tiny"),
    "choices.csv": (
        *("import-soft-labels", "choices.csv", "--kind", "people", "--decoder", "x"),
        *("--values", "counts"),
    ),
    "labels.npz": ("export", "labels.npz", "--out", "out.csv"),
    "students/brain_0/student.npz": (
        *("promote", "--dry-run", "--students", "students", "--comparison", "."),
    ),
    "metrics.json": ("promote", "--dry-run", "--students", "students", "--comparison", "."),
    "index.json": ("decode", "--voxels", ".", "--out", "out"),
    "dvc.lock": ("promote", "--dry-run", "--students", "students", "--comparison", "."),
}


def broken_file(path):
    if path.suffix == ".npz":
        return broken_npz(path)
    if path.suffix == ".csv":
        return broken_csv(list(csv.reader(io.StringIO(path.read_text()))))
    content = yaml.safe_load(path.read_text())  # which JSON is, too
    return broken(content, as_json if path.suffix == ".json" else as_yaml)


@examples(30)
@pytest.mark.parametrize("file", READ_BY)
def test_commands(examples, work, file):
    path = work / file
    whole = path.read_bytes()

    def test(content):
        path.write_bytes(content)
        with answered():
            result = CliRunner().invoke(main, READ_BY[file])
        assert result.exit_code in (0, 1, 2), result.output
        for word in ("(unexpected; ", "Traceback"):
            assert word not in result.output, result.output
        if result.exit_code and "problem" not in result.output:
            assert result.output.startswith(("Error: ", "Usage: ")), result.output

    try:
        hold(examples, test, broken_file(path))
    finally:
        path.write_bytes(whole)
