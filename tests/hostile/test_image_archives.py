"""Random zip and tar files, whole and damaged, given to ``images --from``."""

import io
import shutil
import struct
import tarfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brain_teacher.dataset.bdata import write_bdata
from brain_teacher.dataset.ids import number_from_image_id
from helpers.pictures import picture
from helpers.running import project, run

FISH, OSTRICH = "n01443537", "n01518878"
SHOWN = [f"{synset}_{number}" for synset in (FISH, OSTRICH) for number in (1, 2)]
GOOD, SECRET = picture("good"), picture("secret")
DESCRIPTION = """\
name: god
simulated: false
subjects: {S1: bdata/S1.h5}
roi: [V1]
pictures: false
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A data set without pictures, the working folder, and a picture outside that is no one's."""
    folder = tmp_path_factory.mktemp("hostile") / "work"
    data = folder / "data" / "god"
    (data / "bdata").mkdir(parents=True)
    write_bdata(
        data / "bdata/S1.h5",
        np.eye(4, 3),
        rois={"V1": np.ones(3, bool)},
        labels={
            "stimulus_id": np.array([number_from_image_id(name) for name in SHOWN]),
            "Run": np.ones(4),
            "DataType": np.ones(4),
        },
    )
    (folder.parent / "secret.JPEG").write_bytes(SECRET)
    with project(folder, lambda content: content["dataset"].update(name="god")):
        yield folder


NAMES = st.one_of(
    st.sampled_from([f"{name}.JPEG" for name in SHOWN]),
    st.builds("{}_{}.{}".format, st.sampled_from([FISH, OSTRICH]), st.integers(0, 10**7),
              st.sampled_from(["JPEG", "jpg", "PNG", "gif", "JPEG\n", "\x1b[2J.JPEG"])),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
)  # fmt: skip
PREFIXES = st.sampled_from(
    ["", "./", "../../", "/", "/tmp/", "a/b/", "C:\\", f"{FISH}/", "\0", "//"]
)
CONTENTS = st.one_of(
    st.just(GOOD),
    st.just(GOOD[:50]),
    st.binary(max_size=30),
    st.just(b"%!PS-Adobe-3.0 EPSF-3.0\n"),
    st.just(bytes(2**20)),
)
MEMBERS = st.lists(st.tuples(PREFIXES, NAMES, CONTENTS), max_size=5)
KINDS = st.sampled_from(
    [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE,
     tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME]
)  # fmt: skip
FORMATS = st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
SIZES = st.one_of(st.none(), st.sampled_from([0, 1, 2**33 - 1, 2**40, 2**62, -1, -1024]))


@st.composite
def tars(draw):
    """A tar file: names, kinds and sizes of any sort, another tar file in it perhaps."""
    stream, form = io.BytesIO(), draw(FORMATS)
    for prefix, name, content in draw(MEMBERS):
        member = tarfile.TarInfo((prefix + name)[:90])
        member.type, member.linkname = draw(KINDS), "../secret.JPEG"
        size = draw(SIZES)
        member.size = len(content) if size is None else size
        try:
            head = member.tobuf(form, "utf-8", "surrogateescape")
        except ValueError:
            member.size = len(content)
            member.name = f"{FISH}_1.JPEG"
            head = member.tobuf(form)
        stream.write(head + content + bytes(-len(content) % 512))
    return stream.getvalue() + bytes(1024 * draw(st.integers(0, 1)))


