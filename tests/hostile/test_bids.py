"""Events, confounds and sidecars of any content: right, or one line."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brain_teacher.sources.formats.bids import Derivative, from_bids, read_events
from helpers.derivatives import SPACE, write_run

HEAD = "onset\tduration\ttrial_type\n"
CELL = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["1", "-1", "1e309", "nan", "n/a", "", "inf", "2.5", "0x1", '"', "a\tb"]),
    st.floats().map(str),
)
TABLE = st.one_of(
    st.binary(max_size=200),
    st.lists(st.lists(CELL, min_size=1, max_size=4), max_size=6).map(
        lambda rows: (HEAD + "\n".join("\t".join(row) for row in rows)).encode("utf-8", "replace")
    ),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
SIDECAR = st.one_of(
    st.binary(max_size=60),
    st.fixed_dictionaries({"RepetitionTime": JSON, "StartTime": JSON}).map(
        lambda c: json.dumps(c).encode()
    ),
)
quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def derivative(tmp_path):
    volumes = np.random.default_rng(0).standard_normal((2, 2, 1, 40)).astype(np.float32)
    func, stem = write_run(tmp_path / "bids", volumes, sub="01", run="1", seconds=2.0)
    (func / f"{stem}_events.tsv").write_text(HEAD + "10\t2\ta\n20\t2\tb\n")
    return tmp_path, func, stem


def read(folder, **wanted):
    out = folder / "out"
    out.mkdir(exist_ok=True)
    for file in sorted(out.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    return from_bids(out, Derivative(folder / "bids", **wanted))


@quick
@given(content=TABLE)
def test_any_events(derivative, content):
    folder, func, stem = derivative
    path = func / f"{stem}_events.tsv"
    path.write_bytes(content)
    try:
        trials = read_events(path, Derivative(folder, merge=1.0))
    except ValueError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
    else:
        assert np.isfinite(trials[["onset", "duration"]].to_numpy()).all() and len(trials)


@quick
@given(content=SIDECAR)
def test_any_sidecar(derivative, content):
    folder, func, stem = derivative
    (func / f"{stem}_{SPACE}_desc-preproc_bold.json").write_bytes(content)
    try:
        read(folder, window=(0, 4))
    except ValueError as error:
        assert "\n" not in str(error)


@settings(quick, max_examples=60)
@given(content=st.one_of(TABLE, st.just(b"trans_x\n1\n")))
def test_any_confounds(derivative, content):
    folder, func, stem = derivative
    path = func / f"{stem}_desc-confounds_timeseries.tsv"
    path.write_bytes(content)
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(ValueError):  # none has nilearn's columns for 40 volumes
        read(folder, window=(0, 4), confounds=("motion",))


@settings(quick, max_examples=40)
@given(cut=st.integers(0, 3000), flip=st.integers(0, 3000), value=st.integers(0, 255))
def test_bold_that_is_cut_or_changed(derivative, cut, flip, value):
    folder, func, stem = derivative
    path = func / f"{stem}_{SPACE}_desc-preproc_bold.nii.gz"
    whole = path.read_bytes()
    spoilt = bytearray(whole[: cut % len(whole) + 1])
    spoilt[flip % len(spoilt)] = value
    path.write_bytes(bytes(spoilt))
    try:
        read(folder, window=(0, 4))
    except ValueError as error:
        assert "\n" not in str(error)
    finally:
        path.write_bytes(whole)
