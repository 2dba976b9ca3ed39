"""``dissect`` where the truth is known: what was put into the brains is the part that helps.

At the sample's own size, except for the number of seeds.
"""

import json
from pathlib import Path

import pytest

from helpers.running import project, run

pytestmark = pytest.mark.trains

# Each picture, at the sample's SNR; the label as strongly as it is there, and no other category,
# read without error (correlated 0.95 with what is there) by a decoder that is left unsure.
TRUTHS = {
    "images": (("--seed", "604"), {}),
    "confidence": (
        ("--seed", "605", "--knows", "confidence"),
        {"calibrate": False, "logistic": {"C": [0.003]}},
    ),
}
PARTS = "image-profile,confidence"


@pytest.fixture(params=TRUTHS)
def dissected(request, tmp_path):
    """The truth's name, and what ``dissect`` found, a row a part."""
    simulation, decode = TRUTHS[request.param]
    with project(tmp_path, lambda content: content["decode"].update(decode)) as patch:
        patch.setenv("BRAIN_TEACHER_DEVICE", "cpu")
        run("simulate", "--out", "data/sample", *simulation)
        run("preprocess", "--roi", "HVC", "--out", "outputs/voxels")
        run("decode", "--out", "outputs/soft_labels")
        print(run("dissect", "--part", PARTS, "--seeds", "8", "--out", "runs/dissect"))
        yield request.param, json.loads(Path("runs/dissect/metrics.json").read_text())


def test_what_was_put_in_is_what_helps(dissected):
    truth, found = dissected
    if truth == "images":
        assert "image-profile" in found["helps"] and not found["harms"]
        adds = {row["part"]: row["mean"] for row in found["parts"] if row["against"]}
        assert max(adds, key=adds.get) == "image-profile"
    else:
        assert "confidence" in found["helps"]
        assert "class-profile" not in found["helps"]
        # No category is like another to these brains: beside it nothing is left of the row.
        row = next(row for row in found["parts"] if row["part"] == "confidence")
        assert row["brain_low"] <= 0