@st.composite
def zips(draw):
    """A zip file: names twice, packed in any way, with flags and sizes of any sort."""
    stream = io.BytesIO()
    methods = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    with zipfile.ZipFile(stream, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand twice
        for prefix, name, content in draw(MEMBERS):
            info = zipfile.ZipInfo(prefix + name)
            info.external_attr = draw(st.sampled_from([0, 0o120777 << 16, 0o010644 << 16]))
            info.compress_type = draw(st.sampled_from(methods))
            archive.writestr(info, content)
    content = bytearray(stream.getvalue())
    at = content.find(b"PK\1\2")
    if at >= 0:
        flags, method, size = draw(st.tuples(*[st.booleans()] * 3))
        content[at + 8] |= flags
        content[at + 10] ^= 9 * method
        content[at + 24 : at + 28] = (
            struct.pack("<I", 2**31) if size else content[at + 24 : at + 28]
        )
    return bytes(content)


@st.composite
def archives(draw):
    """A name and the bytes of a file; often damaged."""
    kind, of = draw(st.sampled_from([("tar", tars()), ("zip", zips())]))
    content = draw(of)
    if draw(st.booleans()):
        inner = tarfile.TarInfo(f"{FISH}.tar")
        inner.size = len(content)
        padded = content + bytes(-len(content) % 512)
        kind, content = "tar", inner.tobuf(tarfile.USTAR_FORMAT) + padded + bytes(1024)
    damage = draw(st.sampled_from(["none", "none", "cut", "flip"]))
    if content and damage == "cut":
        content = content[: draw(st.integers(0, len(content)))]
    elif content and damage == "flip":
        spoilt = bytearray(content)
        for at in draw(st.lists(st.integers(0, min(len(content), 2000) - 1), max_size=5)):
            spoilt[at] ^= draw(st.integers(1, 255))
        content = bytes(spoilt)
    stem = draw(st.sampled_from(["pictures", FISH, OSTRICH, "odd\n\x1b[2Jname"]))
    return f"{stem}.{kind}", content


def everything(folder):
    """All paths, but pictures and the lock's."""
    own = ("work/data/god/images", "work/data/.brain-teacher")
    return {path for path in folder.rglob("*") if not any(each in path.as_posix() for each in own)}


@pytest.mark.parametrize("examples", [150, pytest.param(1000, marks=pytest.mark.full)])
def test_any_archive_ends_in_words_and_nothing_leaves_the_data_set(examples, work):
    data, tree = work / "data/god", work / "tree"

    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.lists(archives(), min_size=1, max_size=2), st.booleans())
    def look(files, alone):
        for folder in (data / "images", tree):
            shutil.rmtree(folder, ignore_errors=True)
        (data / "dataset.yaml").write_text(DESCRIPTION)
        (data / "unseen.csv").unlink(missing_ok=True)
        tree.mkdir()
        for name, content in files:
            (tree / name).write_bytes(content)
        given_tree = tree / files[0][0] if alone else tree
        before, start = everything(work.parent), time.perf_counter()
        code, said = said_of(given_tree)
        assert time.perf_counter() - start < 10
        assert code in (0, 1) and "(unexpected;" not in said and "Traceback" not in said
        assert said.rpartition("Error: ")[2].count("\n") == 1 if code else True
        assert "\x1b" not in said
        written = everything(work.parent) - before
        assert written <= {data / "unseen.csv"}
        for path in (data / "images").rglob("*.*"):
            assert not path.is_symlink() and SECRET not in path.read_bytes()

    look()


def said_of(tree):
    from click.testing import CliRunner

    from brain_teacher.cli import main

    result = CliRunner().invoke(main, ["images", "--from", str(tree), "--unseen", "1", "--quiet"])
    return result.exit_code, result.output


def test_what_is_whole_among_hostile_neighbours_comes(work):
    tree = work / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    with zipfile.ZipFile(tree / "a.zip", "w") as archive:
        for name in SHOWN:
            archive.writestr(f"../../{name}.JPEG", GOOD)
    Path(tree / "b.tar").write_bytes(b"\xff" * 5000)
    (work / "data/god/dataset.yaml").write_text(DESCRIPTION)
    said = run("images", "--from", "tree", "--unseen", "0")
    assert "skipped: tree/b.tar is broken" in said and "images: 4 of 4 shown" in said
    assert not list(work.parent.glob("*.JPEG"))[1:]
