"""``simulate``: the folder that it writes."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from brain_teacher.cells.cell import FileInput
from brain_teacher.chain.voxels import RecordingCell
from brain_teacher.commands.simulate import DEFAULTS, SIZES, simulate
from brain_teacher.dataset.bdata import read_bdata, write_bdata
from brain_teacher.dataset.description import read_description
from brain_teacher.dataset.ids import image_ids_from_numbers
from brain_teacher.dataset.stimuli import name_trials
from brain_teacher.dataset.trials import Voxels
from brain_teacher.decoding.controls import time_voxels
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from brain_teacher.decoding.rounds import find_rounds
from brain_teacher.errors import UsageError
from brain_teacher.simulation.knowledge import KNOWS
from brain_teacher.simulation.stimuli import draw_stimuli
from helpers.recordings import count_hits, p_of_chance

SMALL = {
    "snr": 0.4, "subjects": 2, "categories": 16, "shown": 2, "unseen": 3,
    "voxels": 58, "image_size": 24, "seed": 3,
}  # fmt: skip


def make(folder, **changes):
    lines = []
    simulate(folder, **(SMALL | changes), say=lines.append)
    return lines


def contents(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulate") / "one" / "tiny_sample"
    make(folder)
    return folder


@pytest.fixture(scope="module")
def recording(sample):
    return read_bdata(sample / "bdata" / "S1.h5")


def test_the_same_settings_give_the_same_bytes(sample, tmp_path):
    make(tmp_path / "two" / "tiny_sample")
    first, second = contents(sample), contents(tmp_path / "two" / "tiny_sample")
    assert list(first) == list(second)
    assert [name for name in first if first[name] != second[name]] == []


def test_another_seed_gives_other_pictures_and_voxels(sample, tmp_path):
    make(tmp_path / "tiny_sample", seed=4)
    first, second = contents(sample), contents(tmp_path / "tiny_sample")
    assert list(first) == list(second)
    assert all(first[name] != second[name] for name in first)


def test_fewer_subjects_voxels_or_signal_leave_the_rest_as_it_was(sample, tmp_path):
    fewer, first = tmp_path / "fewer", contents(sample)
    make(fewer, subjects=1)
    left = contents(fewer)
    assert "bdata/S2.h5" not in left
    assert left.pop("dataset.yaml") != first["dataset.yaml"]
    assert left == {name: first[name] for name in left}
    make(tmp_path / "none", snr=0)
    silent = contents(tmp_path / "none")
    changed = {name for name in first if silent[name] != first[name]}
    assert changed == {"dataset.yaml", "bdata/S1.h5", "bdata/S2.h5"}


def test_every_category_has_its_pictures(sample):
    training = [f"n{99000001 + c}" for c in range(16)]
    test = [f"n{99100001 + c}" for c in range(4)]
    expected = {f"shown/{c}_{n}.png" for c in training for n in (1, 2)}
    expected |= {f"shown/{c}_1.png" for c in test}
    expected |= {f"unseen/{c}/{c}_{n}.png" for c in training for n in (3, 4, 5)}
    found = {str(p.relative_to(sample / "images")) for p in (sample / "images").rglob("*.png")}
    assert found == expected
    assert set(contents(sample)) == {f"images/{name}" for name in expected} | {
        "dataset.yaml", "bdata/S1.h5", "bdata/S2.h5",
    }  # fmt: skip
    for name in sorted(found)[:3]:
        with Image.open(sample / "images" / name) as image:
            assert (image.size, image.mode, image.format) == ((24, 24), "RGB", "PNG")


def test_the_description_says_simulated_and_how(sample):
    description = read_description(sample)
    assert description.name == "tiny-sample"
    assert description.simulated is True
    assert description.source == "Simulated brains and pictures; no real recording"
    assert description.subjects == {"S1": "bdata/S1.h5", "S2": "bdata/S2.h5"}
    assert description.roi == ["V1", "V2", "V3", "V4", "LOC", "FFA", "PPA", "LVC", "HVC", "VC"]
    assert len(description.categories) == 20
    assert description.categories["n99000007"] == "square, vertical stripes"
    assert description.superclasses["n99000007"] == "square"
    assert description.superclasses["n99100004"] == "ring"
    assert description.simulation == SMALL | {"snr_per_subject": [0.4, 0.3]}


def test_bdpy_selects_each_roi(sample):
    import bdpy

    bdata = bdpy.BData(str(sample / "bdata" / "S1.h5"))
    counts = {key: bdata.select(f"ROI_{key} = 1").shape for key in ("V1", "LVC", "HVC", "VC")}
    assert counts == {"V1": (64, 8), "LVC": (64, 22), "HVC": (64, 30), "VC": (64, 58)}
    assert bdata.select("ROI_V1 = 1 | ROI_V2 = 1").shape == (64, 16)


def test_labels_stand_in_the_order_of_god(sample):
    import bdpy

    bdata = bdpy.BData(str(sample / "bdata" / "S1.h5"))
    labels = ["DataType", "Run", "Block", "stimulus_id", "category_index", "image_index"]
    for column, key in enumerate(labels, start=58):
        np.testing.assert_array_equal(bdata.select(key)[:, 0], bdata.dataset[:, column])


def test_trials_are_numbered_by_data_type_run_and_block(recording):
    _, _, labels = recording
    np.testing.assert_array_equal(labels["DataType"], np.repeat([1, 2], 32))
    np.testing.assert_array_equal(labels["Run"], np.repeat([1, 1, 2], [32, 16, 16]))
    blocks = np.concatenate([np.arange(1, n + 1) for n in (32, 16, 16)])
    np.testing.assert_array_equal(labels["Block"], blocks)


def test_stimulus_ids_are_exact_and_name_pictures_that_are_there(sample, recording):
    _, _, labels = recording
    ids = image_ids_from_numbers(labels["stimulus_id"])
    shown = {path.stem for path in (sample / "images" / "shown").iterdir()}
    assert set(ids.tolist()) == shown
    row = ids.tolist().index("n99000016_2")
    assert labels["stimulus_id"][row] == 99000016.000002
    is_training = labels["DataType"] == 1
    assert len(set(ids[is_training])) == 32
    assert set(np.unique(ids[~is_training], return_counts=True)[1]) == {8}


@pytest.mark.parametrize("data_type", [1, 2])
def test_indices_count_the_sorted_ids_of_a_data_type(recording, data_type):
    _, _, labels = recording
    rows = labels["DataType"] == data_type
    ids = image_ids_from_numbers(labels["stimulus_id"][rows])
    categories = [image_id.split("_")[0] for image_id in ids]
    for key, names in (("image_index", ids.tolist()), ("category_index", categories)):
        rank = {name: position for position, name in enumerate(sorted(set(names)), start=1)}
        assert labels[key][rows].tolist() == [rank[name] for name in names]


def test_voxels_are_64ths_and_lie_apart(sample, recording):
    import bdpy

    voxels, _, _ = recording
    np.testing.assert_array_equal(voxels * 64, np.rint(voxels * 64))
    bdata = bdpy.BData(str(sample / "bdata" / "S1.h5"))
    places = np.stack([bdata.get_metadata(f"voxel_{axis}")[:58] for axis in "xyz"], axis=1)
    assert len(np.unique(places, axis=0)) == 58


def test_subjects_see_the_pictures_in_different_orders(sample):
    orders = [
        read_bdata(sample / "bdata" / f"{subject}.h5")[2]["stimulus_id"] for subject in ("S1", "S2")
    ]
    assert (orders[0] != orders[1]).mean() > 0.8
    np.testing.assert_array_equal(np.sort(orders[0]), np.sort(orders[1]))


def test_a_single_picture_of_the_recording_is_the_one_that_the_voxels_saw(tmp_path):
    # Almost without noise, equal pictures have equal voxels within a run: ids and rows agree.
    make(tmp_path / "loud", snr=100, voxels=580, subjects=1)
    voxels, rois, labels = read_bdata(tmp_path / "loud" / "bdata" / "S1.h5")
    rows = (labels["DataType"] == 2) & (labels["Run"] == 1)
    voxels, ids = voxels[rows][:, rois["VC"]], labels["stimulus_id"][rows]
    distance = np.linalg.norm(voxels[:, None] - voxels, axis=2)
    same = ids[:, None] == ids
    assert distance[same].max() < distance[~same].min()


# The knobs. With their defaults the bytes are those of before (the module's other tests).


def labels_of(folder, subject="S1"):
    return read_bdata(folder / "bdata" / f"{subject}.h5")[2]


def test_a_shared_order_is_the_same_for_all_subjects_trial_by_trial(sample, tmp_path):
    make(tmp_path / "shared", order="shared", subjects=3)
    orders = [labels_of(tmp_path / "shared", subject) for subject in ("S1", "S2", "S3")]
    training = orders[0]["DataType"] == 1
    for other in orders[1:]:
        for label in ("stimulus_id", "Run", "Block"):
            np.testing.assert_array_equal(orders[0][label][training], other[label][training])
        # As in GOD, test pictures come in orders that differ.
        assert (orders[0]["stimulus_id"] != other["stimulus_id"])[~training].mean() > 0.5
    # The brains are still different ones, and pictures the same as without.
    voxels = [read_bdata(tmp_path / "shared" / "bdata" / f"{s}.h5")[0] for s in ("S1", "S2")]
    assert (voxels[0] != voxels[1]).mean() > 0.9
    changed = {
        name
        for name, bytes_ in contents(sample).items()
        if contents(tmp_path / "shared")[name] != bytes_
    }
    assert changed == {"dataset.yaml", "bdata/S1.h5", "bdata/S2.h5"}


def test_rounds_hold_every_category_in_two_runs(tmp_path):
    make(tmp_path / "rounds", design="rounds", shown=4)
    for subject in ("S1", "S2"):
        labels = labels_of(tmp_path / "rounds", subject)
        training = labels["DataType"] == 1
        run = labels["Run"][training]
        assert np.bincount(run.astype(int))[1:].tolist() == [8] * 8
        found = find_rounds(run, labels["category_index"][training])
        np.testing.assert_array_equal(found, (run + 1) // 2)
    own = [labels_of(tmp_path / "rounds", subject)["stimulus_id"] for subject in ("S1", "S2")]
    assert (own[0] != own[1]).mean() > 0.5


def test_rounds_of_too_few_categories_are_refused(tmp_path):
    with pytest.raises(UsageError) as caught:
        make(tmp_path / "rounds", design="rounds", categories=3, shown=4)
    assert str(caught.value) == (
        "design is 'rounds', but 3 categories can be divided between two runs in 3 ways, but there "
        "are 4 rounds; give more categories, or fewer pictures of each"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_drift_is_added_and_changes_nothing_else(sample, tmp_path):
    make(tmp_path / "drift", drift=1.0)
    before, after = contents(sample), contents(tmp_path / "drift")
    assert {name for name in before if before[name] != after[name]} == {
        "dataset.yaml", "bdata/S1.h5", "bdata/S2.h5",
    }  # fmt: skip
    (still, _, one), (moved, _, other) = (
        read_bdata(folder / "bdata" / "S1.h5") for folder in (sample, tmp_path / "drift")
    )
    assert all((one[label] == other[label]).all() for label in one)
    added = (moved - still)[one["DataType"] == 1]
    assert added.std(axis=0).mean() == pytest.approx(1, rel=1e-3)


def test_imagined_categories_are_rows_of_data_type_3_with_whole_numbers(recording, tmp_path):
    make(tmp_path / "imagery", imagery=6)
    voxels, _, labels = read_bdata(tmp_path / "imagery" / "bdata" / "S1.h5")
    rows = labels["DataType"] == 3
    assert rows.sum() == 24 and not rows[:64].any()
    numbers, counts = np.unique(labels["stimulus_id"][rows], return_counts=True)
    assert numbers.tolist() == [99100001, 99100002, 99100003, 99100004] and set(counts) == {6}
    np.testing.assert_array_equal(
        labels["category_index"][rows], labels["stimulus_id"][rows] - 99100000
    )
    assert labels["Run"][rows].tolist() == [1] * 12 + [2] * 12
    assert labels["Block"][rows].tolist() == [*range(1, 13)] * 2
    # The other rows are as without.
    np.testing.assert_array_equal(voxels[:64], recording[0])
    for label, column in recording[2].items():
        np.testing.assert_array_equal(labels[label][:64], column)
    # As the data set's readers name them.
    named = name_trials(labels["stimulus_id"], None, data_type=labels["DataType"])
    assert set(named["image_id"][rows]) == {f"n9910000{k}" for k in (1, 2, 3, 4)}


@pytest.mark.parametrize(
    "knob", [*({"knows": name} for name in KNOWS if name != "images"), {"noise_seed": 1}]
)
def test_what_brains_know_and_their_noise_change_voxels_and_nothing_else(knob, sample, tmp_path):
    make(tmp_path / "other", **knob)
    before, after = contents(sample), contents(tmp_path / "other")
    assert list(before) == list(after)
    assert {name for name in before if before[name] != after[name]} == {
        "dataset.yaml", "bdata/S1.h5", "bdata/S2.h5",
    }  # fmt: skip
    for subject in ("S1", "S2"):
        voxels, others = (
            read_bdata(folder / "bdata" / f"{subject}.h5")[0]
            for folder in (sample, tmp_path / "other")
        )
        one, other = (labels_of(folder, subject) for folder in (sample, tmp_path / "other"))
        # Of a test category there is no other picture.
        assert (voxels != others)[one["DataType"] == 1].mean() > 0.9
        assert all((one[label] == other[label]).all() for label in one)


@pytest.mark.parametrize("other", ["classes", "others"])
def test_where_less_is_known_imagery_is_as_it_was(other, tmp_path):
    # An imagined category is no picture of it, and is not averaged or exchanged with any.
    means = []
    for knows in ("images", other):
        make(tmp_path / knows, knows=knows, imagery=4, snr=100)
        voxels, rois, labels = read_bdata(tmp_path / knows / "bdata" / "S1.h5")
        voxels, ids = voxels[:, rois["LOC"]], labels["stimulus_id"]
        rows = labels["DataType"] == 3
        means.append(
            [voxels[rows & (ids == number)].mean(axis=0) for number in np.unique(ids[rows])]
        )
    means = np.array(means) - np.mean(means, axis=1, keepdims=True)
    assert np.corrcoef(means.reshape(2, -1))[0, 1] > 0.9


def test_the_description_says_which_knobs_were_turned(tmp_path):
    knobs = {"order": "shared", "design": "rounds", "drift": 0.5, "imagery": 2}
    knobs |= {"knows": "classes", "noise_seed": 0}
    for name, value in knobs.items():
        make(tmp_path / name, **{name: value})
        simulation = read_description(tmp_path / name).simulation
        assert simulation == SMALL | {name: value, "snr_per_subject": [0.4, 0.3]}


def cut(file, roi):
    """The Voxels of an ROI, as `preprocess` cuts them."""
    cell = RecordingCell(
        name="S1", dataset="toy", simulated=True, subject="S1", recording=FileInput.of(file),
        stimuli=None, rois=(roi,),
    )  # fmt: skip
    arrays = cell.run(None)[f"S1_{roi}.npz"]
    del arrays["meta"]
    return Voxels(**arrays)


def test_the_place_of_a_trial_is_its_block(sample, tmp_path):
    # Rows out of order: Block knows the order of time.
    file = tmp_path / "S1.h5"
    voxels, rois, labels = read_bdata(sample / "bdata" / "S1.h5")
    order = np.random.default_rng(1).permutation(64)
    write_bdata(
        file, voxels[order], rois=rois, labels={name: c[order] for name, c in labels.items()}
    )
    found = cut(file, "V1")
    np.testing.assert_array_equal(found.position, labels["Block"][order])
    del labels["Block"]
    write_bdata(file, voxels, rois=rois, labels=labels)
    rows = cut(file, "V1").position
    np.testing.assert_array_equal(rows[order], found.position)


@pytest.mark.full
@pytest.mark.parametrize("decoder", ["logistic", "ridge"])
def test_a_drift_over_a_shared_order_is_not_decoded_by_round(tmp_path, decoder):
    """Brains that see nothing, and drift alike while all see one order."""
    own = {"logistic": {"C": [0.01]}, "ridge": {"penalty": [100.0]}}[decoder]

    def hits(voxels, normalise):
        found = DECODERS[decoder].decode(
            voxels,
            plan_for(voxels, by="round"),
            normalise=normalise,
            select="f-score",
            n_voxels=300,
            calibrate=False,
            **own,
        )
        return count_hits(found, voxels)

    knobs = {"snr": 0, "order": "shared", "design": "rounds", "drift": 1.0}
    sizes = {"subjects": 3, "shown": 8, "voxels": 580}
    by_time, by_voxels = [], []
    for seed in (10, 11, 12, 13):  # fixed before any was looked at
        folder = tmp_path / str(seed)
        make(folder, seed=seed, **knobs, **sizes)
        of_seed = []
        for subject in ("S1", "S2", "S3"):
            voxels = training_trials(cut(folder / "bdata" / f"{subject}.h5", "HVC"))
            of_seed.append(hits(time_voxels(voxels), "fold"))
            by_voxels += [hits(voxels, "run"), hits(voxels, "fold")]
        # Time is the same for all who share an order: one result a seed.
        assert len(set(of_seed)) == 1
        by_time.append(of_seed[0])
    assert p_of_chance(sum(by_time), 4 * 128, 16) > 0.001, by_time
    # Two scalings of the same recordings are no independent draws, so each by itself.
    for found in (by_voxels[::2], by_voxels[1::2]):
        assert p_of_chance(sum(found), 12 * 128, 16) > 0.001, found


@pytest.mark.parametrize("categories", [2, 3, 4, 5])
def test_few_categories_and_the_least_of_everything_work(tmp_path, categories):
    least = {name: limits[0] for name, (_, limits, _) in SIZES.items()}  # of choices, the first
    make(tmp_path / "least", **(least | {"categories": categories}))
    description = read_description(tmp_path / "least")
    assert len(description.categories) == categories + 4
    voxels, rois, _ = read_bdata(tmp_path / "least" / "bdata" / "S1.h5")
    assert voxels.shape == (2 * categories + 32, 20) and np.isfinite(voxels).all()
    assert min(mask.sum() for mask in rois.values()) == 2


def test_pictures_hold_no_category_that_was_not_asked_for():
    stimuli = draw_stimuli(categories=5, shown=2, unseen=20, size=24, seed=3)
    for name, (ids, _, mixtures) in stimuli.items():
        assert len(ids) == len(mixtures)
        assert not mixtures[:, 5:16].any(), name


def test_it_says_what_it_wrote(tmp_path):
    folder = tmp_path / "sample"
    assert make(folder, categories=2) == [
        f"simulated 2 subjects and 14 pictures in {folder} (SNR 0.4 in S1)"
    ]


BAD = [
    ("snr", -0.1, "snr is -0.1; give a number from 0 to 100"),
    ("snr", float("nan"), "snr is nan; give a number from 0 to 100"),
    ("subjects", 0, "subjects is 0; give a whole number from 1 to 99"),
    ("subjects", 1.5, "subjects is 1.5; give a whole number from 1 to 99"),
    ("categories", 17, "categories is 17; give a whole number from 2 to 16"),
    ("shown", 1, "shown is 1; give a whole number from 2 to 1000"),
    ("unseen", 1, "unseen is 1; give a whole number from 2 to 10000"),
    ("voxels", 19, "voxels is 19; give a whole number from 20 to 100000"),
    ("image_size", 11, "image_size is 11; give a whole number from 12 to 256"),
    ("seed", -1, "seed is -1; give a whole number from 0 to 4294967295"),
    ("order", "mine", "order is 'mine'; give own or shared"),
    ("design", "", "design is ''; give shuffled or rounds"),
    ("drift", -1.0, "drift is -1.0; give a number from 0 to 100"),
    ("imagery", 0.5, "imagery is 0.5; give a whole number from 0 to 1000"),
    ("imagery", 1001, "imagery is 1001; give a whole number from 0 to 1000"),
    (
        "knows",
        "all",
        "knows is 'all'; give images, others, classes, superclass, confidence, labels or kin",
    ),
    ("noise_seed", -1, "noise_seed is -1; give a whole number from 0 to 4294967295"),
    ("noise_seed", 0.5, "noise_seed is 0.5; give a whole number from 0 to 4294967295"),
]


@pytest.mark.parametrize(("name", "value", "message"), BAD)
def test_a_setting_out_of_range_is_refused(tmp_path, name, value, message):
    with pytest.raises(UsageError) as caught:
        make(tmp_path / "sample", **{name: value})
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError) as caught:
        make(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} exists already; choose another folder with --out, or remove it"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_every_default_has_limits_that_hold_it():
    assert list(DEFAULTS) == list(SIZES)
    for name, (_, limits, _) in SIZES.items():
        value = DEFAULTS[name]
        if value is None:  # not asked for
            continue
        assert value in limits if isinstance(value, str) else limits[0] <= value <= limits[1]


def test_reading_the_defaults_loads_nothing_heavy():
    code = (
        "import sys, brain_teacher.commands.simulate;"
        "print(sorted({'numpy', 'h5py', 'PIL', 'yaml', 'pydantic', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
