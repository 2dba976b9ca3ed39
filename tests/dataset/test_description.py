"""dataset.yaml: what is right, and what is wrong with the rest."""

import re

import pytest

from brain_teacher.dataset.description import Description, read_description

GOOD = """\
name: tiny
simulated: false
subjects: {S1: bdata/S1.h5}
roi: [V1, HVC]
"""


def read(folder, text):
    (folder / "dataset.yaml").write_text(text, encoding="utf-8")
    return read_description(folder)


def fails(folder, text, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read(folder, text)


def test_the_four_needed_keys_are_enough(tmp_path):
    description = read(tmp_path, GOOD)
    assert description == Description(
        name="tiny", simulated=False, subjects={"S1": "bdata/S1.h5"}, roi=["V1", "HVC"]
    )
    assert description.pictures and description.categories == {} and description.source == ""


def test_what_was_written_is_read(tmp_path):
    description = Description(
        name="tiny-2",
        simulated=True,
        subjects={"S2": "b.h5", "S1": "a.h5"},
        roi=["HVC", "V1"],
        categories={"n01": "poisson rouge", "n02": "Käuzchen"},
        superclasses={"n01": "animal"},
        pictures=False,
        source="made up",
        simulation={"snr": 0.4, "seed": 3, "ratios": [1.0, 0.75]},
    )
    description.write(tmp_path)
    again = read_description(tmp_path)
    assert again == description
    assert list(again.subjects) == ["S2", "S1"]  # the order is a person's


def test_it_cannot_be_changed_once_read(tmp_path):
    with pytest.raises(ValueError, match="frozen"):
        read(tmp_path, GOOD).simulated = True


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_description(tmp_path)


def test_an_unknown_key_is_named(tmp_path):
    fails(tmp_path, GOOD + "rois: [V1]\n", "rois: Extra inputs are not permitted")


@pytest.mark.parametrize("key", ["name", "simulated", "subjects", "roi"])
def test_a_missing_key_is_named(tmp_path, key):
    lines = [line for line in GOOD.splitlines() if not line.startswith(key)]
    fails(tmp_path, "\n".join(lines), f"{key}: Field required")


@pytest.mark.parametrize("name", ["my data", "tiny_2", "../tiny", "''"])
def test_a_name_that_cannot_be_part_of_a_file_name_is_refused(tmp_path, name):
    text = GOOD.replace("name: tiny", f"name: {name}")
    shown = repr(name.strip("'"))
    fails(tmp_path, text, f"name: {shown} may hold only letters, digits and '-'")


def test_names_of_subjects_and_rois_become_file_names_too(tmp_path):
    rest = "may hold only letters, digits and '-'"
    fails(tmp_path, GOOD.replace("S1:", "sub_1:"), f"subjects: 'sub_1' {rest}")
    fails(tmp_path, GOOD.replace("HVC", "ROI_HVC"), f"roi: 'ROI_HVC' {rest}")


def test_there_must_be_subjects_and_rois(tmp_path):
    alone = GOOD.replace("{S1: bdata/S1.h5}", "{}")
    fails(tmp_path, alone, "top level: subjects is empty")
    fails(tmp_path, GOOD.replace("[V1, HVC]", "[]"), "top level: roi is empty")
    alone = alone.replace("[V1, HVC]", "[]")
    fails(
        tmp_path,
        f"{alone}pictures: false\n",
        "top level: subjects is empty, and there are no pictures",
    )
    (tmp_path / "dataset.yaml").write_text(alone)
    assert read_description(tmp_path).subjects == {}


def test_a_roi_that_stands_twice_is_refused(tmp_path):
    fails(tmp_path, GOOD.replace("HVC", "V1"), "roi: a name stands twice")


def test_a_value_of_the_wrong_kind_is_named_with_its_place(tmp_path):
    fails(
        tmp_path,
        GOOD.replace("{S1: bdata/S1.h5}", "{S1: [a, b]}"),
        "subjects.S1: Input should be a valid string",
    )


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "tiny"])
def test_a_file_without_keys_is_refused(tmp_path, text):
    with pytest.raises(ValueError, match=r"^top level: Input should be a valid dictionary .+$"):
        read(tmp_path, text)


def test_what_is_not_yaml_is_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"^is not YAML: .+line 1.+$") as caught:
        read(tmp_path, "name: [tiny\nroi: }")
    assert "\n" not in str(caught.value)


def test_yaml_makes_no_objects(tmp_path):
    with pytest.raises(ValueError, match=r"^line \d: tag '.+' is not read; put text in quotes$"):
        read(tmp_path, GOOD + "source: !!python/object/apply:os.getcwd []\n")


@pytest.mark.parametrize("file", ["/etc/passwd", "../S1.h5", "bdata/../../S1.h5", "a\\0b"])
def test_a_recording_lies_below_the_folder(file, tmp_path):
    text = GOOD.replace("bdata/S1.h5", f'"{file}"')
    said = f"{file.encode().decode('unicode_escape')!r} leads out of the data set"
    fails(tmp_path, text, f"subjects.S1: {said}; name a file below its folder")


@pytest.mark.parametrize("name", ["dataset.yaml", "bdata", "bdata/S1.h5"])
def test_no_link_leads_out_of_the_folder(name, tmp_path):
    folder, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    for place in (folder, elsewhere):
        (place / "bdata").mkdir(parents=True)
        (place / "bdata" / "S1.h5").touch()
        (place / "dataset.yaml").write_text(GOOD)
    (folder / name).rename(folder / "before")
    (folder / name).symlink_to(elsewhere / name)
    place = folder / ("bdata/S1.h5" if name == "bdata" else name)
    said = f"{place} is a link that leads out of the data set; put a copy in its place"
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        read_description(folder)


def test_links_within_the_folder_to_dvcs_cache_and_to_the_folder_itself_are_followed(tmp_path):
    folder = tmp_path / "mine"
    cached = tmp_path / ".dvc/cache/files/md5/ab" / ("c" * 30)
    cached.parent.mkdir(parents=True)
    cached.write_text(GOOD)
    folder.mkdir()
    (folder / "S1.h5").touch()
    (folder / "bdata").symlink_to(folder)
    (folder / "dataset.yaml").symlink_to(cached)
    (tmp_path / "link").symlink_to(folder)
    assert read_description(tmp_path / "link").subjects == {"S1": "bdata/S1.h5"}
