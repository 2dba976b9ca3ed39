"""GOD's real trials, and pictures of the 59 of its 150 categories that are in ILSVRC 2012."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from brain_teacher.dataset.bdata import write_bdata
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.sources.imagenet.pretraining import seen_by_pretraining
from helpers.pictures import write_folder
from helpers.recordings import GOD_TRIALS, needs_god
from helpers.running import ROOT, run

pytestmark = [needs_god, pytest.mark.full]
SUBJECTS = ("S1", "S5")  # whose runs make rounds in order, and out of order


@pytest.fixture(scope="module")
def god(work):
    """A data set of two subjects with made-up voxels, and an ImageNet tree of the 59 synsets."""
    trials = pd.read_csv(GOD_TRIALS)
    trials = trials[trials["one_back_repeat"] == 0]
    data = work / "data" / "god"
    (data / "bdata").mkdir(parents=True)
    for number, subject in enumerate(SUBJECTS):
        own, rng = trials[trials["subject"] == subject], np.random.default_rng(number)
        voxels = rng.standard_normal((len(own), 60))
        training = (own["data_type"] == 1).to_numpy()
        voxels[training] += rng.standard_normal((151, 60))[own["category_index"][training]]
        labels = {"stimulus_id": "stimulus_id", "Run": "run", "DataType": "data_type"}
        write_bdata(
            data / f"bdata/{subject}.h5",
            voxels,
            rois={"VC": np.ones(60, bool)},
            labels={name: own[column].to_numpy(float) for name, column in labels.items()},
        )
    (data / "dataset.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "god",
                "simulated": True,
                "subjects": {who: f"bdata/{who}.h5" for who in SUBJECTS},
                "roi": ["VC"],
                "pictures": False,
            }
        )
    )
    training = trials[trials["data_type"] == 1].drop_duplicates("image_id")
    there = training[seen_by_pretraining(training["category"])]
    names = there["image_id"].tolist()
    names += [f"{synset}_{k}" for synset in there["category"].unique() for k in (900001, 900002)]
    write_folder(work / "ILSVRC2012" / "train", [f"{name}.JPEG" for name in names])
    return sorted(there["category"].unique())


def test_59_outputs_and_chance_of_one_in_59(god):
    given = ("--params", str(ROOT / "params" / "god.yaml"))
    said = run("images", *given, "--from", "ILSVRC2012", "--unseen", "2").splitlines()
    assert said == [
        "images: 472 of 1,200 shown (728 missing), 118 unseen of 59 categories (59 validation, "
        "59 test; 0 passed over) -> data/god",
        "59 of 150 categories have pictures: outputs, chance and controls count these; the others "
        "are in data/god/images/missing.csv",
    ]
    assert "caution: 59 of 150 categories have pictures" in run("check", *given, "data/god")
    run("preprocess", *given, "--out", "voxels")
    said = run("decode", *given, "--voxels", "voxels", "--out", "soft_labels")
    assert "god, 59 of 150 categories (simulated); 8 folds by round; chance 1.7, 472 images" in said
    for subject in SUBJECTS:
        table = read_soft_labels(f"soft_labels/{subject}_VC_logistic.npz")
        assert table.class_id.tolist() == god and table.log_probs.shape == (472, 59)
        assert table.meta["quality"]["chance"] == 1 / 59
        assert table.meta["quality"]["top1_low"] > 1 / 59
    metrics = json.loads(Path("soft_labels/metrics.json").read_text())
    assert [row["images"] for row in metrics["noise"]] == [472, 472]
