"""The dial, end to end: a small draw of some truths, two seeds of few epochs, which show nothing.

The draws' own seeds are not used: nobody is to see a result of theirs in passing.
"""

import pytest
from click.testing import CliRunner

import dial
import dial_draws
import dial_truths
import redraws

SMALL = {"subjects": 2, "categories": 4, "shown": 4, "unseen": 40, "voxels": 60}

# What a decoder is right about in 16 classes, where the truth says how far it can be.
TOP1 = {
    "images": (0.5, 0.9),
    "classes": (0.5, 0.9),
    "superclass": (0.12, 0.4),
    "others": (0.5, 0.9),
    "nothing": (0, 0.15),
}

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


def test_the_dial_runs_and_is_kept(own_store, monkeypatch):
    monkeypatch.setattr(dial, "SEEDS", (9001, 9002, 9003, 9004))
    kept = ("images", "images-half", "nothing")
    monkeypatch.setattr(dial, "TRUTHS", {name: dial.TRUTHS[name] for name in kept})
    arguments = ["--draws", "1", "--seeds", "2", "--epochs", "2", "--check"]
    first = run(dial.main, *arguments)
    assert first.exit_code == 0, first.output
    estimate, *made = first.output.splitlines()[:4]
    students = 2 * sum(
        1 + len(arm.family or dial.the_plan().family) for arm in dial.TRUTHS.values()
    )
    assert estimate.startswith(
        f"3 of 3 simulated comparisons to make, {students} students: about 0.1 hours on 1 cores"
    )
    assert [line.split(":")[0] for line in made] == [f"draw 0, {name}" for name in kept]
    assert first.output.count("unfinished: 1 of 4 draws") == 3
    place = own_store / "runs" / "dial"
    assert (place / "what-a-brain-can-teach.png").stat().st_size > 10_000
    # Again: nothing is made, the same is said.
    monkeypatch.setattr(dial, "simulated_voxels", None)
    again = run(dial.main, *arguments)
    assert again.output.startswith("0 of 3 simulated comparisons to make, 0 students")
    assert again.output.splitlines()[1:] == first.output.splitlines()[4:]


@pytest.mark.parametrize("truth", dial_truths.TRUTHS)
def test_no_truth_has_even_or_one_hot_tables(truth, tmp_path, monkeypatch):
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(dial, "SEEDS", (9001,))
    monkeypatch.setattr(dial, "UNSEEN", 2)  # nobody looks at them
    result = run(dial.main, "--tables", "--truth", truth, "--folder", str(tmp_path))
    cells = [cell.strip() for cell in result.output.splitlines()[-1].split("|")[1:-1]]
    assert cells[:2] == ["0", truth], result.output
    top1, entropy, largest, from_even = map(float, cells[2:])
    low, high = TOP1.get(truth, (0, 1))
    assert low <= top1 <= high
    assert from_even > 0.1 and 0.1 < entropy < 2.7 and largest < 0.95


def test_redraws_of_the_noise_are_compared(own_store, monkeypatch):
    monkeypatch.setattr(redraws, "SAMPLE_SEED", 9001)
    # Epochs enough that students do not all name one class, and seeds enough that their few test
    # images cannot by chance make every seed answer each redraw alike: no variance would be left.
    result = run(redraws.main, "--redraws", "2", "--seeds", "4", "--epochs", "12")
    assert result.exit_code == 0
    *lines, said = result.output.splitlines()
    assert [line.split(",")[0] for line in lines] == ["noise 1 (simulated)", "noise 2 (simulated)"]
    assert said.startswith("Simulated sample, the noise of its voxels drawn 2 times anew, 4 paired")
