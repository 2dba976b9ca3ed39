"""What simulated brains know: that it is there, and that nothing else is."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from brain_teacher.seeds import named_rng
from brain_teacher.simulation import brains
from brain_teacher.simulation.knowledge import KNOWS
from brain_teacher.simulation.noise import draw_noise
from brain_teacher.simulation.stimuli import draw_stimuli, what_labels_name

N = 128  # training pictures, 8 of each category; 4 test pictures follow
AREAS = ["V1", "LOC", "FFA"]


@pytest.fixture(scope="module")
def stimuli():
    """Pictures, mixtures, and what the labels name."""
    drawn = draw_stimuli(categories=16, shown=8, unseen=2, size=24, seed=2)
    ids, pictures, mixtures = (
        np.concatenate(parts) for parts in zip(drawn["shown"], drawn["test"], strict=True)
    )
    return pictures, mixtures, what_labels_name(ids, mixtures, seed=2)


def signal(stimuli, area, knows, *, n_voxels=200):
    """What an area's voxels say of the training pictures, each shown once and in their order."""
    *seen, named = stimuli
    parts = (
        KNOWS[knows].known(values, named)
        for values in brains.what_is_seen(brains.AREAS[area], *seen)
    )
    is_training = np.arange(len(named.category)) < N
    drawn = {"n_voxels": n_voxels, "rng": named_rng(1, area)}
    return brains.draw_signal(brains.AREAS[area], *parts, is_training, **drawn)[:N]


def distances(values):
    return np.sqrt(((values[:, None] - values) ** 2).mean(axis=2))


