"""Tables of other people: every format in, every format out, and what they may hold."""

import csv
import gzip
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.sources.formats import soft_label_tables
from brain_teacher.sources.formats.soft_label_tables import (
    FORMATS,
    is_simulated,
    read_table,
    to_soft_labels,
    write_table,
)

IMAGES, CLASSES = ["007", "b", "c"], ["n01", "n02"]
PROBS = np.array([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]])


def table(values=PROBS):
    return pd.DataFrame(values, index=IMAGES, columns=CLASSES)


def refuses(message, function, *arguments, **options):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(*arguments, **options)


def write(path, text):
    path.write_text(text, "utf-8")
    return path


CSV = "image_id,n01,n02\n007,0.25,0.75\nb,1,0\nc,0.5,0.5\n"


@pytest.mark.parametrize("text", [CSV, "\ufeff" + CSV, CSV.replace("\n", "\r\n")])
def test_csv_keeps_ids_as_text(tmp_path, text):
    found, kind = read_table(write(tmp_path / "t.csv", text))
    pd.testing.assert_frame_equal(found, table(), check_names=False)
    assert kind is None


def test_the_column_of_ids_may_stand_anywhere(tmp_path):
    found, _ = read_table(write(tmp_path / "t.csv", "n02,image_id,n01\n0.75,007,0.25\n"))
    assert found.loc["007"].to_dict() == {"n01": 0.25, "n02": 0.75}


@pytest.mark.parametrize("is_index", [True, False])
def test_parquet(tmp_path, is_index):
    content = table().rename_axis("image_id")
    (content if is_index else content.reset_index()).to_parquet(tmp_path / "t.parquet")
    found, _ = read_table(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(found, table(), check_names=False)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("probs", "probabilities"), ("log_probs", "log-probabilities"), ("counts", "counts")],
)
def test_npz_says_what_its_numbers_are(tmp_path, name, kind):
    np.savez(tmp_path / "t.npz", image_id=IMAGES, class_id=CLASSES, **{name: PROBS})
    found, said = read_table(tmp_path / "t.npz")
    pd.testing.assert_frame_equal(found, table())
    assert said == kind


def test_npy_takes_its_names_from_two_files(tmp_path):
    np.save(tmp_path / "t.npy", PROBS)
    names = {
        "image_ids": write(tmp_path / "i.txt", "007\nb\nc\n"),
        "class_ids": write(tmp_path / "c.txt", "n01\r\nn02"),
    }
    found, _ = read_table(tmp_path / "t.npy", **names)
    pd.testing.assert_frame_equal(found, table())
    refuses(
        "names neither images nor classes; give --image-ids and --class-ids",
        read_table,
        tmp_path / "t.npy",
    )
    write(tmp_path / "i.txt", "007\nb\n")
    refuses(
        "values have shape (3, 2), but there are names for 2 images and 2 classes",
        read_table,
        tmp_path / "t.npy",
        **names,
    )
    write(tmp_path / "i.txt", "007\n\nc\n")
    refuses(f"{tmp_path / 'i.txt'} line 2 is empty", read_table, tmp_path / "t.npy", **names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,n01,n02\n1,2,3\n", "has no column 'image_id' (it has a, n01, n02)"),
        (CSV + "b,0,1\n", "image id 'b' stands twice"),
        ("image_id,n01,n01\na,0,1\n", "column 'n01' stands twice"),
        (CSV + ",0,1\n", "row 5: image_id is empty"),
        (CSV + "d,0,much\n", "image 'd': class 'n02' is 'much', no number"),
        (CSV + "d,0\n", "row 5: 2 cells, but the header has 3"),
        (CSV + "d,0,\n", "image 'd': class 'n02' is '', no number"),
        (CSV + '"d\n!",0,much\n', "image 'd !': class 'n02' is 'much', no number"),
        (CSV + '"d\n!",0,1\n' * 2, "image id 'd !' stands twice"),
        ("image_id,n01,n02\n", "has 0 images and 2 classes"),
        ("image_id,n01\na,1\n", "has 1 images and 1 classes"),
    ],
)
def test_what_is_wrong_with_a_csv_is_said(tmp_path, text, message):
    refuses(message, read_table, write(tmp_path / "t.csv", text))


def test_the_index_that_pandas_writes_is_no_class(tmp_path):
    content = table().rename_axis("image_id").reset_index()
    content.to_csv(tmp_path / "t.csv")
    remedy = "write the table with index=False, or"
    refuses(
        f"column 1 has no name, as pandas writes its index: {remedy} name the column",
        read_table,
        tmp_path / "t.csv",
    )
    pd.read_csv(tmp_path / "t.csv").to_csv(tmp_path / "t.csv", index=False)
    refuses(
        f"class 'Unnamed: 0' is what pandas calls its row numbers: {remedy} take that column out",
        read_table,
        tmp_path / "t.csv",
    )
    # Parquet keeps an index apart.
    content.set_index(np.array([7, 5, 6])).to_parquet(tmp_path / "t.parquet")
    found, _ = read_table(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(found, table(), check_names=False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(CSV.encode(), mtime=0)[:-9], "^cannot be unpacked "),
        (b"no gzip", "^cannot be unpacked "),
        (
            gzip.compress(bytes(2**25 + 1), mtime=0),
            "^is larger than 32 MiB, which no such file is$",
        ),
        (gzip.compress(CSV.encode("utf-16"), mtime=0), "^byte 0 is not UTF-8: save it in UTF-8$"),
    ],
)
def test_what_was_packed_is_read_to_a_limit(tmp_path, content, message):
    (tmp_path / "t.csv.gz").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "t.csv.gz")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(CSV.encode(), mtime=0))
    found, _ = read_table(tmp_path / "t.csv.gz")
    assert found.index.tolist() == IMAGES


