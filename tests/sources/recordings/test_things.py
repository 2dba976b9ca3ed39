"""THINGS-fMRI: small files of the published layout, through to soft labels."""

import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest

from brain_teacher.dataset.trials import read_voxels
from brain_teacher.reading.text import read_json
from brain_teacher.sources.recordings import things
from helpers.pages import quick_presets, run_page
from helpers.running import project, run
from helpers.serving import serving

CONCEPTS, SESSIONS = ["ape", "bell", "cup", "dog"], (1, 2)
N_VOXELS = 12


def trials(seed):
    """Six training pictures of each concept in two sessions; a test picture in both."""
    order = np.random.default_rng(seed).permutation(
        [f"{c}_{n:02d}s" for c in CONCEPTS for n in range(6)]
    )
    rows = []
    for number, name in enumerate(order):
        rows.append(("train", 1 + number // 12, 1 + number % 12 // 4, name))
    rows += [("test", 1, 1, "cup_14s"), ("test", 2, 3, "cup_14s")]
    table = pd.DataFrame(rows, columns=["trial_type", "session", "run", "stimulus"])
    table["concept"] = table["stimulus"].str.split("_").str[0]
    table["stimulus"] += ".jpg"
    table.insert(3, "subject_id", 1)
    table.insert(4, "trial_id", np.arange(len(table)))
    return table


def responses(table, seed):
    """(voxels, trials): each voxel answers to its own concept."""
    rng = np.random.default_rng(seed)
    tuned = [CONCEPTS[voxel % 4] for voxel in range(N_VOXELS)]
    answer = np.array([[concept == own for concept in table["concept"]] for own in tuned])
    return 1.0 * answer + 0.5 * rng.standard_normal(answer.shape)


def write_table(path, values, *, ids, names="text", key="ResponseData"):
    """As pandas writes a frame in its fixed format: checked against PyTables 3.10, pandas 2.3."""
    count = values.shape[1]
    with h5py.File(path, "w") as file:
        group = file.create_group(key)
        group.attrs["nblocks"] = 2
        group["axis1"] = np.arange(len(values))
        group["block0_values"], group["block1_values"] = values, np.array(ids)[:, None]
        if names == "text":
            columns = [str(n).encode() for n in range(count)]
            group["axis0"] = np.array([b"voxel_id", *columns])
            group["block0_items"], group["block1_items"] = (
                np.array(columns),
                np.array([b"voxel_id"]),
            )
        else:  # pickled by pandas: bytes that are never opened
            for name in ("axis0", "block0_items", "block1_items"):
                pickled = group.create_dataset(name, (1,), h5py.vlen_dtype(np.uint8))
                pickled[0] = np.frombuffer(b"cos\nsystem\n(S'false'\ntR.", np.uint8)


def write_subject(folder, number, *, names="text", ids=None, **columns):
    table = trials(int(number))
    ids = np.arange(N_VOXELS)[::-1] if ids is None else ids
    masks = pd.DataFrame({"voxel_id": np.arange(N_VOXELS), "nc_testset": 0.5})
    masks["V1"] = (masks["voxel_id"] < 5).astype(int)
    masks["lLOC"] = masks["voxel_id"].between(4, 7).astype(int)
    masks["rLOC"] = masks["voxel_id"].between(8, 9).astype(int)
    masks["glasser-A1"] = 1
    values = responses(table, int(number))
    write_table(folder / f"sub-{number}_ResponseData.h5", values[ids], ids=ids, names=names)
    table.assign(**columns).to_csv(folder / f"sub-{number}_StimulusMetadata.csv", index=False)
    masks.to_csv(folder / f"sub-{number}_VoxelMetadata.csv", index=False)


def pack(folder, archive):
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(folder.iterdir()):
            packed.write(file, f"betas_csv/{file.name}")


@pytest.fixture
def published(tmp_path):
    """A folder with the files of three subjects, unpacked; the working folder is a project."""
    folder = tmp_path / "files"
    folder.mkdir()
    for number, names in zip(things.SUBJECTS, ("text", "pickled", "text"), strict=True):
        write_subject(folder, number, names=names)
    (tmp_path / "work").mkdir()
    with project(tmp_path / "work"):
        yield folder


def test_the_archive_becomes_voxels_joined_by_their_ids_and_soft_labels(published, tmp_path):
    (tmp_path / "mirror").mkdir()
    pack(published, tmp_path / "mirror" / things.ARCHIVE)
    quick_presets(decode={"normalise": "fold"})
    # docs/things.md as printed.
    with serving(tmp_path / "mirror") as server:
        said = run_page("things.md", {"fetch": ("--base-url", server.url)}, without="cneuromod")
    assert "data/things: things, 3 subjects, ROIs V1, LOC" in said["fetch things"]
    assert not list((tmp_path / "work").rglob(".sub-*"))
    for number in things.SUBJECTS:
        table = trials(int(number))
        for roi, wanted in (("V1", range(5)), ("LOC", range(4, 10))):
            voxels, _ = read_voxels(f"runs/things/voxels/sub-{number}_{roi}.npz")
            right = responses(table, int(number))[list(wanted)].T.astype(np.float32)
            np.testing.assert_array_equal(voxels.data, right)
            assert voxels.image_id.tolist() == [name[:-4] for name in table["stimulus"]]
            assert voxels.category.tolist() == table["concept"].tolist()
            # Runs of two sessions are never one.
            pairs = set(zip(table["session"], table["run"], voxels.run.tolist(), strict=True))
            assert len(pairs) == len(set(voxels.run)) == 6
    cells = read_json("runs/things/soft_labels/metrics.json")["cells"]
    tops = [cell["top1"] for cell in cells if cell["roi"] == "LOC"]
    assert len(tops) >= 3 and min(tops) > 0.7 and cells[0]["chance"] == pytest.approx(0.25)


def wrong_trial(folder):
    write_subject(folder, "02", trial_id=np.arange(1, 27))


def wrong_order(folder):
    write_subject(folder, "02", names="pickled", trial_id=np.arange(3, 29))


def no_voxel(folder):
    write_subject(folder, "02", ids=np.arange(3, N_VOXELS))


def other_format(folder):
    with h5py.File(folder / "sub-02_ResponseData.h5", "w") as file:
        file.create_group("ResponseData")["table"] = np.zeros(3)


def cut(folder):
    path = folder / "sub-02_ResponseData.h5"
    path.write_bytes(path.read_bytes()[:900])


def no_text(folder):
    (folder / "sub-02_VoxelMetadata.csv").write_bytes(b"\xff\xfe\x00")


def two_concepts(folder):
    write_subject(folder, "02", concept="spoon")


def half_a_run(folder):
    write_subject(folder, "02", run=1.5)


def missing(folder):
    (folder / "sub-02_VoxelMetadata.csv").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(wrong_trial, "sub-02: no response to trial '26'"),
     (wrong_order, "sub-02: no response to trial '26'"),
     (no_voxel, "sub-02_ResponseData.h5: has no voxel 0"),
     (other_format, "sub-02_ResponseData.h5: is of pandas' table format; fetch it again"),
     (cut, "sub-02_ResponseData.h5: cannot be read as HDF5 of the published layout"),
     (no_text, "sub-02_VoxelMetadata.csv: byte 0 is not UTF-8"),
     (two_concepts, "shows two concepts"),
     (half_a_run, "sub-02_StimulusMetadata.csv: row 2: session or run is no whole number"),
     (missing, "has neither sub-02_VoxelMetadata.csv nor betas_csv.zip")],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_what_does_not_fit_is_named(published, spoil, message):
    spoil(published)
    said = run("fetch", "things", "--from", str(published), code=1)
    assert message in said and "unexpected" not in said
    assert not (published.parent / "work/data/things").exists()


def test_a_broken_archive_and_a_folder_that_is_not_there_are_named(published, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / things.ARCHIVE).write_bytes(b"PK\3\4 not a zip")
    said = run("fetch", "things", "--from", str(tmp_path / "other"), code=1)
    assert "betas_csv.zip cannot be unpacked" in said
    assert "is no folder" in run("fetch", "things", "--from", "nowhere", code=2)
    said = run("fetch", "god", "--from", "files", code=2)
    assert "--from is not for god" in said


def test_responses_are_read_in_pieces(published, monkeypatch):
    whole = things.read_responses(published / "sub-01_ResponseData.h5", [7, 0, 11])
    monkeypatch.setattr(things, "SLAB", 1)
    pieces = things.read_responses(published / "sub-01_ResponseData.h5", [7, 0, 11])
    assert whole[0] == pieces[0]
    np.testing.assert_array_equal(whole[1], pieces[1])
