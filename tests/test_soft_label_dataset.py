"""Soft labels beside the pictures of a torchvision folder, joined by id."""

import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms.v2.functional import pil_to_tensor

import brain_teacher
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.files import write_npz

PROBS = {"a_1": [0.7, 0.2, 0.1], "b_1": [0.1, 0.8, 0.1], "c_1": [0.3, 0.3, 0.4]}


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(PROBS):
        place = tmp_path / "pictures" / name[0] / f"{name}.png"
        place.parent.mkdir(parents=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(place)
    return ImageFolder(tmp_path / "pictures", transform=pil_to_tensor)


def labels(order=("c_1", "a_1", "b_1"), classes="abc"):
    columns = ["abc".index(name) for name in classes]
    log_probs = np.log([PROBS[name] for name in order]).astype(np.float32)[:, columns]
    fold = np.zeros(len(order), int)
    return SoftLabels(log_probs, np.array(order), np.array(list(classes)), fold, {"format": 1})


@pytest.mark.parametrize("classes", ["abc", "cab"])
def test_rows_and_columns_are_joined_by_id(folder, classes):
    dataset = brain_teacher.SoftLabelDataset(folder, labels(classes=classes))
    assert len(dataset) == 3
    for row, (picture, label, probs) in enumerate(dataset):
        assert (int(picture[0, 0, 0]), label) == (row, row)
        np.testing.assert_allclose(probs, list(PROBS.values())[row], atol=1e-6)
    assert dataset.probs.dtype == torch.float32


def test_a_file_and_a_loader_will_do(folder, tmp_path):
    write_npz(tmp_path / "S1_V1_logistic.npz", **labels().arrays())
    dataset = brain_teacher.SoftLabelDataset(folder, tmp_path / "S1_V1_logistic.npz", temperature=2)
    pictures, label, probs = next(iter(DataLoader(dataset, batch_size=3)))
    assert pictures.shape == (3, 3, 4, 4) and label.tolist() == [0, 1, 2]
    expected = np.sqrt(PROBS["a_1"]) / np.sqrt(PROBS["a_1"]).sum()
    np.testing.assert_allclose(probs[0], expected, atol=1e-6)


def test_pictures_without_soft_labels_are_an_error_or_dropped(folder):
    some = labels(order=("c_1", "a_1"))
    message = "1 of 3 images have no soft label, 'b_1' for one; missing='drop' leaves them out"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        brain_teacher.SoftLabelDataset(folder, some)
    dataset = brain_teacher.SoftLabelDataset(folder, some, missing="drop")
    assert dataset.image_id == ["a_1", "c_1"] and [item[1] for item in dataset] == [0, 2]
    none = SoftLabels(some.log_probs, np.array(["x", "y"]), some.class_id, some.fold)
    with pytest.raises(ValueError, match=r"^3 of 3 images have no soft label, 'a_1' for one$"):
        brain_teacher.SoftLabelDataset(folder, none, missing="drop")


def test_classes_must_be_the_same(folder):
    log_probs = np.log(np.full((3, 2), 0.5, np.float32))
    two = SoftLabels(log_probs, np.array(list(PROBS)), np.array(["a", "b"]), np.zeros(3, int))
    with pytest.raises(ValueError, match="^class 'c' is only among the pictures; subset=True "):
        brain_teacher.SoftLabelDataset(folder, two)


def test_a_subset_of_the_tables_classes_is_normalised_among_itself(tmp_path, folder):
    assert len(folder) == 3
    shutil.rmtree(tmp_path / "pictures" / "a")
    two = ImageFolder(tmp_path / "pictures", transform=pil_to_tensor)
    with pytest.raises(ValueError, match="^class 'a' is only among the soft labels; subset=True"):
        brain_teacher.SoftLabelDataset(two, labels())
    dataset = brain_teacher.SoftLabelDataset(two, labels(classes="cab"), subset=True)
    assert dataset.classes == ["b", "c"] and [label for _, label, _ in dataset] == [0, 1]
    expected = [[0.8 / 0.9, 0.1 / 0.9], [0.3 / 0.7, 0.4 / 0.7]]
    np.testing.assert_allclose(dataset.probs, expected, atol=1e-6)


def test_pictures_of_classes_that_the_table_lacks_are_left_out_of_a_subset(folder):
    log_probs = np.log(np.array([[0.6, 0.4], [0.3, 0.7]], np.float32))
    ids, classes = np.array(["a_1", "c_1"]), np.array(["a", "c"])
    two = SoftLabels(log_probs, ids, classes, np.zeros(2, int))
    dataset = brain_teacher.SoftLabelDataset(folder, two, subset=True)
    assert dataset.image_id == ["a_1", "c_1"] and [label for _, label, _ in dataset] == [0, 1]
    np.testing.assert_allclose(dataset.probs, [[0.6, 0.4], [0.3, 0.7]], atol=1e-6)
    other = SoftLabels(log_probs, ids, np.array(["x", "y"]), np.zeros(2, int))
    with pytest.raises(ValueError, match="^no class is among both"):
        brain_teacher.SoftLabelDataset(folder, other, subset=True)


@pytest.fixture
def flat(tmp_path):
    (tmp_path / "flat").mkdir()
    for number, name in enumerate(PROBS):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / "flat" / f"{name}.PNG")
    (tmp_path / "flat" / "notes.txt").write_text("no picture")
    return tmp_path / "flat"