@pytest.mark.parametrize("ids", [np.array("a"), np.array([["a", "b"]]), np.array([b"a", b"b"])])
def test_ids_of_another_shape_are_refused(tmp_path, ids):
    np.savez(tmp_path / "t.npz", image_id=ids, class_id=CLASSES, probs=PROBS[:2])
    with pytest.raises(ValueError, match=r"^image ids (have shape|are not text)"):
        read_table(tmp_path / "t.npz")


def test_a_parquet_file_that_unpacks_without_end_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(soft_label_tables, "MOST_CELLS", 8)
    table().rename_axis("image_id").reset_index().to_parquet(tmp_path / "t.parquet")
    message = "cannot be read as Parquet (it has 9 cells, more than 8)"
    refuses(message, read_table, tmp_path / "t.parquet")


def test_dates_and_lists_are_no_numbers(tmp_path):
    dates = table().rename_axis("image_id").reset_index()
    dates["n02"] = pd.to_datetime(["2026-01-01"] * 3)
    dates.to_parquet(tmp_path / "t.parquet")
    refuses("class 'n02' is datetime64[us], no numbers", read_table, tmp_path / "t.parquet")
    dates["n02"] = [[1], [2], [3]]
    dates.to_parquet(tmp_path / "t.parquet")
    message = "image '007': class 'n02' is array([1]), no number"
    refuses(message, read_table, tmp_path / "t.parquet")


def test_a_table_that_says_it_is_simulated_is_believed(tmp_path):
    arrays = {"image_id": IMAGES, "class_id": CLASSES, "probs": PROBS}
    for meta, said in (
        ('{"simulated": true}', True),
        ('{"simulated": false}', False),
        ("{}", False),
        ("anything", False),
        ("[1]", False),
    ):
        np.savez(tmp_path / "t.npz", **arrays, meta=np.array(meta))
        assert is_simulated(tmp_path / "t.npz") is said
    np.savez(tmp_path / "t.npz", **arrays)
    assert not is_simulated(tmp_path / "t.npz")
    assert not is_simulated(write(tmp_path / "t.csv", CSV))


def test_ids_of_numbers_are_refused(tmp_path):
    np.savez(tmp_path / "t.npz", image_id=[1, 2, 3], class_id=CLASSES, probs=PROBS)
    refuses("image ids are not text: ids of numbers lose digits", read_table, tmp_path / "t.npz")
    content = table().set_axis([1.5, 2.5, 3.5]).rename_axis("image_id").reset_index()
    content.to_parquet(tmp_path / "t.parquet")
    refuses("image_id is not text: ids of numbers lose digits", read_table, tmp_path / "t.parquet")


@pytest.mark.parametrize("name", ["t.npz", "t.npy", "t.parquet", "t.csv"])
def test_a_file_of_something_else_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x93something else")
    names = {"image_ids": write(tmp_path / "i", "a"), "class_ids": write(tmp_path / "c", "a")}
    with pytest.raises(ValueError, match=r"cannot be read as|has no column|is not UTF-8"):
        read_table(tmp_path / name, **names if name == "t.npy" else {})
    refuses("ends in '.txt'; give .npz, .npy, .csv or .parquet", read_table, tmp_path / "t.txt")


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "t.npy", np.array([{}], dtype=object), allow_pickle=True)
    names = {"image_ids": write(tmp_path / "i", "a"), "class_ids": write(tmp_path / "c", "a")}
    with pytest.raises(ValueError, match="an array of object is not read"):
        read_table(tmp_path / "t.npy", **names)


# What the numbers are


def test_counts_probabilities_and_logarithms_give_the_same():
    counts = to_soft_labels(table(PROBS * 48), values="counts", meta={"decoder": "people"})
    plain = to_soft_labels(table(), values="probabilities", meta={})
    with np.errstate(divide="ignore"):
        logs = to_soft_labels(table(np.log(PROBS)), values="log-probabilities", meta={})
    np.testing.assert_allclose(counts.log_probs, plain.log_probs, atol=1e-6)
    np.testing.assert_allclose(logs.log_probs, plain.log_probs, atol=1e-6)
    np.testing.assert_allclose(np.exp(plain.log_probs[0]), [0.25, 0.75], atol=1e-6)
    assert plain.log_probs[1, 1] == pytest.approx(np.log(np.finfo(np.float32).tiny), rel=1e-6)
    assert plain.votes is None and counts.votes.tolist() == [48, 48, 48]
    assert counts.meta == {"format": 1, "decoder": "people", "prior": 1.0}
    assert counts.image_id.tolist() == IMAGES and counts.class_id.tolist() == CLASSES


