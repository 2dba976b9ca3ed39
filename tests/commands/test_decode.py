"""``decode`` and ``controls`` through the command line: what is written, kept, said and refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from brain_teacher.analysis.image_specific import image_specific
from brain_teacher.decoding import out_of_fold
from brain_teacher.decoding.soft_labels import read_soft_labels
from helpers.running import project, run

ROOT = Path(__file__).parents[2]
RESNET1D = {"width": 4, "steps": 2}
MLP = {"steps": [10, 20], "hidden": 16}


@pytest.fixture(autouse=True)
def no_figures(monkeypatch, request):
    """Drawing takes seconds: one test draws."""
    if "figures" not in request.node.name:
        name = "brain_teacher.chain.decodings.figures.write_figures"
        monkeypatch.setattr(name, lambda *arguments: [])


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Two subjects, 3 categories of 6 pictures, with imagery, cut into three ROIs."""
    folder = tmp_path_factory.mktemp("decode")

    def small(content):
        content["decode"]["voxels"] = 20
        content["decode"]["resnet1d"] |= RESNET1D
        content["decode"]["mlp"] |= MLP
        content["decode"]["logistic"]["C"] = [0.01, 0.1]
        content["distill"] |= {"roi": ["HVC"], "seeds": 2}

    with project(folder, small) as patch:
        patch.setenv("BRAIN_TEACHER_DEVICE", "cpu")
        run(
            *("simulate", "--out", "data/sample", "--subjects", "2", "--categories", "3"),
            *("--shown", "6", "--unseen", "2", "--voxels", "60", "--image-size", "16"),
            *("--imagery", "4", "--seed", "3"),
        )
        run("preprocess", "--roi", "V1,LOC,HVC", "--out", "outputs/voxels")
        yield folder


def change(decode, file="other.yaml"):
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["decode"] |= decode
    Path(file).write_text(yaml.safe_dump(content))
    return ("--params", file)


def test_it_says_beforehand_what_is_new_and_what_is_kept(work):
    said = run("decode", "--out", "one", "--roi", "V1,LOC")
    assert said.splitlines()[0] == "decode: 4 cells, 4 new, 0 kept"
    said = run("decode", "--out", "one")
    assert said.splitlines()[0] == "decode: 6 cells, 2 new, 4 kept"
    said = run("decode", "--out", "one", "--decoder", "logistic,ridge")
    assert said.splitlines()[0] == "decode: 12 cells, 6 new, 6 kept"


def test_another_decoders_settings_make_no_cell_new(work):
    run("decode", "--out", "two", "--roi", "V1")
    params = change({"ridge": {"penalty": [7.0]}})
    said = run("decode", "--out", "two", "--roi", "V1", *params)
    assert said.splitlines()[0] == "decode: 2 cells, 0 new, 2 kept"
    said = run("decode", "--out", "two", "--roi", "V1", *change({"logistic": {"C": [0.2]}}))
    assert said.splitlines()[0] == "decode: 2 cells, 2 new, 0 kept"


def test_every_decoder_writes_soft_labels_that_say_what_they_are(work):
    decoders = "logistic,ridge,features,mlp,resnet1d"
    run("decode", "--out", "all", "--roi", "HVC", "--subject", "S1", "--decoder", decoders)
    for decoder in decoders.split(","):
        labels = read_soft_labels(f"all/S1_HVC_{decoder}.npz")
        assert labels.log_probs.shape == (18, 3)
        meta = labels.meta
        assert (meta["subject"], meta["roi"], meta["decoder"]) == ("S1", "HVC", decoder)
        assert (meta["dataset"], meta["simulated"]) == ("sample", True)
        assert meta["folds"] == {"by": "image", "number": 6, "count": "auto"}
        assert meta["calibrated"] is True and len(meta["temperatures"]) == 6
        assert len(meta["fingerprint"]) == 64
        assert meta["settings"]["voxels"] == 20 and meta["settings"]["own"]
        assert {"top1", "pairwise", "nll", "bits", "ece", "chance"} <= set(meta["quality"])
    assert read_soft_labels("all/S1_HVC_logistic.npz").meta["C"] == pytest.approx(
        [0.01] * 6, rel=20
    )
    features = read_soft_labels("all/S1_HVC_features.npz").meta
    assert features["features"]["weights"] == "untrained"
    found = features["identification"]
    assert found["seen_categories"] == found["imagined_categories"] == 4
    assert found["seen_candidates"] == "test images"


