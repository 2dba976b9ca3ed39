"""The family of controls, settled before anything is decoded, and told to the end."""

import json
from pathlib import Path

import pytest
import yaml

from helpers.running import project, run

DESCRIPTION = Path("data/sample/dataset.yaml")
SETTLED = (
    "the control semantic will be left out of the family: data/sample/dataset.yaml has no "
    "superclass of {}; `superclasses: {{CATEGORY: SUPERCLASS, ...}}` there brings it in, and "
    "nothing is decoded again for it\n"
)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A data set as `new-dataset` makes it: nobody was asked for superclasses."""

    def quick(content):
        small = {"epochs": 1, "seeds": 2, "image_size": 12, "width": 8, "roi": ["V1"]}
        content["distill"] |= small

    with project(tmp_path_factory.mktemp("family"), quick) as patch:
        sizes = "--subjects 1 --categories 3 --shown 4 --unseen 8 --voxels 20 --image-size 12"
        run("simulate", "--out", "data/sample", "--seed", "1", *sizes.split())
        describe(superclasses={})
        run("preprocess", "--roi", "V1", "--out", "voxels")
        yield patch


def describe(**changes):
    content = yaml.safe_load(DESCRIPTION.read_text()) | changes
    DESCRIPTION.write_text(yaml.safe_dump(content))
    return sorted(content["categories"])


def decode():
    return run("decode", "--voxels", "voxels", "--out", "soft_labels")


def distill(*arguments):
    return run("distill", "--soft-labels", "soft_labels", "--out", "students", *arguments)


def test_a_chain_without_superclasses_ends_in_a_verdict(work):
    # It ended at `distill`, after all decoding, without a table.
    names = describe()
    said = decode()
    assert said.startswith(SETTLED.format("any category"))
    assert SETTLED.format("any category") in run("check", "data/sample")
    said = distill()
    reason = (
        "it needs the similarity of the classes: dataset.yaml has no superclass of each category "
        "(superclasses: {CATEGORY: SUPERCLASS}), and distill.similarity names no table"
    )
    assert f"teacher semantic is left out: {reason}\n" in said
    said = " ".join(run("compare", "--students", "students", "--out", "comparison").split())
    assert "Verdict: " in said and f"Left out of the family: semantic, since {reason}." in said
    metrics = json.loads(Path("comparison/metrics.json").read_text())
    assert [each["b"] for each in metrics["differences"]] == [
        "none", "smooth-matched", "brain-class", "brain-confidence", "permuted-images",
    ]  # fmt: skip

    describe(superclasses={name: str(int(name[1:]) % 2) for name in names})
    said = decode()
    assert "decode: 1 cells, 0 new, 1 kept" in said and "semantic" not in said
    (row,) = json.loads(Path("soft_labels/metrics.json").read_text())["cells"]
    assert -1 <= row["superclass_rho"] <= 1
    assert "14 students of 7 teachers, 2 new, 12 kept" in distill()
    # Whose students are there is left out by nobody's word.
    Path("students/not-made.json").write_text('{"semantic": "so it is said"}')
    said = run("compare", "--students", "students", "--out", "comparison")
    assert "Left out" not in said
    Path("students/not-made.json").write_text("[1]")
    assert run("compare", "--students", "students", "--out", "other", code=1) == (
        "Error: students/not-made.json does not say of teachers why they were left out: distill "
        "again\n"
    )
    metrics = json.loads(Path("comparison/metrics.json").read_text())
    assert "semantic" in [each["b"] for each in metrics["differences"]]


def test_a_family_without_students_is_refused_before_decoding(work):
    work.setenv("DVC_STAGE", "decode")
    work.setenv("DVC_ROOT", str(Path.cwd()))
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["distill"]["teacher"] = ["none", "brain"]
    Path("few.yaml").write_text(yaml.safe_dump(content))
    said = run("decode", "--params", "few.yaml", "--voxels", "voxels", "--out", "never", code=2)
    work.delenv("DVC_STAGE")
    work.delenv("DVC_ROOT")
    assert said == (
        "Error: distill.teacher lacks smooth-matched, semantic, brain-class, brain-confidence, "
        "permuted-images, which compare needs (compare.family): add it there, or take it out of "
        "the family\n"
    )
    assert not Path("never").exists()


def test_nothing_to_train_is_said(work):
    describe(superclasses={})
    said = run("distill", "--soft-labels", "soft_labels", "--teacher", "semantic", code=1)
    assert said.endswith("Error: no teacher is left: there is nothing to train\n")