@pytest.mark.parametrize("prior", [0.0, 1.0, 4.5])
def test_counts_are_smoothed_by_the_prior_that_is_stated(prior):
    labels = to_soft_labels(table([[3, 1], [1, 0], [0, 7]]), values="counts", meta={}, prior=prior)
    counts = np.array([[3, 1], [1, 0], [0, 7]])
    # The mean of a Dirichlet: (n + prior / 2) / (N + prior).
    expected = (counts + prior / 2) / (counts.sum(axis=1, keepdims=True) + prior)
    np.testing.assert_allclose(labels.softened(1.0), expected, atol=1e-6)
    assert labels.meta["prior"] == prior


def test_a_probability_of_zero_stays_next_to_nothing_when_it_is_softened():
    # 149 classes that nobody named: a floor of 1e-6 had 13% of the row at T = 2.
    row = np.eye(150)[:1]
    content = pd.DataFrame(row, index=["a"], columns=[f"c{k:03d}" for k in range(150)])
    labels = to_soft_labels(content, values="probabilities", meta={})
    assert labels.softened(2.0)[0, 1:].sum() < 1e-15


@pytest.mark.parametrize(
    ("row", "values", "found"),
    [
        ([3, 1], "probabilities", "sums to 4; it must be 1: these are no probabilities"),
        ([0.2, 0.2], "probabilities", "sums to 0.4; it must be 1: these are no probabilities"),
        ([-0.5, 1.5], "probabilities", "has a negative entry; it must be 1: "),
        ([0.25, 0.75], "log-probabilities", "sums to 3.40103; it must be 1: "),
        ([np.inf, 1], "counts", "sums to inf; counts must be 0 or more, and some above: "),
        ([1e308, 1e308], "counts", "sums to inf; counts must be 0 or more, and some above: "),
        ([np.inf, -np.inf], "counts", "has a negative entry; counts must be 0 or more"),
        ([0, 0], "counts", "sums to 0; counts must be 0 or more, and some above: "),
        ([900, 1], "log-probabilities", "sums to inf; it must be 1: "),
    ],
)
def test_numbers_that_are_something_else_are_refused(row, values, found):
    good = {"counts": [1, 2], "probabilities": [0.5, 0.5], "log-probabilities": np.log([0.5, 0.5])}
    content = table([good[values], row, good[values]])
    with pytest.raises(ValueError, match=f"^image 'b' {re.escape(found)}"):
        to_soft_labels(content, values=values, meta={})


# Out and in again


@given(
    logits=arrays(np.float64, (4, 3), elements=st.floats(-12, 12)),
    format=st.sampled_from(FORMATS),
)
@settings(max_examples=30, deadline=None)
def test_what_is_exported_is_imported_again(tmp_path_factory, logits, format):
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    names = np.array(["001", "'tis", "=x,y", "ü"]), np.array(["0", "-a", "@b"])
    before = SoftLabels(log_probs.astype(np.float32), *names, np.zeros(4, int))
    folder = tmp_path_factory.mktemp("twin")
    path, *others = write_table(folder / f"t.{format}", before, format=format)
    given = dict(zip(("image_ids", "class_ids"), others, strict=True)) if others else {}
    found = to_soft_labels(read_table(path, **given)[0], values="probabilities", meta={})
    assert found.image_id.tolist() == names[0].tolist()
    assert found.class_id.tolist() == names[1].tolist()
    np.testing.assert_allclose(np.exp(found.log_probs), np.exp(before.log_probs), atol=1e-6)
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in [path, *others])


def test_no_name_is_a_formula_in_a_spreadsheet(tmp_path):
    images = ["=HYPERLINK(A1)", "+1", "-1", "@SUM", "\tx", "'a", "ok"]
    log_probs = np.full((7, 2), np.log(0.5), np.float32)
    classes = np.array(["=1+1", "b"])
    labels = SoftLabels(log_probs, np.array(images), classes, np.zeros(7, int), {})
    (path,) = write_table(tmp_path / "t.csv", labels, format="csv")
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["image_id", "'=1+1", "b"]
    assert [row[0] for row in rows[1:]] == [*(f"'{name}" for name in images[:-1]), "ok"]
    table, _ = read_table(path)
    assert table.index.tolist() == images and table.columns.tolist() == classes.tolist()


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\u2028b", " a"])
def test_a_list_of_names_holds_no_line_break(name, tmp_path):
    names = np.array(["x", "y"]), np.array(["a", name])
    log_probs = np.full((2, 2), np.log(0.5), np.float32)
    said = f"{name!r} cannot be kept in npy; export it as parquet"
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        write_table(
            tmp_path / "t.npy", SoftLabels(log_probs, *names, np.zeros(2, int)), format="npy"
        )
    assert not list(tmp_path.iterdir())
