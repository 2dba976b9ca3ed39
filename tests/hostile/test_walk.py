"""Tables and arrays of anybody: right, or one line; never a traceback, nothing half-written."""

import io
import string
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brain_teacher.sources.formats.own_trials import read_trials, stimuli_of
from helpers.running import project, run

QUICK = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
CELLS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", "nan", "inf", "-1", "1e400", "0x1", "cat-0.png", "a/b.jpg", "n/a", "1.5"]),
    st.integers(-(10**20), 10**20).map(str),
)
NAMES = st.sampled_from(
    ["image_id", "category", "run", "session", "block", "data_type", "onset", "superclass", "style",
     "", "Unnamed: 0", "index"]
)  # fmt: skip


@st.composite
def tables(draw):
    """Columns and cells as they come, most of the time with those that are needed."""
    names = draw(st.lists(NAMES, min_size=1, max_size=9, unique=True))
    if draw(st.booleans()):
        names = list(dict.fromkeys(["image_id", "category", "run", *names]))
    rows = draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=6))
    stream = io.StringIO()
    separator = draw(st.sampled_from(",;\t"))
    pd.DataFrame(rows, columns=names).to_csv(stream, index=False, sep=separator)
    return stream.getvalue()


@given(st.one_of(tables(), st.text(max_size=200)), st.booleans())
@settings(max_examples=300, **QUICK)
def test_any_table_is_read_or_refused_in_a_line(tmp_path, text, with_bom):
    file = tmp_path / "t.csv"
    file.write_bytes((b"\xef\xbb\xbf" if with_bom else b"") + text.encode("utf-8", "ignore"))
    try:
        table, notes = read_trials(file)
        stimuli, left_out = stimuli_of({"S1": table}, {"S1": file})
    except ValueError as error:
        assert str(error)
        return
    assert (table["image_id"] != "").all() and stimuli["category"].notna().all()
    assert not stimuli.index.has_duplicates and set(stimuli.index) == set(table["image_id"])
    assert np.isfinite(table["run"]).all() and all(notes + left_out)


@given(st.binary(max_size=300))
@settings(max_examples=60, **QUICK)
def test_any_bytes_as_table_and_array_leave_nothing(tmp_path, content):
    with project(tmp_path):
        Path("t.csv").write_bytes(content)
        Path("v.npy").write_bytes(content)
        for voxels in ("v.npy", "t.csv"):
            arrays = ("--voxels", f"S1={voxels}", "--trials", "S1=t.csv")
            said = run("new-dataset", "data/mine", *arrays, code=1)
            assert said.startswith("Error: t.csv: ") and "unexpected" not in said
        assert not list(Path("data").iterdir())


WORD = st.text(string.ascii_lowercase, min_size=1, max_size=4)


@given(st.lists(st.tuples(WORD, WORD), min_size=1, max_size=8), st.randoms())
@settings(max_examples=60, **QUICK)
def test_the_order_of_rows_and_columns_decides_nothing(tmp_path, pairs, random):
    category = dict(pairs)
    rows = [{"image_id": i, "category": category[i], "run": "1", "onset": str(k)}
            for k, i in enumerate(category)]  # fmt: skip
    found = []
    for name in ("one.csv", "two.csv"):
        pd.DataFrame(rows).to_csv(tmp_path / name, index=False)
        table, _ = read_trials(tmp_path / name)
        stimuli, _ = stimuli_of({"S1": table}, {"S1": tmp_path / name})
        found.append((stimuli, dict(zip(table["image_id"], table["block"], strict=True))))
        random.shuffle(rows)
        names = list(rows[0])
        random.shuffle(names)
        rows = [{key: row[key] for key in names} for row in rows]
    pd.testing.assert_frame_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize("kind", ["fifo", "device", "loop"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, kind):
    import os

    with project(tmp_path):
        np.save("v.npy", np.ones((2, 3)))
        Path("t.csv").write_text("image_id,category,run\na,cat,1\nb,dog,1\n")
        Path("shown").mkdir()
        if kind == "fifo":
            os.mkfifo("shown/a.png")
        else:
            Path("shown/a.png").symlink_to("/dev/zero" if kind == "device" else "a.png")
        said = run("new-dataset", "data/mine", "--voxels", "S1=v.npy", "--trials", "S1=t.csv",
                   "--images", "shown", code=1)  # fmt: skip
        assert said.startswith("Error: data/mine was not made: ") and "a.png" in said
        assert "unexpected" not in said and not list(Path("data").iterdir())
