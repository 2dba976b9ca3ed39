"""Deeprecon: small files of the published layout, through to soft labels and students."""

from dataclasses import replace
from hashlib import md5
from pathlib import Path

import bdpy
import numpy as np
import pytest
from PIL import Image

from brain_teacher.chain.params import load_params
from brain_teacher.dataset.trials import TEST, TRAINING, read_voxels
from brain_teacher.reading.text import read_json
from brain_teacher.sources.recordings import deeprecon
from helpers.pages import quick_presets, run_page
from helpers.running import ROOT, project, run
from helpers.serving import serving

SYNSETS = ("n01443537", "n01518878", "n02106662", "n02773838")
SHOWN = [f"{synset}_{10 * k}" for synset in SYNSETS for k in range(1, 6)]
TESTED = ["n01621127_19020", "n01677366_18182"]
REPEATS = {TRAINING: 5, TEST: 3}
# Overlapping, and a tenth voxel that no ROI has.
ROIS = {"HVC": range(4, 9), "VC": range(9)}
N_VOXELS = 10


def order(subject, kind):
    """The pictures of a file, each run all of them once."""
    rng = np.random.default_rng([deeprecon.SUBJECTS.index(subject), kind])
    names = SHOWN if kind == TRAINING else TESTED
    return np.concatenate([rng.permutation(names) for _ in range(REPEATS[kind])])


def answers(subject, kind):
    """(trials, voxels): a voxel answers to its own category."""
    names = order(subject, kind)
    synset = [name.split("_")[0] for name in names]
    tuned = [SYNSETS[voxel % 4] for voxel in range(N_VOXELS)]
    noise = np.random.default_rng(len(names)).standard_normal((len(names), N_VOXELS))
    return 1.0 * np.equal.outer(synset, tuned) + 0.4 * noise