def test_metrics_and_figures(work):
    said = run("decode", "--out", "figures-of", "--roi", "LOC,HVC", "--decoder", "ridge")
    content = json.loads(Path("figures-of/metrics.json").read_text())
    assert (content["dataset"], content["simulated"]) == ("sample", True)
    assert set(content["top1"]) == {"LOC", "HVC"} and len(content["cells"]) == 4
    tables = [read_soft_labels(f"figures-of/{who}_HVC_ridge.npz").sorted() for who in ("S1", "S2")]
    category = np.array([image.split("_")[0] for image in tables[0].image_id])
    folds = [table.fold for table in tables]
    parts = [image_specific(np.exp(table.log_probs), category, *folds).ravel() for table in tables]
    agreed = {row["roi"]: row for row in content["between_subjects"]}
    assert list(agreed) == ["LOC", "HVC"]
    r = np.corrcoef(*parts)[0, 1]
    assert agreed["HVC"]["mean"] == pytest.approx(r)
    assert (agreed["HVC"]["subjects"], agreed["HVC"]["images"]) == (2, 18)
    assert "correlated between 2 subjects over 18 images (chance 0;" in said
    assert f"ridge HVC {r:.2f} {agreed['HVC']['low']:.2f} to" in " ".join(said.split())
    written = sorted(path.name for path in Path("figures-of/figures").iterdir())
    assert written == [
        f"{name}.{ending}"
        for name in ("accuracy", "between_subjects", "guesses", "reliability", "similarity")
        for ending in ("csv", "png")
    ]


def test_a_file_of_ones_own_beside_the_figures_stays(work):
    own = Path("own/figures/notes.txt")
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    said = run("decode", "--out", "own", "--roi", "LOC", "--subject", "S1", "--decoder", "ridge")
    assert "between subjects, LOC: not measured, since there is no second subject" in said
    assert own.read_text() == "mine"
    assert own.with_name("accuracy.png").exists()


def test_nested_soft_labels_hold_nothing_of_test_and_validation_folds(work):
    arguments = ("--roi", "V1", "--subject", "S1", "--decoder", "ridge", "--nested", "true")
    said = run("decode", "--out", "deep", *arguments)
    assert said.splitlines()[0] == "decode: 7 cells, 7 new, 0 kept"
    plain = read_soft_labels("deep/S1_V1_ridge.npz")
    for test in range(6):
        nested = read_soft_labels(f"deep/nested/S1_V1_ridge_fold{test}.npz")
        validation = (test + 1) % 6
        assert nested.meta["nested"] == {"test_fold": test, "validation_fold": validation}
        expected = plain.image_id[~np.isin(plain.fold, [test, validation])]
        assert sorted(nested.image_id) == sorted(expected)
    assert run("decode", "--out", "deep", *arguments).startswith("decode: 7 cells, 0 new, 7 kept")


def test_controls(work):
    said = run("controls", "--out", "controls")
    assert said.splitlines()[0] == "controls: 6 cells, 6 new, 0 kept"
    assert sorted(path.name for path in Path("controls").glob("*.npz")) == [
        f"{subject}_{name}.npz"
        for subject in ("S1", "S2")
        for name in (
            "HVC_logistic_permuted-trials_0",
            "HVC_logistic_permuted-trials_1",
            "time-only_logistic",
        )
    ]
    one, two = (
        read_soft_labels(f"controls/S1_HVC_logistic_permuted-trials_{seed}.npz") for seed in (0, 1)
    )
    assert one.meta["control"] == "permuted-trials" and one.meta["seed"] == 0
    assert not np.array_equal(one.log_probs, two.log_probs)
    timed = read_soft_labels("controls/S1_time-only_logistic.npz").meta
    assert (timed["control"], timed["roi"]) == ("time-only", "time-only")
    for line in said.splitlines()[1:-1]:
        assert "simulated" in line or line.startswith("  ")
    assert run("controls", "--out", "controls").startswith("controls: 6 cells, 0 new, 6 kept")


def test_controls_of_a_decoder_that_is_not_decoded(work):
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["distill"]["decoder"] = "ridge"
    Path("other.yaml").write_text(yaml.safe_dump(content))
    assert run("controls", "--params", "other.yaml", code=2) == (
        "Error: distill.decoder: 'ridge' is not among decode.decoder (logistic)\n"
    )


def test_a_subject_renamed_gives_the_same_soft_labels(work):
    folder = Path("renamed")
    shutil.copytree("data/sample", folder)
    content = yaml.safe_load((folder / "dataset.yaml").read_text())
    content["subjects"] = {"Ada": "bdata/S1.h5"}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content))
    where = ("--data", "renamed", "--roi", "HVC")
    run("preprocess", *where, "--out", "renamed-voxels")
    decoders = ("--decoder", "logistic,ridge,mlp,resnet1d")
    run("decode", *where, "--voxels", "renamed-voxels", "--out", "renamed-labels", *decoders)
    run("decode", "--roi", "HVC", "--subject", "S1", "--out", "first", *decoders)
    for decoder in ("logistic", "ridge", "mlp", "resnet1d"):
        first = read_soft_labels(f"first/S1_HVC_{decoder}.npz")
        other = read_soft_labels(f"renamed-labels/Ada_HVC_{decoder}.npz")
        assert first.image_id.tolist() == other.image_id.tolist()
        np.testing.assert_array_equal(first.log_probs, other.log_probs)


