"""The stamp of what trains: it goes with what such a test depends on, and with nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import trained

ROOT = Path(__file__).parents[1]
MARKED = f"""
import pytest
@pytest.mark.{trained.MARK}
def test_it():
    {{body}}
"""


@pytest.fixture
def copy(tmp_path):
    """What a stamp is of."""
    for name in ("src", "tests", "studies", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    files = ("dvc.lock", "params.yaml", "data.dvc", "requirements.txt", "pyproject.toml")
    for name in (*files, "outputs/comparison/metrics.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".ci").mkdir()
    return tmp_path


def stamp(root, digests):
    (root / trained.STAMP).write_text(json.dumps(digests))


def edit(file, pattern, replacement):
    text, count = re.subn(
        pattern, replacement, file.read_text("utf-8"), count=1, flags=re.MULTILINE
    )
    assert count == 1, (file, pattern)
    file.write_text(text)


def test_words_do_not_change_it(copy):
    edit(copy / "src/brain_teacher/distillation/augmentation.py", r'\A"""', '"""Words. ')
    edit(copy / "src/brain_teacher/chain/students/cells.py", r"\Z", "\n# A comment.\n")
    edit(copy / "tests/science/test_truth.py", r'\A"""', '"""Words. ')
    edit(copy / "params.yaml", r"\A", "# A comment.\n")
    # What a stage's code was, to the byte, stands in dvc.lock as well.
    hashed = r"(path: src/brain_teacher/\S+\n +hash: md5\n +md5: ).{8}"
    edit(copy / "dvc.lock", hashed, r"\g<1>00000000")
    (copy / "tests" / "science" / "test_others.py").write_text("def test_it():\n    pass\n")
    stamp(copy, trained.digests(ROOT))
    assert trained.changed(copy) == []


@pytest.mark.parametrize(
    ("name", "pattern", "replacement", "kind"),
    [
        ("src/brain_teacher/distillation/augmentation.py", r"\Z", "\nX = 1\n", "code"),
        ("src/brain_teacher/commands/simulate.py", r"\Z", "\nX = 1\n", "code"),
        ("tests/science/test_truth.py", r"mean > 0\.02", "mean > 0", "tests"),
        ("tests/helpers/recordings.py", r"\Z", "\nX = 1\n", "tests"),
        ("studies/dial_draws.py", r"\Z", "\nX = 1\n", "tests"),
        ("tests/conftest.py", r'"1"', '"2"', "tests"),
        ("params.yaml", r"^  epochs: \d+", "  epochs: 99", "params"),
        ("requirements.txt", r"^torch==[\d.]+", "torch==9.9.9", "requirements"),
        ("data.dvc", r"md5: .{8}", "md5: 00000000", "data"),
        ("dvc.lock", r"(path: outputs/\w+\n +hash: md5\n +md5: ).{8}", r"\g<1>00000000", "lock"),
        ("outputs/comparison/metrics.json", r'"accuracy"', '"accuracies"', "metrics"),
    ],
)  # fmt: skip
def test_what_it_depends_on_changes_it(copy, name, pattern, replacement, kind):
    stamp(copy, trained.digests(ROOT))
    edit(copy / name, pattern, replacement)
    assert trained.changed(copy) == [kind]


def test_a_new_test_of_the_kind_changes_it(copy):
    stamp(copy, trained.digests(ROOT))
    (copy / "tests" / "test_more.py").write_text(MARKED.format(body="pass"))
    assert trained.changed(copy) == ["tests"]


def call(root, *arguments):
    return subprocess.run(
        [sys.executable, root / "tests" / "helpers" / "trained.py", *arguments],
        check=False,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("body", "passes"),
    [
        ("pass", True),
        ("assert False", False),
        # Done while the code was changed, it is of neither code.
        ("open('requirements.txt', 'a').write('# more')", False),
    ],
)
def test_the_stamp_is_written_by_tests_that_pass(copy, body, passes):
    for file in trained.files_of(copy):
        if f"mark.{trained.MARK}" in file.read_text():
            file.unlink()
    (copy / "tests" / "test_small.py").write_text(MARKED.format(body=body))
    done = call(copy)
    assert (done.returncode == 0) == passes, done.stdout + done.stderr
    assert (copy / trained.STAMP).exists() == passes
    assert (trained.changed(copy) == []) == passes


def test_ci_is_told_by_the_exit_code(copy):
    new = call(copy, "--check")
    assert new.returncode == 1 and "`make trained` runs what trains" in new.stdout, new.stderr
    stamp(copy, trained.digests(ROOT))
    assert call(copy, "--check").returncode == 0
