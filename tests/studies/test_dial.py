"""The dial, end to end: a small draw of each kind, two seeds of few epochs, which show nothing.

The draws' own seeds are not used: nobody is to see a result of theirs in passing.
"""

from dataclasses import replace

import pytest
from click.testing import CliRunner

import dial
import dial_draws
import redraws

SMALL = {"subjects": 2, "categories": 4, "shown": 4, "unseen": 40, "voxels": 60}

pytestmark = pytest.mark.trains


@pytest.fixture
def own_store(tmp_path, monkeypatch):
    """A folder to work in with small data and without processes; what the dial sets is undone."""
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)
    for module in (dial, dial_draws):
        monkeypatch.setattr(module, "DEFAULTS", dial.DEFAULTS | SMALL)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0})
    return tmp_path


def run(main, *arguments):
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def test_the_dial_runs_is_kept_and_shares_students(own_store, monkeypatch):
    others = {
        name: replace(kind, seeds=(9001, 9002, 9003, 9004)) for name, kind in dial.KINDS.items()
    }
    monkeypatch.setattr(dial, "KINDS", others)
    arguments = ["--draws", "1", "--seeds", "2", "--epochs", "2", "--check"]
    first = run(dial.main, *arguments)
    assert first.exit_code == 0, first.output
    assert [line.split(":")[0] for line in first.output.splitlines()[:4]] == [
        "dial-informative-9001, informative",
        "dial-classes-9001, classes",
        "dial-snr-0-9001, snr-0 calibrated",
        "dial-snr-0-9001, snr-0 uncalibrated",
    ]
    assert first.output.count("unfinished: 1 of 4 draws") == 4
    place = own_store / "runs" / "dial" / "snr-0-9001"
    students = [place / arm / "students" for arm in ("snr-0-calibrated", "snr-0-uncalibrated")]
    for teacher, is_shared in (("none", True), ("brain", False)):
        for k in (0, 1):
            one, other = (folder / f"{teacher}_{k}" / "student.npz" for folder in students)
            assert (one.read_bytes() == other.read_bytes()) == is_shared, (teacher, k)
            # A copy keeps its time; trained again it would have the same bytes.
            assert (one.stat().st_mtime == other.stat().st_mtime) == is_shared, (teacher, k)
    # Again: nothing is made, the same is said.
    monkeypatch.setattr(dial, "simulated_voxels", None)
    again = run(dial.main, *arguments)
    assert again.output.splitlines() == first.output.splitlines()[4:]


def test_redraws_of_the_noise_are_compared(own_store, monkeypatch):
    monkeypatch.setattr(redraws, "SAMPLE_SEED", 9001)
    # Epochs enough that students do not all name one class, and seeds enough that their few test
    # images cannot by chance make every seed answer each redraw alike: no variance would be left.
    result = run(redraws.main, "--redraws", "2", "--seeds", "4", "--epochs", "12")
    assert result.exit_code == 0
    *lines, said = result.output.splitlines()
    assert [line.split(",")[0] for line in lines] == ["noise 1 (simulated)", "noise 2 (simulated)"]
    assert said.startswith("Simulated sample, the noise of its voxels drawn 2 times anew, 4 paired")