def test_a_flat_folder_will_do(flat):
    dataset = brain_teacher.SoftLabelDataset(flat, labels(), transform=pil_to_tensor)
    assert dataset.image_id == list(PROBS) and dataset.classes == ["a", "b", "c"]
    np.testing.assert_allclose(dataset.probs, list(PROBS.values()), atol=1e-6)
    pictures, label, probs = next(iter(DataLoader(dataset, batch_size=3)))
    assert pictures[:, 0, 0, 0].tolist() == [0, 1, 2]
    # No hard label is known: it counts for nothing.
    loss = torch.nn.functional.cross_entropy(probs.log(), label, reduction="sum")
    assert loss == 0


def test_a_flat_folders_categories_are_given(flat):
    category = {"a_1": "a", "b_1": "b", "c_1": "b"}
    dataset = brain_teacher.SoftLabelDataset(flat, labels(), category=category)
    assert [label for _, label, _ in dataset] == [0, 1, 1] and dataset.probs.shape == (3, 3)
    some = brain_teacher.SoftLabelDataset(flat, labels(), category=category, subset=True)
    assert some.classes == ["a", "b"]
    np.testing.assert_allclose(some.probs[2], [0.5, 0.5], atol=1e-6)
    with pytest.raises(ValueError, match=r"^image 'c_1' has no category \(1 have none\)$"):
        brain_teacher.SoftLabelDataset(flat, labels(), category={"a_1": "a", "b_1": "b"})
    with pytest.raises(ValueError, match="^class 'z' is only among the pictures"):
        brain_teacher.SoftLabelDataset(flat, labels(), category=category | {"a_1": "z"})
    with pytest.raises(ValueError, match="^subset takes the category of each picture$"):
        brain_teacher.SoftLabelDataset(flat, labels(), subset=True)


def test_a_flat_folders_options_are_not_taken_and_ignored(folder, tmp_path):
    with pytest.raises(ValueError, match="^category and transform are a flat folder's"):
        brain_teacher.SoftLabelDataset(folder, labels(), category={"a_1": "a"})
    with pytest.raises(ValueError, match="holds no pictures itself"):
        brain_teacher.SoftLabelDataset(tmp_path / "pictures", labels())


def test_two_files_of_one_id_are_an_error(tmp_path):
    for place in ("a/x.png", "b/x.png"):
        (tmp_path / place).parent.mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / place)
    with pytest.raises(ValueError, match="^image 'x' has more than one file$"):
        brain_teacher.SoftLabelDataset(ImageFolder(tmp_path), labels())


def test_the_package_has_nothing_else_on_demand():
    with pytest.raises(AttributeError, match="has no attribute 'SoftLabelsDataset'"):
        _ = brain_teacher.SoftLabelsDataset
