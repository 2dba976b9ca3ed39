"""Whatever a machine, a server and a name can be: no hang, no byte outside, no word of others.

Each property is tried on a few examples, and on ten times as many with ``-m full``.
"""

import os
import socket
import string
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brain_teacher.cells.folder import OutputFolder
from brain_teacher.cli import main
from brain_teacher.dataset.description import Description, read_description
from brain_teacher.dataset.formulas import quoted, unquoted
from brain_teacher.decoding.soft_labels import FORMAT, SoftLabels
from brain_teacher.errors import one_line, plain
from brain_teacher.files import atomic_write, write_npz
from brain_teacher.sources.formats.soft_label_tables import read_table, write_table
from brain_teacher.sources.recordings import god
from brain_teacher.sources.transport import listing, transfer
from brain_teacher.sources.transport.download import download
from brain_teacher.sources.transport.transfer import DownloadError, RemoteFile
from helpers.running import ROOT
from helpers.serving import answering

PARAMS = ["--params", str(ROOT / "params.yaml")]
# urllib3 leaves the socket of a length that it refuses to be collected, whenever that is.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
# Any text, and what steers: surrogates are file names that are not UTF-8.
NAMES = st.text(st.characters(codec=None), max_size=12) | st.text(
    st.sampled_from("=+-@'\t\r\n\x1b\x07\x9b\u202e\udcff./ab"), max_size=8
)


def holds(few, **strategies):
    """A property of drawn values, in a folder of its own: of `few`, or of ten times as many."""

    def made(check):
        many = pytest.param(10 * few, marks=pytest.mark.full)

        @pytest.mark.parametrize("examples", [few, many])
        def test(examples, tmp_path, monkeypatch):
            @settings(max_examples=examples, deadline=None, suppress_health_check=[*HealthCheck])
            @given(**strategies)
            def once(**drawn):
                check(tmp_path, **drawn)

            monkeypatch.setattr(transfer, "TRIES", 2)
            monkeypatch.setattr(transfer, "PATIENCE", 2.0)
            monkeypatch.setattr(transfer, "MOST_WAIT", 0.01)
            once()

        return test

    return made


def is_shown_as_a_line(text):
    return "unexpected" not in text and "Traceback" not in text and text == plain(text)


# Servers

LINE = st.binary(max_size=30) | st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK", b"HTTP/1.1 206 Partial", b"HTTP/1.1 302 Found", b"HTTP/1.1 416 No"),
        *(b"HTTP/1.1 503 Busy", b"HTTP/9.9 999 \x1b[2J", b"HTTP/1.1 -1 x", b"HTTP/1.1 204 None"),
    ]
)
HEADER = st.tuples(
    st.sampled_from(
        [
            *(b"Content-Length", b"Content-Range", b"ETag", b"Location", b"Retry-After", b"X"),
            *(b"Last-Modified", b"Transfer-Encoding", b"Content-Encoding"),
        ]
    ),
    st.binary(max_size=12)
    | st.sampled_from(
        [
            *(b"5", b"-1", b"9" * 5000, b"1, 2", b"0", b"NaN", b'"a"', b"gzip", b"chunked"),
            *(b"bytes 0-4/5", b"bytes 3-1/x", b"http://[", b"//", b"/", b"file:///x", b"data:,x"),
            *(b"Fri, 31 Dec 9999 23:59:59 GMT", b"Mon, 99 Foo 0 99:99:99 XXX"),
            "\u0663".encode(),
        ]
    ),
)


def answer_of(line, headers, body):
    head = b"".join(b"\r\n" + name + b": " + value for name, value in headers)
    return line + head + b"\r\n\r\n" + body


ANSWER = st.binary(max_size=200) | st.builds(
    answer_of, LINE, st.lists(HEADER, max_size=4), st.binary(max_size=50)
)


