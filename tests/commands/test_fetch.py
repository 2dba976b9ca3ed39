"""``fetch god`` from a local server: what comes is looked at, and nothing is lost."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from brain_teacher.cells.folder import OutputFolder
from brain_teacher.chain.params import load_params
from brain_teacher.dataset.bdata import write_bdata
from brain_teacher.dataset.ids import number_from_image_id
from brain_teacher.sources.recordings import god
from brain_teacher.sources.recordings.catalogue import SOURCES
from helpers.running import project, run
from helpers.serving import kill_once_larger, serving

ROOT = Path(__file__).parents[2]
NEXT = """\
next:
  the 1,200 shown pictures are ImageNet's: `brain-teacher images --data data/god --from \
IMAGENET_DIR` (without them: soft labels, but no students)
  brain-teacher use god
  dvc add data/god && dvc repro
"""


def labels():
    """GOD's label columns, in an order that is not that of the images."""
    rng = np.random.default_rng(0)
    training = [f"n{10**7 + c:08d}_{10 * i}" for c in range(150) for i in range(1, 9)]
    test = [f"n{2 * 10**7 + c:08d}_7" for c in range(50)]
    first, second = (np.array([number_from_image_id(name) for name in x]) for x in (training, test))
    order = [rng.permutation(first), np.tile(second, 35), np.repeat(np.floor(second), 10)]
    sizes = [len(each) for each in order]
    category = [np.unique(np.floor(each), return_inverse=True)[1] + 1 for each in order]
    return {
        "stimulus_id": np.concatenate(order),
        # Runs are counted anew in each data type.
        "Run": np.concatenate([1 + np.arange(n) // 50 for n in sizes]),
        "DataType": np.repeat([1, 2, 3], sizes),
        "category_index": np.concatenate(category),
    }


def rois():
    flags = {name: np.zeros(12, bool) for name in god.ROIS}
    for number, name in enumerate(god.ROIS):
        flags[name][number : number + 2] = True  # they overlap
    return flags | {"VC": np.ones(12, bool)}


def write(path, *, flags=None, **changes):
    columns = labels() | changes
    voxels = np.random.default_rng(1).standard_normal((len(columns["Run"]), 12))
    path.parent.mkdir(exist_ok=True, parents=True)
    write_bdata(path, voxels, rois=flags or rois(), labels=columns)
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder like a mirror's, with small files of GOD's layout."""
    folder = tmp_path_factory.mktemp("published")
    for number in (1, 2):
        write(folder / f"Subject{number}.h5")
    (folder / "ImageFeatures.h5").write_bytes(b"features")
    return folder


@pytest.fixture
def mirror(published, tmp_path):
    with project(tmp_path), serving(published) as server:
        yield server


def fetch(server, *options, code=0):
    return run("fetch", "god", "--base-url", server.url, *options, code=code)


def described():
    return yaml.safe_load(Path("data/god/dataset.yaml").read_text())


def test_files_come_and_become_a_data_set(mirror):
    said = fetch(mirror, "--subjects", "S1", "--features")
    facts = "S1: 1,200 training, 1,750 test, 500 imagery trials; VC 12 voxels\n"
    assert said == f"{god.TERMS}\n{facts}data/god: 1 subjects\n{NEXT}"
    content = described()
    assert content["subjects"] == {"S1": "bdata/Subject1.h5"} and content["roi"] == god.ROIS
    assert content["pictures"] is False and content["simulated"] is False
    assert Path("data/god/ImageFeatures.h5").read_bytes() == b"features"
    run("preprocess", "--params", str(ROOT / "params/god.yaml"), "--roi", "V1", "--out", "voxels")


def test_a_second_subject_is_added_and_the_first_is_not_asked_for_again(mirror):
    fetch(mirror, "--subjects", "S1")
    text = Path("data/god/dataset.yaml").read_text()
    Path("data/god/dataset.yaml").write_text(text.replace("name: god", "name: mine"))
    mirror.requests.clear()
    assert "data/god: 2 subjects\n" in fetch(mirror, "--subjects", "S1,S2,S1")
    assert [path for path, _ in mirror.requests] == ["/Subject2.h5"]
    content = described()
    assert list(content["subjects"]) == ["S1", "S2"] and content["name"] == "mine"
    assert not list(Path("data").rglob(".part-*")) and not list(Path("data").rglob("*.partial"))


def test_figshares_listing_gives_addresses_sizes_and_checksums(mirror, published, monkeypatch):
    files = [
        {
            "name": name,
            "download_url": f"{mirror.url}/{name}",
            "size": (published / name).stat().st_size,
            "supplied_md5": "",
            "computed_md5": hashlib.md5((published / name).read_bytes()).hexdigest(),
        }
        for name in ("Subject1.h5", "Subject2.h5")
    ]
    # All of them on one page: the article itself names ten at most.
    query = god.LISTING.removeprefix("https://api.figshare.com")
    assert query == "/v2/articles/7387130/files?page_size=1000"
    mirror.replace[query] = json.dumps(files).encode()
    monkeypatch.setattr(god, "LISTING", mirror.url + query)
    mirror.refuse = [(503, {"Retry-After": "9999"}), (502, {})]  # busy, and busy again
    run("fetch", "god", "--subjects", "S2")
    assert list(described()["subjects"]) == ["S2"] and not mirror.refuse
    said = run("fetch", "god", "--subjects", "S3", code=1)
    assert f"{mirror.url}{query} lists no file Subject3.h5 (it has Subject1.h5, " in said
    files[0]["computed_md5"] = "0" * 32
    mirror.replace[query] = json.dumps(files).encode()
    said = run("fetch", "god", "--subjects", "S1", code=1)
    assert f"not {'0' * 32}; it was thrown away; fetch again" in said
    for content in (b"<html>", b"3", b'{"message": "not found"}'):
        mirror.replace[query] = content
        said = run("fetch", "god", "--subjects", "S1", code=1)
        assert said.count("\n") == 5 and "figshare" in said.splitlines()[-1]


@pytest.mark.parametrize("status", [202, 403])
def test_where_the_website_turns_programs_away_the_api_is_asked(
    status, mirror, published, monkeypatch
):
    content = (published / "Subject1.h5").read_bytes()
    listed = {
        "id": 24080120,
        "name": "Subject1.h5",
        "download_url": f"{mirror.url}/ndownloader/files/24080120",
        "size": len(content),
        "computed_md5": hashlib.md5(content).hexdigest(),
    }
    mirror.replace["/v2/articles/7387130/files?page_size=1000"] = json.dumps([listed]).encode()
    address = "/v2/articles/7387130/files?page_size=1000"
    monkeypatch.setattr(god, "LISTING", mirror.url + address)
    # figshare sends programs on to where the file lies.
    mirror.redirect["/v2/file/download/24080120"] = "/Subject1.h5"
    mirror.turns_away["/ndownloader/files/24080120"] = status
    assert "S1: 1,200 training" in run("fetch", "god", "--subjects", "S1")
    assert Path("data/god/bdata/Subject1.h5").read_bytes() == content
    assert [path for path, _ in mirror.requests] == [
        address, "/ndownloader/files/24080120", "/v2/file/download/24080120", "/Subject1.h5",
    ]  # fmt: skip
    # Turned away there as well, it is one line with the remedy.
    Path("data/god/bdata/Subject1.h5").unlink()
    mirror.turns_away["/v2/file/download/24080120"] = status
    said = run("fetch", "god", "--subjects", "S1", "--quiet", code=1)
    assert said.startswith(f"Error: {mirror.url}/v2/file/download/24080120: the server answers ")
    assert said.endswith(
        "(A file put at data/god/bdata/Subject1.h5 by hand is verified and kept.)\n"
    )


def test_files_that_are_all_there_need_no_listing(mirror, published, monkeypatch):
    monkeypatch.setattr(god, "LISTING", "http://127.0.0.1:9/files")
    place = Path("data/god/bdata/Subject1.h5")
    place.parent.mkdir(parents=True)
    place.write_bytes((published / "Subject1.h5").read_bytes())  # by hand
    unread = (
        "http://127.0.0.1:9/files: figshare's listing cannot be read (the server cannot be "
        "reached, or hangs up); try later, give a mirror with --base-url, or download the files by "
        f"hand from {god.PAGE}, to bdata/Subject1.h5 and so on in the data set"
    )
    caution = f"caution: {unread}. What is there is checked against checksums.txt alone\n"
    assert caution in run("fetch", "god", "--subjects", "S1")
    assert list(described()["subjects"]) == ["S1"]
    assert run("fetch", "god", "--subjects", "S1,S2", code=1).endswith(f"\nError: {unread}\n")
    # What was recorded of it holds.
    place.write_bytes(b"damaged")
    said = run("fetch", "god", "--subjects", "S1", code=1)
    assert "Error: data/god/bdata/Subject1.h5 has SHA-256 " in said
    assert mirror.requests == []


def test_a_file_that_is_not_god_is_kept_and_all_its_faults_are_named(mirror, tmp_path):
    flags = rois() | {"V1": np.zeros(12, bool)}
    del flags["PPA"]
    flags["VC"][0] = False
    path = write(tmp_path / "odd.h5", flags=flags | {"LVC": np.eye(12, dtype=bool)[0]})
    facts, problems, _ = god.examine(path)
    assert facts.endswith("VC 11 voxels")
    assert problems == [
        "has no voxels of ROI V1",
        "has no voxels of ROI PPA",
        "1 voxels of LVC are not in VC",
    ]
    mirror.replace["/Subject1.h5"] = path.read_bytes()
    said = fetch(mirror, "--subjects", "S1", code=1)
    again = "(a file that is removed is fetched again)"
    assert f"Error: what came to data/god is not as published {again}:\n" in said
    assert said.count("\n  data/god/bdata/Subject1.h5: ") == 3
    assert not Path("data/god/dataset.yaml").exists() and Path("data/god/bdata").is_dir()
    # Removed, the right file takes its place, though another was recorded.
    Path("data/god/bdata/Subject1.h5").unlink()
    del mirror.replace["/Subject1.h5"]
    fetch(mirror, "--subjects", "S1")


def test_ids_that_lost_their_digits_are_seen(tmp_path):
    # float32 leaves the category, and of the image nothing.
    lost = np.float32(labels()["stimulus_id"]).astype(float)
    _, problems, _ = god.examine(write(tmp_path / "a.h5", stimulus_id=lost))
    assert problems == ["stimulus_id has the precision of float32: which image it was is lost"]


def test_a_file_of_imagery_alone_has_lost_no_digits(tmp_path):
    imagined = np.full(3450, 3)
    _, problems, _ = god.examine(write(tmp_path / "a.h5", DataType=imagined))
    assert problems[0] == "0 training trials, not 1,200"


def test_one_writer_a_folder(mirror):
    with OutputFolder("data/god").locked():
        said = fetch(mirror, "--subjects", "S1", code=1)
    assert f"Error: data/god is being written by process {os.getpid()} (since " in said
    assert mirror.requests == []


def test_every_connection_drops(mirror, published):
    size = (published / "Subject1.h5").stat().st_size
    mirror.drop_after = size * 2 // 3
    fetch(mirror, "--subjects", "S1")
    (_, first), (_, second) = mirror.requests
    begin = int(second.removeprefix("bytes=").removesuffix("-"))
    # Of what had come, next to nothing comes again.
    assert first is None and mirror.drop_after - 2**14 <= begin <= mirror.drop_after
    whole = (published / "Subject1.h5").read_bytes()
    assert Path("data/god/bdata/Subject1.h5").read_bytes() == whole


def test_trials_that_are_missing_or_shown_twice_are_seen(tmp_path):
    numbers = labels()["stimulus_id"]
    numbers[0] = numbers[1]
    _, problems, _ = god.examine(write(tmp_path / "a.h5", stimulus_id=numbers))
    assert problems[0] == "1,199 training images, not 1,200"
    kinds = labels()["DataType"]
    kinds[0] = 2
    _, problems, _ = god.examine(write(tmp_path / "b.h5", DataType=kinds))
    assert problems[0] == "1,199 training trials, not 1,200"
    assert any(text.endswith("is among training and test images") for text in problems)


def test_a_category_number_that_contradicts_the_ids_is_said_and_not_used(tmp_path):
    old = labels()["category_index"].copy()
    old[:1200] = np.roll(old[:1200], 1)
    _, problems, cautions = god.examine(write(tmp_path / "a.h5", category_index=old))
    assert problems == [] and "before figshare's version 5" in cautions[0]
    assert god.examine(write(tmp_path / "b.h5"))[2] == []


def test_the_layout_of_2016_is_recognised(tmp_path):
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        file.move("dataset", "dataSet")
        file.move("metadata", "metaData")
    _, problems, cautions = god.examine(path)
    message = "has the layout of 2016 (dataSet, metaData)"
    assert (problems, cautions) == ([], [message])


@pytest.mark.parametrize("size", god.VERSIONS)
def test_the_two_versions_are_told_apart(size, tmp_path):
    flags = {name: np.zeros(size, bool) for name in god.ROIS}
    for mask in flags.values():
        mask[0] = True
    flags["VC"][:] = True
    columns = labels()
    voxels = np.zeros((len(columns["Run"]), size))
    write_bdata(tmp_path / "a.h5", voxels, rois=flags, labels=columns)
    facts, problems, _ = god.examine(tmp_path / "a.h5")
    assert facts.endswith(f"VC {size:,} voxels (as the {god.VERSIONS[size]} version of subject 1)")
    assert problems == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["gods"],
            f"there is no 'gods'; did you mean 'god'? (known: {', '.join(SOURCES)})",
        ),
        (
            ["god", "--subjects", "S6"],
            "--subjects: there is no 'S6'; did you mean 'S5'? (known: S1, S2, S3, S4, S5)",
        ),
        (["haxby-slice", "--features"], "--subjects and --features are for god"),
        (
            ["god", "--base-url", "mirror.example/god"],
            "--base-url: 'mirror.example/god' is no address; give one that begins with http:// or "
            "https://",
        ),
    ],
)
def test_usage(arguments, message, tmp_path):
    with project(tmp_path):
        assert run("fetch", *arguments, code=2) == f"Error: {message}\n"


def test_killed_and_typed_again_it_goes_on(published, tmp_path):
    with serving(published) as server:
        server.slow = 0.05
        # Larger than the real one, so that there is time.
        server.replace["/Subject1.h5"] = content = os.urandom(2**22)
        command = [sys.executable, "-m", "brain_teacher", "fetch", "god", "--base-url", server.url]
        process = subprocess.Popen(
            [*command, "--subjects", "S1", "--out", str(tmp_path / "god")],
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        partial = tmp_path / "god" / "bdata" / ".Subject1.h5.partial"
        come = kill_once_larger(process, partial, 2**20)
        server.slow = 0.0
        said = run(
            *("fetch", "god", "--base-url", server.url, "--subjects", "S1", "--quiet"),
            *("--out", str(tmp_path / "god")),
            code=1,
        )
        assert "is not HDF5" in said  # random bytes, but all of them
        assert (tmp_path / "god" / "bdata" / "Subject1.h5").read_bytes() == content
        assert server.requests[-1] == ("/Subject1.h5", f"bytes={come}-")


def test_the_page_on_god_works_as_written(mirror, tmp_path):
    """Its first commands as printed, but for addresses; what is there to be fetched is small."""
    import re
    import shlex

    from PIL import Image

    page = (ROOT / "docs" / "god.md").read_text("utf-8")
    first = re.search(r"^```\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)[1]
    tree = tmp_path / "imagenet"
    ids = [f"n{10**7 + c:08d}_{k}" for c in range(150) for k in (*range(10, 81, 10), *range(1, 10))]
    for image_id in ids:
        place = tree / image_id.split("_")[0] / f"{image_id}.JPEG"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(place)
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "god.yaml").write_bytes((ROOT / "params" / "god.yaml").read_bytes())
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for command in (
        [*git, "init", "-q"],
        [*git, "add", "params.yaml"],
        [*git, "commit", "-qm", "the sample's"],
        [sys.executable, "-m", "dvc", "init", "-q"],
    ):
        subprocess.run(command, check=True)
    said = ""
    for printed in first.splitlines():
        line = printed.replace("/data/imagenet/train", str(tree)).replace("/srv/dvc", str(tmp_path))
        program, *arguments = shlex.split(line)
        if program == "dvc":
            subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True)
            continue
        if arguments[0] == "fetch":
            arguments += ["--base-url", mirror.url, "--subjects", "S1"]
        said += run(*arguments)
    assert "images: 1,200 of 1,200 shown (0 missing), 1,350 unseen of 150 categories" in said
    assert "data/god: nothing is wrong" in said
    assert "params.yaml is now that of god" in said
    assert load_params("params.yaml") == load_params("params/god.yaml")
