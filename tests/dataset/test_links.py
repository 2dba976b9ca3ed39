"""Links among pictures: what lies elsewhere is read only where a person says so."""

import re

import pytest
from PIL import Image

from brain_teacher.dataset.images import find_shown, find_unseen


@pytest.fixture
def folder(tmp_path):
    """A data set with a picture of its own, beside a person's own picture."""
    for name in ("mine/images/shown/a.png", "mine/images/unseen/cat/b.png", "private/p.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(path)
    return tmp_path / "mine"


def refused(folder, name, target, *, count=1):
    message = (
        f"images/{name} is a link out of the data set, to {target} ({count} are so); copy the "
        "pictures, or name their folder in the environment's BRAIN_TEACHER_LINKS"
    )
    find = find_shown if name.startswith("shown") else find_unseen
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        find(folder)


def test_a_picture_elsewhere_is_refused(folder):
    target = folder.parent / "private" / "p.png"
    (folder / "images/shown/c.png").symlink_to(target)
    (folder / "images/shown/d.png").symlink_to("../../../private/p.png")
    refused(folder, "shown/c.png", target, count=2)
    assert set(find_unseen(folder)["image_id"]) == {"b"}


def test_a_folder_elsewhere_is_refused_though_empty(folder):
    # `images` would write there.
    (folder.parent / "empty").mkdir()
    (folder / "images/unseen/dog").symlink_to(folder.parent / "empty")
    refused(folder, "unseen/dog", folder.parent / "empty")


def test_who_names_the_folder_may_link_to_it(folder, monkeypatch):
    (folder / "images/shown/c.png").symlink_to(folder.parent / "private" / "p.png")
    monkeypatch.setenv("BRAIN_TEACHER_LINKS", f"/nowhere:{folder.parent / 'private'}")
    assert set(find_shown(folder)) == {"a", "c"}


def test_links_inside_and_a_linked_root_are_followed(folder):
    (folder / "images/shown/c.png").symlink_to("../unseen/cat/b.png")
    (folder / "images").rename(folder.parent / "pictures")
    (folder / "images").symlink_to(folder.parent / "pictures")
    assert set(find_shown(folder)) == {"a", "c"}
    (folder.parent / "other").symlink_to(folder)
    assert set(find_shown(folder.parent / "other")) == {"a", "c"}


def test_links_into_dvcs_cache_are_followed(folder):
    cached = folder.parent / ".dvc/cache/files/md5/0a" / ("1" * 30)
    cached.parent.mkdir(parents=True)
    (folder / "images/shown/a.png").rename(cached)
    (folder / "images/shown/a.png").symlink_to(cached)
    assert set(find_shown(folder)) == {"a"}