def test_labels_name_the_heavier_or_the_lighter_object_and_another_picture(stimuli):
    _, mixtures, named = stimuli
    assert np.bincount(named.category).tolist() == [8] * 16 + [1] * 4
    np.testing.assert_array_equal(named.superclass, named.category // 4)
    rows = np.arange(N)
    np.testing.assert_array_equal(named.weight[:N], mixtures[rows, rows // 8])
    assert 0.1 < (named.weight[:N] < 0.5).mean() < 0.5
    np.testing.assert_array_equal(named.category[named.other], named.category)
    np.testing.assert_array_equal(np.sort(named.other), np.arange(N + 4))
    assert (named.other[:N] != rows).all() and (
        named.other[N:] == rows[-1] + 1 + np.arange(4)
    ).all()


def test_what_is_imagined_is_no_picture_of_its_category(stimuli):
    ids, mixtures = ["n99100001_1", "n99100002_1", "n99100001"], np.eye(20)[[16, 17, 16]]
    named = what_labels_name(ids, mixtures, seed=2)
    assert len(set(named.category)) == 3 and named.other.tolist() == [0, 1, 2]
    assert named.superclass[0] == named.superclass[1] != named.superclass[2]
    assert named.weight.tolist() == [1, 1, 1]


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize(
    ("knows", "groups"),
    [
        *((knows, "category") for knows in ("classes", "labels", "kin")),
        ("superclass", "superclass"),
    ],
)
def test_a_brain_that_knows_groups_says_the_same_of_all_their_pictures(
    area, knows, groups, stimuli
):
    group = getattr(stimuli[2], groups)[:N]
    known = signal(stimuli, area, knows)
    means = np.stack([known[group == k].mean(axis=0) for k in np.unique(group)])
    # Nothing is left of the single picture but rounding, of which there is plenty without.
    np.testing.assert_allclose(known, means[group], rtol=0, atol=1e-12)
    single = signal(stimuli, area, "images")
    assert (
        single - np.stack([single[group == k].mean(axis=0) for k in np.unique(group)])[group]
    ).std() > 0.5
    assert distances(means)[~np.eye(len(means), dtype=bool)].min() > 0.1
    assert known.std(axis=0).mean() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("area", AREAS)
def test_classes_are_alike_as_their_superclasses_are_and_labels_are_not(area, stimuli):
    shape = np.arange(16) // 4
    pairs, same = ~np.eye(16, dtype=bool), shape[:, None] == shape
    ratio = {}
    for knows in ("classes", "labels", "kin"):
        distance = distances(signal(stimuli, area, knows, n_voxels=2000)[::8])
        ratio[knows] = distance[same & pairs].mean() / distance[~same].mean()
    if area == "LOC":  # which tells meaning
        assert ratio["classes"] < 0.9
    assert ratio["kin"] < 0.9
    assert ratio["labels"] == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("area", AREAS)
def test_confidence_is_the_label_as_strongly_as_the_picture_shows_it(area, stimuli):
    known, weight = signal(stimuli, area, "confidence"), stimuli[2].weight[:N]
    slopes = []
    for rows in np.arange(N).reshape(16, 8):
        # Of one category: a line, whose place the weight says, and the weight alone.
        design = np.stack([np.ones(8), weight[rows]], axis=1)
        (_, slope), residual, *_ = np.linalg.lstsq(design, known[rows], rcond=None)
        assert residual.max() < 1e-20
        slopes.append(slope)
    cosine = np.corrcoef(slopes)[~np.eye(16, dtype=bool)]
    assert np.std(slopes) > 0.5 and abs(cosine).max() < 0.4  # 200 voxels: an SD of 0.07


@pytest.mark.parametrize("area", AREAS)
def test_others_are_the_same_signals_of_other_pictures(area, stimuli):
    found, own = signal(stimuli, area, "others"), signal(stimuli, area, "images")
    np.testing.assert_allclose(found, own[stimuli[2].other[:N]], atol=1e-12)


def test_a_recording_lacks_what_is_not_known_and_nothing_else(stimuli):
    *seen, named = stimuli
    trials = brains.draw_trials(N, 4, rng=named_rng(2, "trials"))
    drawn = {"sizes": brains.area_sizes(580), "subject": "S1", "seed": 2}
    # The same noise twice, so that its difference is gain x signal, of one gain a run.
    loud, still = (
        brains.draw_voxels(*seen, trials, snr=snr, knows="classes", named=named, **drawn)
        for snr in (4, 0)
    )
    rows = (trials.data_type == brains.TRAINING) & (trials.run == 1)
    told, category = (loud - still)[rows], named.category[trials.picture[rows]]
    for k in np.unique(category):
        assert np.ptp(told[category == k], axis=0).max() <= 2 / 64  # rounded twice
    assert np.ptp(told, axis=0).min() > 1


# SNRs at which a single subject is right about as often as the sample's.
DECODED = {
    "images": 0.4,
    "others": 0.4,
    "classes": 0.1,
    "superclass": 0.4,
    "confidence": 0.4,
    "labels": 0.1,
    "kin": 0.1,
}


@pytest.fixture(scope="module")
def tables(stimuli):
    """Out-of-fold probabilities (128, 16) of a decoder of LOC, by what the brain knows."""
    truth, found = stimuli[2].category[:N], {}
    for knows, snr in DECODED.items():
        noise = draw_noise(N, 300, rng=named_rng(3, knows))
        voxels = np.sqrt(snr) * signal(stimuli, "LOC", knows, n_voxels=300) + noise
        decoder = LogisticRegression(C=0.01, max_iter=500)
        found[knows] = cross_val_predict(decoder, voxels, truth, cv=4, method="predict_proba")
    return found


def within_classes(values):
    """Less the mean of each class; rows are in the order of the classes."""
    return values - np.repeat(values.reshape(16, 8, -1).mean(axis=1), 8, axis=0)


def correlation(one, other):
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


def probe(table, stimuli):
    """What a table knows: numbers that are 0 (or chance) where it does not."""
    _, mixtures, named = stimuli
    rows, truth = np.arange(N), named.category[:N]
    own = table[rows, truth]
    beside = np.delete(table, rows * 16 + truth).reshape(N, 15)
    there = np.delete(mixtures[:N, :16], rows * 16 + truth).reshape(N, 15)
    same = np.add.reduceat(table, [0, 4, 8, 12], axis=1)[rows, truth // 4]
    return {
        "top1": (table.argmax(axis=1) == truth).mean(),
        "superclass": same.mean(),
        # Of what is not the true class, the share on its superclass; by chance 3 of 15.
        "like": ((same - own) / (1 - own)).mean(),
        "weight": correlation(within_classes(own), within_classes(named.weight[:N])),
        "picture": correlation(within_classes(beside), within_classes(there)),
        "largest": table.max(axis=1).mean(),
    }


# Between which two numbers each probe lies. Of 128 pictures a correlation of nothing has an SD of
# 0.09 or less; an even table has 1/16, 1/4 and 1/5.
FOUND = {
    "images": {"weight": (0.4, 0.9), "picture": (0.5, 0.95), "like": (0.3, 0.5)},
    "others": {"top1": (0.5, 0.9), "like": (0.3, 0.5)},
    "classes": {"top1": (0.6, 0.9), "like": (0.24, 0.5)},
    "superclass": {"top1": (0.15, 0.4), "superclass": (0.6, 0.95), "like": (0.6, 0.95)},
    "confidence": {"weight": (0.6, 1), "like": (0.17, 0.23)},
    "labels": {"top1": (0.6, 0.9), "like": (0.17, 0.23)},
    "kin": {"top1": (0.4, 0.95), "like": (0.3, 0.9)},
}
NOTHING = {"weight": (-0.3, 0.3), "picture": (-0.25, 0.25)}


@pytest.mark.parametrize("knows", DECODED)
def test_a_decoder_finds_what_is_known_and_no_more(knows, tables, stimuli):
    found = probe(tables[knows], stimuli)
    for name, (low, high) in (NOTHING | FOUND[knows]).items():
        assert low < found[name] < high, (name, found)
    # Neither one-hot nor even, so that teachers that are made of it differ.
    assert 2 / 16 < found["largest"] < 0.9
