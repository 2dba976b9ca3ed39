"""One recording more: what depends on it is done again, the rest kept; versions can be told."""

import re
import shutil
import sqlite3

import pytest
import yaml

from helpers.cloning import Clone, dvc

pytestmark = pytest.mark.full


@pytest.fixture
def clone(chain, tmp_path):
    shutil.copytree(chain.path, tmp_path / "clone", symlinks=True)
    return Clone(tmp_path / "clone")


def add_subject(clone):
    """A third subject who saw the same pictures, as a person adds one."""
    clone.brain_teacher(
        *("simulate", "--out", "third", "--subjects", "3", "--categories", "4"),
        *("--shown", "4", "--unseen", "8", "--voxels", "60", "--image-size", "12", "--seed", "1"),
    )
    data = clone.path / "data" / "sample"
    shutil.copy(clone.path / "third" / "bdata" / "S3.h5", data / "bdata")
    shutil.rmtree(clone.path / "third")
    content = yaml.safe_load((data / "dataset.yaml").read_text())
    content["subjects"]["S3"] = "bdata/S3.h5"
    (data / "dataset.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    clone.run(*dvc(), "commit", "-q", "-f", "data.dvc")


def soft_label_versions(clone):
    """DVC's hash of the soft labels, for each MLflow run of distill that trained for the stage."""
    with sqlite3.connect(clone.path / "mlflow.db") as store:
        rows = store.execute(
            "select tags.value from tags join runs using (run_uuid) where key = 'soft_labels_dvc' "
            "and runs.name = 'sample HVC (simulated)' order by start_time"
        ).fetchall()
    return [value for (value,) in rows]


def test_a_new_subject_changes_only_what_depends_on_it(clone):
    before = soft_label_versions(clone)
    add_subject(clone)
    said = clone.run(*dvc(), "repro")
    assert re.search(r"preprocess: 3 subjects x 10 ROIs of sample .*: 10 made, 20 kept", said)
    assert re.search(r"decode: 30 cells, 10 new, 20 kept", said)
    # Of other brains: each student says whose.
    assert re.search(r"distill: 14 students of 7 teachers, 14 new, 0 kept", said)
    assert "up to date" in clone.run(*dvc(), "status")
    changed = clone.run(*dvc(), "diff", "HEAD")
    for path in ("data/sample/bdata/S3.h5", "outputs/soft_labels/S3_HVC_logistic.npz"):
        assert re.search(rf"^Added:(.*\n)*? +{path}$", changed, re.MULTILINE), changed
    assert not re.search(r"^ +outputs/soft_labels/S1_HVC_logistic.npz$", changed, re.MULTILINE)
    metrics = clone.run(*dvc(), "metrics", "diff", "HEAD")
    assert re.search(r"outputs/comparison/summary.json +brain ", metrics)
    assert re.search(r"outputs/soft_labels/summary.json +top1 ", metrics)
    after = soft_label_versions(clone)
    assert after[: len(before)] == before and len(after) == len(before) + 1
    assert after[-1] != before[-1]