@holds(40, answers=st.lists(ANSWER, min_size=1, max_size=3))
def test_a_server_may_say_anything(folder, answers):
    with answering(answers[0]) as server:
        for answer in answers:
            server.answer = answer
            try:
                (path,) = download(
                    [RemoteFile("in/a", f"{server.url}/a")], folder / "here", quiet=True, wait=0.001
                )
                assert path.read_bytes() in answer or b"chunked" in answer
                path.unlink()
            except DownloadError as error:
                assert is_shown_as_a_line(one_line(str(error))) and len(str(error)) < 600
            for left in (folder / "here").glob("checksums.txt"):
                left.unlink()
    assert [path.name for path in folder.iterdir()] == ["here"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | NAMES,
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "download_url", "size", "supplied_md5", "computed_md5"]), each
        )
    ),
    max_leaves=12,
)


@holds(60, content=JSON)
def test_a_listing_may_hold_anything(folder, content):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(god, "read_listing", lambda _: content)
        with pytest.raises(DownloadError) as caught:
            god.list_files(subjects=["S1"])
    assert is_shown_as_a_line(one_line(str(caught.value)))


@holds(20, answer=ANSWER)
def test_a_listing_may_come_as_anything(folder, answer):
    with pytest.MonkeyPatch.context() as patch, answering(answer) as server:
        patch.setattr(listing, "PATIENCE", 2.0)
        patch.setattr(listing, "WAIT", 0.001)
        try:
            listing.read_listing(server.url)
        except DownloadError as error:
            assert is_shown_as_a_line(one_line(str(error)))


# Names


@holds(200, name=NAMES)
def test_a_recording_is_below_the_folder_or_refused(folder, name):
    try:
        described = Description(name="a", simulated=False, subjects={"S1": name}, roi=["V1"])
        described.write(folder)
        file = read_description(folder).subjects["S1"]
    except ValueError:
        return
    assert os.path.realpath(folder / file).startswith(f"{folder}")


@holds(200, text=NAMES)
def test_what_is_shown_steers_nothing(folder, text):
    assert all(each.isprintable() or each in "\n\t" for each in plain(text))
    plain(text).encode("utf-8")
    assert all(line.startswith("  ") for line in one_line(text).split("\n")[1:])
    assert plain(plain(text)) == plain(text)


@holds(300, name=NAMES)
def test_a_quoted_name_comes_back_and_is_no_formula(folder, name):
    assert unquoted(quoted(name)) == name
    assert not quoted(name).startswith(tuple("=+-@\t\r\n"))


IDS = st.lists(
    st.text(string.printable + "é=\uff1d'\u202e", min_size=1, max_size=6), min_size=2, max_size=4,
    unique=True,
)  # fmt: skip


@holds(40, images=IDS, classes=IDS)
def test_any_table_is_exported_and_read_again_or_refused(folder, images, classes):
    log_probs = np.full((len(images), len(classes)), -np.log(len(classes)), np.float32)
    names = np.array(images), np.array(classes)
    fold = np.zeros(len(images), int)
    for format in ("csv", "npy"):
        try:
            labels = SoftLabels(log_probs, *names, fold)
            path, *lists = write_table(folder / f"t.{format}", labels, format=format)
            given = dict(zip(("image_ids", "class_ids"), lists, strict=True)) if lists else {}
            table, _ = read_table(path, **given)
        except ValueError as error:
            assert is_shown_as_a_line(one_line(str(error)))
            continue
        assert table.index.tolist() == images and table.columns.tolist() == classes


# Folders

TREE = st.dictionaries(
    st.from_regex(r"([a-c]/)?[a-d]\.(npz|png)", fullmatch=True), st.booleans(), max_size=8
)


