"""Real voxels (Haxby et al. 2001, one slice), through the commands as a person types them."""

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from scipy.stats import binomtest
from sklearn.feature_selection import f_classif
from sklearn.linear_model import LogisticRegression

from brain_teacher.cli import main
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.reading.text import read_json
from helpers import real_data as real_data

pytestmark = real_data.needs("haxby_slice")

# Fixed before their results were seen.
SHUFFLES = (1, 2, 3)


@pytest.fixture(scope="module")
def params(work):
    """The preset: folds leave a run out."""
    content = yaml.safe_load((real_data.ROOT / "params" / "haxby-slice.yaml").read_text("utf-8"))
    (work / "params.yaml").write_text(yaml.safe_dump(content))
    return content


@pytest.fixture(scope="module")
def decoded(work, params):
    """The slice's data set and soft labels: folders ``data/haxby-slice`` and ``soft_labels``."""
    (work / "data").mkdir()
    real_data.write_haxby(work / "data" / "haxby-slice")
    run("preprocess", "--out", "voxels")
    run("decode", "--voxels", "voxels", "--out", "soft_labels")
    return work / "soft_labels"


def run(*arguments):
    """One call of ``brain-teacher``, which must succeed; what it says is printed."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    print(result.output)


def test_the_slice_has_96_blocks_of_9_volumes():
    voxels, category, block_run, volumes = real_data.haxby_blocks()
    assert voxels.shape == (96, 530)
    assert volumes == [9] * 96
    pairs = set(zip(category.tolist(), block_run.tolist(), strict=True))
    assert len(pairs) == 96 and {r for _, r in pairs} == set(range(1, 13))


def test_real_voxels_haxby(decoded):
    # Reference, C = 1 in scikit-learn: 81/96 = 0.844.
    content = read_json(decoded / "metrics.json")
    (cell,) = content["cells"]
    print(f"blocks: {cell['top1']:.3f} [{cell['top1_low']:.3f}, {cell['top1_high']:.3f}]")
    assert (content["dataset"], content["simulated"]) == ("haxby-slice", False)
    assert (cell["images"], cell["chance"]) == (96, 0.125)
    assert cell["top1"] >= 0.75
    assert cell["nll"] < 1.3  # ln 8 = 2.08 is chance, reference with C = 1: 0.65


def test_scikit_learn_says_the_same_of_each_block(decoded):
    voxels, category, block_run, _ = real_data.haxby_blocks()
    soft_labels = read_soft_labels(decoded / "haxby_slice_logistic.npz")
    settings, answers = soft_labels.meta["settings"], {}
    # float32, as voxel files hold them: in float64 F-scores could choose other voxels.
    z = voxels.astype(np.float32).astype(np.float64)
    for value in np.unique(block_run):
        rows = block_run == value
        z[rows] = (z[rows] - z[rows].mean(axis=0)) / z[rows].std(axis=0)
    # Folds by run are in the order of the runs.
    for value, C in zip(np.unique(block_run), soft_labels.meta["C"], strict=True):
        fit, held_out = block_run != value, block_run == value
        best = np.argsort(-f_classif(z[fit], category[fit])[0])[: settings["voxels"]]
        model = LogisticRegression(C=C, tol=1e-8, max_iter=5000)
        model.fit(z[fit][:, best], category[fit])
        for name, truth in zip(
            model.predict(z[held_out][:, best]), category[held_out], strict=True
        ):
            answers[f"run{value:02d}-{truth}"] = name
    ours = soft_labels.class_id[soft_labels.log_probs.argmax(axis=1)]
    pairs = zip(soft_labels.image_id, ours, strict=True)
    assert sum(answers[image] != name for image, name in pairs) <= 1
    assert sum(image.split("-")[1] == name for image, name in answers.items()) >= 0.70 * 96


def test_labels_permuted_within_runs_decode_at_chance(work, params):
    real_data.write_haxby(work / "data" / "shuffled", shuffles=SHUFFLES)
    run("preprocess", "--data", "data/shuffled", "--out", "shuffled_voxels")
    run(
        "decode",
        *("--data", "data/shuffled", "--voxels", "shuffled_voxels", "--out", "shuffled"),
    )
    cells = read_json(work / "shuffled" / "metrics.json")["cells"]
    assert [cell["subject"] for cell in cells] == [f"shuffled{seed}" for seed in SHUFFLES]
    for cell in cells:
        assert binomtest(round(96 * cell["top1"]), 96, 0.125).pvalue > 0.001, cell


def test_distill_says_that_there_are_no_pictures(decoded):
    result = CliRunner().invoke(main, ["distill", "--soft-labels", str(decoded)])
    assert result.exit_code == 1
    assert result.output == (
        "Error: data set haxby-slice has no pictures (dataset.yaml: pictures: false): voxels can "
        "be decoded, but there is nothing that a student could look at\n"
    )
