"""CIFAR-10H from a local server: pictures without any recording, taught by people's choices."""

import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.reading.text import read_json
from brain_teacher.sources.recordings import cifar10h
from brain_teacher.sources.recordings.cifar10h import ARCHIVE, CLASSES, COUNTS, RECORD
from helpers.cifar import publish
from helpers.pages import quick_presets, run_page
from helpers.real_data import DATA, needs
from helpers.running import ROOT, project, run
from helpers.serving import serving
from ninety_two import measure
from people import as_table

pytestmark = pytest.mark.skipif(not (DATA / "cifar10h").is_dir(), reason="no real choices")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    return folder, *publish(folder)


@pytest.fixture
def work(tmp_path):
    with project(tmp_path):
        yield tmp_path


def test_pictures_and_choices_become_a_data_set_that_teaches(published, work):
    folder, choices, images = published
    with serving(folder) as server:
        said = run("fetch", "cifar10h", "--base-url", server.url)
    assert "data/cifar10h: cifar10h, pictures and a table that teaches" in said
    assert "preprocess" not in said and "CC BY-NC-SA" in said
    table = read_soft_labels("data/cifar10h/soft_labels/people_choices_choices.npz")
    right = choices[list(CLASSES)].to_numpy()
    assert table.kind == "people" and table.class_id.tolist() == list(CLASSES)
    np.testing.assert_allclose(np.exp(table.log_probs), right / right.sum(1)[:, None], atol=1e-6)
    stimuli = pd.read_csv("data/cifar10h/stimuli.csv")
    assert stimuli["category"].tolist() == images.category[choices.index].tolist()
    # The picture of a row is its own: a file that was made with another order would differ.
    with tarfile.open(DATA / "cifar10h" / "pictures.tar") as tar:
        name = choices.index[7]
        pixels = np.asarray(Image.open(io.BytesIO(tar.extractfile(f"shown/{name}.jpg").read())))
    made = np.asarray(Image.open(f"data/cifar10h/images/shown/{stimuli['image_id'][7]}.png"))
    np.testing.assert_array_equal(made, pixels)
    assert len(list(Path("data/cifar10h/images/unseen").rglob("*.png"))) == 1300
    said = run("check", "data/cifar10h", "--params", str(ROOT / "params/cifar10h.yaml"))
    assert "nothing is wrong" in said and "no recordings: a table of others teaches" in said
    said = run("preprocess", "--params", str(ROOT / "params/cifar10h.yaml"), code=1)
    assert "has no recordings, only pictures" in said


def test_some_pictures_of_each_category_are_taken_whatever_their_order(published, work):
    folder, _, _ = published
    run("fetch", "cifar10h-400", "--from", str(folder))
    first = pd.read_csv("data/cifar10h-400/stimuli.csv")
    assert first["category"].value_counts().tolist() == [40] * 10
    rows, labels = [f"test{n:05d}" for n in range(60)], np.arange(60) % 10
    assert len(cifar10h._first(rows, labels, 3)) == 30


def test_the_page_works_as_printed_to_a_verdict_that_says_people(published, work):
    folder, _, _ = published
    teachers = ["none", "smooth-matched", "brain"]
    quick_presets(distill={"teacher": teachers}, compare={"family": teachers[:2]})
    with serving(folder) as server:
        given = {"fetch": ("--base-url", server.url)}
        said = run_page("people.md", given, only="cifar10h")
    assert [words.split()[0] for words in said] == ["fetch", "distill", "compare", "plan"]
    # What `fetch` says next is what the page prints.
    for words in list(said)[1:3]:
        assert f"  brain-teacher {words}\n" in said["fetch cifar10h-400"]
    assert "980 test images" in " ".join(list(said.values())[-1].split())
    place = Path("runs/cifar10h-400/comparison")
    metrics = read_json(place / "metrics.json")
    assert {each["teacher"] for each in metrics["students"]} == set(teachers)
    text = (place / "tables/comparison.md").read_text()
    assert "| people" in text and "(real data)" in text and "Not brains" in text
    assert as_table(metrics).splitlines()[-1].startswith("| people ")


@pytest.mark.full
@needs("behaviour92")
@needs("cichy92")
def test_the_page_on_92_pictures_works_as_printed(work):
    raw = work / "raw"
    raw.mkdir()
    for name in ("kriegeskorte92", "cichy92", "behaviour92"):
        for file in (DATA / name).iterdir():
            (raw / file.name).symlink_to(file)
    shutil.copytree(ROOT / "params", "params")
    with serving(raw) as server:
        run_page("people.md", {"fetch": ("--base-url", server.url)}, only="92")
    hits = {
        label: (found["mean"], decoded) for label, (found, decoded, _) in measure("runs").items()
    }
    print(hits)
    # Neighbours: the references of the data's README.
    assert [found for found, _ in hits.values()] == [83, 70, 59, 19]
    people, cichy, kriegeskorte, early = (decoded for _, decoded in hits.values())
    assert people > 80 and cichy > 60 and kriegeskorte > 50 and early < 35


def counts_of_others(folder):
    np.save(folder / COUNTS, np.ones((399, 10)))


def pickled(folder):
    np.save(folder / COUNTS, np.array([{}], dtype=object), allow_pickle=True)


def cut(folder):
    path = folder / ARCHIVE
    path.write_bytes(path.read_bytes()[:5000])


def other_archive(folder):
    with tarfile.open(folder / ARCHIVE, "w:gz") as tar:
        info = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        info.size = RECORD + 5
        tar.addfile(info, io.BytesIO(bytes(info.size)))


def without(folder):
    with tarfile.open(folder / ARCHIVE, "w:gz"):
        pass


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(counts_of_others, "cifar10h-counts.npy is of shape (399, 10), not (400, 10)"),
     (pickled, "is no .npy or .npz of numbers"),
     (cut, "cifar-10-binary.tar.gz cannot be unpacked"),
     (other_archive, "test_batch.bin has 3,078 bytes, not a multiple of 3073"),
     (without, "has not one test_batch.bin")],
)  # fmt: skip
def test_what_does_not_fit_is_named(published, work, spoil, message):
    shutil.copytree(published[0], work / "raw")
    spoil(work / "raw")
    said = run("fetch", "cifar10h", "--from", "raw", code=1)
    assert message in said and "unexpected" not in said
    assert not Path("data/cifar10h").exists()


def test_pictures_and_their_labels_are_a_data_set_without_recordings(work):
    for name in ("a", "b", "c", "d"):
        place = Path("shown") / f"{name}.png"
        place.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (ord(name), 0, 0)).save(place)
    table = pd.DataFrame({"image_id": list("abcd"), "category": ["x", "x", "y", "y"]})
    table.to_csv("images.csv", index=False)
    said = run("new-dataset", "data/mine", "--images", "shown", "--labels", "images.csv")
    assert "data/mine: pictures alone" in said
    assert pd.read_csv("data/mine/stimuli.csv")["category"].tolist() == ["x", "x", "y", "y"]
    said = run("new-dataset", "data/other", "--labels", "images.csv", code=2)
    assert "--labels needs --images" in said
    pd.concat([table, table]).to_csv("twice.csv", index=False)
    said = run("new-dataset", "data/other", "--images", "shown", "--labels", "twice.csv", code=1)
    assert "row 6: image_id stands in an earlier row too" in said