@holds(60, tree=TREE, keep=st.sets(st.sampled_from(["a.npz", "a/a.npz", "b/b.png"])))
def test_a_stage_removes_what_it_wrote_and_nothing_else(folder, tree, keep):
    output = OutputFolder(Path(folder, str(len(list(folder.iterdir())))))
    for name, ours in tree.items():
        (output.path / name).parent.mkdir(parents=True, exist_ok=True)
        (output.path / name).touch()
        if ours:
            output.remember(name, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_STAGE", "decode")
        output.prune(keep, ["../x", "/etc/hostname", "a"])
    left = {path.relative_to(output.path).as_posix() for path in output.path.rglob("*.*")}
    assert left == {name for name, ours in tree.items() if not ours or name in keep}


@holds(60, mask=st.integers(0, 0o077), name=st.sampled_from(["a", "a.json", "ä.npz"]))
def test_no_file_has_more_modes_than_the_umask_leaves(folder, mask, name):
    before = os.umask(mask)
    try:
        with atomic_write(folder / name) as temporary:
            temporary.write_text("x")
    finally:
        os.umask(before)
    assert (folder / name).stat().st_mode & 0o777 == 0o666 & ~mask


# What a path may be

KINDS = ["pipe", "socket", "device", "full", "folder", "nowhere", "circle", "missing", "empty"]


def make(path, kind):
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's name is short
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
        os.chdir(here)
    elif kind in ("device", "full", "nowhere", "circle"):
        to = {"device": "/dev/zero", "full": "/dev/full", "nowhere": "none", "circle": path}[kind]
        path.symlink_to(to)
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a small data set that lacks its recording."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none/mlflow.db")
    Path("data/tiny").mkdir(parents=True)
    text = "name: tiny\nsimulated: false\nsubjects: {S1: S1.h5}\nroi: [V1]\npictures: false\n"
    Path("data/tiny/dataset.yaml").write_text(text)
    meta = {"format": FORMAT, "kind": "model", "dataset": "tiny"}
    labels = SoftLabels(np.log([[0.5, 0.5]]), *map(np.array, (["a"], ["x", "y"], [0])), meta)
    write_npz("table.npz", **labels.arrays())
    return tmp_path


DATA = [*PARAMS, "--data", "data/tiny"]
CALLS = {
    "data/tiny/dataset.yaml": ["check", "data/tiny", *PARAMS],
    "data/tiny/S1.h5": ["preprocess", *DATA],
    "data/tiny/stimuli.csv": ["check", "data/tiny", *PARAMS],
    "voxels/index.json": ["decode", *DATA, "--voxels", "voxels"],
    "students/a/student.npz": ["compare", *PARAMS, "--students", "students"],
    "comparison/metrics.json": ["promote", *PARAMS, "--comparison", "comparison"],
    "mine.npz": ["export", "mine.npz"],
    "mine.csv": ["import-soft-labels", "mine.csv", *DATA, "--kind", "people", "--decoder", "x"],
    "params.yaml": ["plan"],
    "out.csv": ["export", "table.npz", "--out", "out.csv"],
    "S1.npy": ["new-dataset", "new", "--voxels", "S1=S1.npy", "--trials", "S1=table.npz"],
    "out": ["preprocess", *DATA, "--out", "out"],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", CALLS)
def test_any_kind_of_thing_where_a_file_is_expected_is_a_line(place, kind, project):
    path = Path(place)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    make(project / path, kind)
    result = CliRunner().invoke(main, CALLS[place])
    assert "unexpected" not in result.output and "Traceback" not in result.output
    # A data set may lack the one, and a command writes the other.
    may_be = place in ("data/tiny/stimuli.csv", "out.csv")
    assert result.exit_code in ((0, 1, 2) if may_be else (1, 2)), result.output


@pytest.mark.parametrize("name", [b"\xff", b"a\nb", b"\x1b[2J", b"-x", b" ", b"'$(touch owned)'"])
def test_any_file_name_is_a_line(name, project):
    path = Path(os.fsdecode(name))
    path.write_bytes(b"x")
    folder = Path("data", os.fsdecode(b"set" + name))
    folder.mkdir()
    calls = ["export", "--", path], ["check", *PARAMS, "--", folder], ["plan", "--params", path]
    for call in calls:
        said = CliRunner().invoke(main, list(map(str, call)))
        assert said.exit_code in (1, 2) and is_shown_as_a_line(said.output)
    assert not Path("owned").exists()