# A person's mistakes


def test_voxels_of_another_data_set(work):
    shutil.copytree("data/sample", "elsewhere")
    content = yaml.safe_load(Path("elsewhere/dataset.yaml").read_text())
    content["name"] = "elsewhere"
    Path("elsewhere/dataset.yaml").write_text(yaml.safe_dump(content))
    assert run("decode", "--data", "elsewhere", "--out", "none", code=1) == (
        "Error: outputs/voxels holds voxels of data set 'sample', but elsewhere is 'elsewhere'; "
        "name the right one with --data or dataset.name\n"
    )
    assert not Path("none").exists()


def test_noise_in_the_voxels_place_is_told_beside_chance(work):
    said = run("decode", "--out", "noise", "--roi", "V1")
    assert "6 folds by image; chance 33.3, 18 images" in said.splitlines()[1]
    (line,) = [line for line in said.splitlines() if line.startswith("noise in the voxels' place")]
    rows = json.loads(Path("noise/metrics.json").read_text())["noise"]
    assert [row["subject"] for row in rows] == ["S1", "S2"]
    for row in rows:
        assert (row["draws"], row["images"]) == (20, 18) and row["p"] > 0.001
        assert f"{row['subject']} {100 * row['top1']:.1f}" in line
    assert line.endswith("; chance 33.3")


def test_noise_above_chance_is_refused_unless_it_is_allowed(work, monkeypatch):
    choose = out_of_fold.best_voxels

    def leaking(data, category, pairs, *arguments, **how):
        """Voxels chosen by all trials, for every fold."""
        everything = [(np.arange(len(data)), [])]
        chosen = choose(data, category, everything, *arguments, **how)
        return chosen and chosen * len(pairs)

    monkeypatch.setattr(out_of_fold, "best_voxels", leaking)
    arguments = ("decode", "--out", "leak", "--roi", "V1", "--subject", "S1")
    # Fewer voxels than there are: all would be no choice.
    said = run(*arguments, *change({"voxels": 3}), code=1)
    assert said.startswith(
        "Error: subject S1: noise in the voxels' place is decoded, "
    ) and said.endswith(
        "): the order of the trials tells categories; change decode.folds.by or decode.normalise, "
        "or allow it (decode.noise_above_chance: allow)\n"
    )
    assert not Path("leak").exists()
    said = run(*arguments, *change({"voxels": 3, "noise_above_chance": "allow"}))
    assert "noise in the voxels' place" in said


def test_more_folds_than_images(work):
    params = change({"folds": {"by": "image", "count": 7}})
    assert run("decode", "--out", "none-7", "--roi", "V1", "--subject", "S1", *params, code=1) == (
        "Error: outputs/voxels/S1_V1.npz: 7 folds by image cannot be made: category 'n99000001' "
        "has 6 images; lower decode.folds.count, or choose auto\n"
    )
    assert not list(Path("none-7").glob("*.npz"))


def test_a_single_run_makes_no_folds(work):
    params = change({"folds": {"by": "round"}})
    said = run("decode", "--out", "none-r", "--roi", "V1", "--subject", "S1", *params, code=1)
    assert said.splitlines()[-1] == (
        "Error: outputs/voxels/S1_V1.npz: folds by round need at least 2; every image has round 1"
    )


def test_features_without_a_file_or_pictures(work):
    settings = yaml.safe_load(Path("params.yaml").read_text())["decode"]["features"]
    params = change({"features": settings | {"source": "file"}})
    arguments = ("--out", "none-f", "--roi", "V1", "--decoder", "features")
    assert run("decode", *arguments, *params, code=1) == (
        "Error: data/sample/ImageFeatures.h5 is missing: put the features file there, or set "
        "decode.features.source: network\n"
    )
    params = change({"features": settings | {"layer": "layer9"}})
    said = run("decode", *arguments, *params, code=1)
    assert said.startswith("Error: data/sample: resnet18 has no layer 'layer9' (it has ")


def test_an_unknown_decoder(work):
    assert run("decode", "--decoder", "rigde", "--out", "none", code=2) == (
        "Error: decode.decoder: there is no 'rigde'; did you mean 'ridge'? "
        "(known: logistic, ridge, features, mlp, resnet1d)\n"
    )