def write(folder, subject, kind, *, names=None, rois=ROIS, ending="", **labels):
    """A file as bdpy writes it: pictures by a value map, whose codes differ between the files."""
    values = answers(subject, kind)
    names = order(subject, kind) if names is None else names
    bdata = bdpy.BData()
    bdata.add(values, "VoxelData")
    for roi, voxels in rois.items():
        flags = np.isin(np.arange(N_VOXELS), list(voxels)).astype(float)
        bdata.add_metadata(f"ROI_{roi}", flags, where="VoxelData")
    n_images = len(names) // REPEATS[kind]
    columns = {"Session": np.ones(len(names)), "Run": 1 + np.arange(len(names)) // n_images}
    for key, column in (columns | labels).items():
        bdata.add(np.broadcast_to(column, len(names)).astype(float)[:, None], key)
    codes = {name: float(k) for k, name in enumerate(sorted(set(names)), start=1)}
    bdata.add(np.array([codes[name] for name in names])[:, None], "stimulus_name")
    bdata.add_vmap("stimulus_name", {code: f"{name}{ending}" for name, code in codes.items()})
    bdata.save(str(folder / deeprecon.file_name(subject, kind)))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    for number, subject in enumerate(deeprecon.SUBJECTS):
        for kind in (TRAINING, TEST):
            write(folder, subject, kind, ending=".JPEG" * (number == 1))
    return folder


@pytest.fixture
def work(tmp_path, published, monkeypatch):
    """A project folder; the checksums are those of the small files."""
    files = [
        replace(file, md5=md5((published / file.path).read_bytes()).hexdigest())
        for file in deeprecon.FILES
    ]
    recording = replace(deeprecon.RECORDING, files=tuple(files))
    monkeypatch.setattr(deeprecon, "RECORDING", recording)
    with project(tmp_path):
        yield tmp_path


def test_the_files_are_those_of_the_authors_list():
    names = {file.path: file for file in deeprecon.FILES}
    assert len(names) == 6
    file = names["sub-03_ImageNetTest_fmriprep_volume_native.h5"]
    assert file.url.endswith("/37849986") and file.md5 == "b7ee993435fc9b27ca507d988bdc98e9"
    assert len({file.url for file in names.values()} | {f.md5 for f in names.values()}) == 12


@pytest.mark.full
def test_the_page_works_as_printed(work, published):
    for synset in SYNSETS:
        for k in range(1, 12):
            place = Path("imagenet") / synset / f"{synset}_{10 * k}.JPEG"
            place.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(k).integers(0, 255, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(place)
    quick_presets(distill={"teacher": ["none", "brain"]}, compare={"family": ["none"]})
    with serving(published) as server:
        said = run_page("deeprecon.md", {"fetch": ("--base-url", server.url)})
    (fetched,) = (text for words, text in said.items() if words.startswith("fetch"))
    assert "data/deeprecon: deeprecon, 3 subjects, ROIs HVC, VC" in fetched
    assert "do not pool them" in fetched
    # What it says next is what the page prints.
    next_ones = fetched.split("next:\n")[1].replace("brain-teacher ", "").splitlines()
    assert [line.strip().replace("IMAGENET_DIR", "imagenet") for line in next_ones] == [
        words for words in said if not words.startswith(("fetch", "check"))
    ]
    for subject in deeprecon.SUBJECTS:
        voxels, _ = read_voxels(f"runs/deeprecon/voxels/{subject}_HVC.npz")
        shown = np.concatenate([order(subject, kind) for kind in (TRAINING, TEST)])
        assert voxels.image_id.tolist() == shown.tolist()
        assert voxels.category.tolist() == [name.split("_")[0] for name in shown]
        right = np.concatenate([answers(subject, kind)[:, 4:9] for kind in (TRAINING, TEST)])
        np.testing.assert_array_equal(voxels.data, right.astype(np.float32))
        assert np.bincount(voxels.data_type).tolist() == [0, 100, 6]
    cells = read_json("runs/deeprecon/soft_labels/metrics.json")["cells"]
    tops = [cell["top1"] for cell in cells if cell["roi"] == "HVC"]
    # All repetitions of a picture are left out together, and one row is made of them.
    assert cells[0]["images"] == 20 and min(tops) > 0.6
    assert Path("runs/deeprecon/comparison/tables/comparison.md").is_file()


def test_a_file_that_is_not_the_published_one_is_thrown_away(tmp_path, published):
    with project(tmp_path), serving(published) as server:
        said = run("fetch", "deeprecon", "--base-url", server.url, code=1)
    assert "has MD5" in said and "it was thrown away; fetch again" in said


def missing(folder):
    (folder / deeprecon.file_name("sub-02", TEST)).unlink()


def of_training(folder):
    write(folder, "sub-02", TEST, names=np.array(SHOWN[:6]))


def letters(folder):
    write(folder, "sub-02", TEST, names=np.repeat(["alphabet_e", "alphabet_n"], 3))


def other_kind(folder):
    write(folder, "sub-02", TEST, DataType=1)


def other_voxels(folder):
    write(folder, "sub-02", TEST, rois=ROIS | {"HVC": range(3, 8)})


def no_roi(folder):
    write(folder, "sub-02", TRAINING, rois={"A1": range(3)})


def cut(folder):
    path = folder / deeprecon.file_name("sub-02", TRAINING)
    path.write_bytes(path.read_bytes()[:900])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(missing, "has no file sub-02_ImageNetTest_fmriprep_volume_native.h5"),
     (of_training, "sub-02: n01443537 is among training and test images"),
     (letters, "image 'alphabet_e' is not called by GOD's rule"),
     (other_kind, "row 0: DataType is 1, not 2"),
     (other_voxels, "have not the same voxels and ROIs"),
     (no_roi, "sub-02_ImageNetTraining_fmriprep_volume_native.h5: has none of the ROIs V1, V2"),
     (cut, "sub-02_ImageNetTraining_fmriprep_volume_native.h5: ")],
)  # fmt: skip
def test_what_does_not_fit_is_named(work, published, spoil, message):
    raw = work / "raw"
    raw.mkdir()
    for file in published.iterdir():
        (raw / file.name).write_bytes(file.read_bytes())
    spoil(raw)
    said = run("fetch", "deeprecon", "--from", "raw", code=1)
    assert message in said and "unexpected" not in said and said.count("\n") <= 10
    assert not Path("data/deeprecon").exists()


def test_the_settings_are_gods():
    own, gods = (load_params(ROOT / "params" / f"{name}.yaml") for name in ("deeprecon", "god"))
    assert own.distill == gods.distill and own.decode == gods.decode
