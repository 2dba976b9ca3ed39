"""Simulated brains: what is in a recording, and that nothing else is."""

import dataclasses

import numpy as np
import pytest

from brain_teacher.decoding.rounds import find_rounds
from brain_teacher.seeds import named_rng
from brain_teacher.simulation import brains
from brain_teacher.simulation.pictures import N_CATEGORIES, draw_mixtures, draw_pictures

SIZES = brains.area_sizes(580)


@pytest.fixture(scope="module")
def stimuli():
    """Pictures and mixtures of 16 x 8 training pictures and 4 test pictures."""
    named = np.concatenate([np.repeat(np.arange(16), 8), np.arange(16, 20)])
    mixtures = draw_mixtures(named, n_categories=16, rng=named_rng(2, "mixtures"))
    return draw_pictures(mixtures, size=24, rng=named_rng(2, "pictures")), mixtures


@pytest.fixture(scope="module")
def trials():
    return brains.draw_trials(128, 4, rng=named_rng(2, "trials"))


def draw(stimuli, trials, *, snr=0.4, subject="S1", seed=2, sizes=SIZES, **more):
    return brains.draw_voxels(
        *stimuli, trials, sizes=sizes, snr=snr, subject=subject, seed=seed, **more
    )


def signal_of(stimuli, trials, area, **drawn):
    """What an area's voxels say in each trial."""
    seen = (each[trials.picture] for each in brains.what_is_seen(area, *stimuli))
    return brains.draw_signal(area, *seen, trials.data_type == brains.TRAINING, **drawn)


def test_training_pictures_are_shown_once_in_runs_of_32_and_shuffled(trials):
    is_training = trials.data_type == brains.TRAINING
    shown = trials.picture[is_training]
    np.testing.assert_array_equal(np.sort(shown), np.arange(128))
    assert (np.diff(shown) == 1).mean() < 0.1
    np.testing.assert_array_equal(trials.run[is_training], np.repeat([1, 2, 3, 4], 32))
    np.testing.assert_array_equal(trials.block[is_training], np.tile(np.arange(1, 33), 4))


def test_test_pictures_are_shown_eight_times_in_two_runs_of_16(trials):
    is_test = trials.data_type == brains.TEST
    np.testing.assert_array_equal(trials.run[is_test], np.repeat([1, 2], 16))
    np.testing.assert_array_equal(trials.block[is_test], np.tile(np.arange(1, 17), 2))
    for run in (1, 2):
        shown = trials.picture[is_test & (trials.run == run)]
        np.testing.assert_array_equal(np.sort(shown), np.repeat([128, 129, 130, 131], 4))


def test_a_shared_generator_gives_the_training_order_and_nothing_else():
    one, other = (
        brains.draw_trials(128, 4, rng=named_rng(name), training_rng=named_rng("shared"))
        for name in ("S1", "S2")
    )
    is_training = one.data_type == brains.TRAINING
    np.testing.assert_array_equal(one.picture[is_training], other.picture[is_training])
    assert (one.picture != other.picture)[~is_training].mean() > 0.5


def test_categories_of_the_pictures_make_rounds():
    category = np.repeat(np.arange(16), 8)
    drawn = brains.draw_trials(128, 4, rng=named_rng(1), category=category)
    is_training = drawn.data_type == brains.TRAINING
    run, shown = drawn.run[is_training], category[drawn.picture[is_training]]
    assert np.bincount(run)[1:].tolist() == [8] * 16
    np.testing.assert_array_equal(find_rounds(run, shown), (run + 1) // 2)


@pytest.mark.parametrize(("repeats", "lengths"), [(0, []), (1, [4]), (4, [16]), (10, [16, 12, 12])])
def test_imagined_pictures_come_last_in_runs_of_their_own(repeats, lengths):
    drawn = brains.draw_trials(128, 4, rng=named_rng(2, "trials"), imagery=repeats)
    is_imagined = drawn.data_type == brains.IMAGERY
    assert is_imagined.sum() == 4 * repeats and not is_imagined[:160].any()
    assert np.bincount(drawn.run[is_imagined])[1:].tolist() == lengths
    assert np.bincount(drawn.picture[is_imagined])[132:].tolist() == [repeats] * 4 * bool(repeats)
    plain = brains.draw_trials(128, 4, rng=named_rng(2, "trials"))
    np.testing.assert_array_equal(drawn.picture[:160], plain.picture)


def test_areas_have_the_voxels_of_the_design():
    masks = brains.roi_masks(SIZES)
    counts = {roi: int(mask.sum()) for roi, mask in masks.items()}
    assert counts == {
        "V1": 80, "V2": 80, "V3": 60, "V4": 60, "LOC": 100, "FFA": 60, "PPA": 60,
        "LVC": 220, "HVC": 300, "VC": 580,
    }  # fmt: skip


def test_rois_overlap_as_the_field_has_them():
    masks = brains.roi_masks(SIZES)
    np.testing.assert_array_equal(masks["LVC"], masks["V1"] | masks["V2"] | masks["V3"])
    rest = masks["HVC"] & ~(masks["LOC"] | masks["FFA"] | masks["PPA"])
    assert rest.sum() == 80
    assert not (masks["LVC"] & masks["HVC"]).any()
    np.testing.assert_array_equal(masks["VC"] & ~masks["V4"], masks["LVC"] | masks["HVC"])


@pytest.mark.parametrize("n", [20, 21, 29, 77, 580, 581, 3000])
def test_any_number_of_voxels_is_shared_out_in_full(n):
    sizes = brains.area_sizes(n)
    assert sum(sizes.values()) == n and min(sizes.values()) >= 2
    for name, area in brains.AREAS.items():
        assert abs(sizes[name] - area.voxels * n / 580) < 1


def test_voxel_positions_are_distinct_points_of_a_2_mm_grid():
    positions = brains.voxel_positions(580)
    assert positions.shape == (580, 3)
    assert len(np.unique(positions, axis=0)) == 580
    assert (positions % 2 == 0).all()


@pytest.mark.parametrize("name", list(brains.AREAS))
def test_the_signal_has_the_planned_size(name, stimuli, trials):
    is_training = trials.data_type == 1
    seen = [each[trials.picture] for each in brains.what_is_seen(brains.AREAS[name], *stimuli)]
    for share in (0, 1, brains.AREAS[name].share):
        area = dataclasses.replace(brains.AREAS[name], share=share)
        signal = brains.draw_signal(area, *seen, is_training, n_voxels=300, rng=named_rng(1, name))[
            is_training
        ]
        np.testing.assert_allclose(signal.mean(axis=0), 0, atol=1e-10)
        # L alone and U alone have a mean SD of exactly 1; together they correlate a little.
        exact = share in (0, 1)
        assert signal.std(axis=0).mean() == pytest.approx(1, rel=1e-9 if exact else 0.1)


def test_noise_has_variance_one_of_which_a_fifth_is_shared():
    noise = brains.draw_noise(20_000, 40, rng=named_rng(1))
    np.testing.assert_allclose(noise.var(axis=0), 1, atol=0.05)
    values = np.linalg.eigvalsh(np.cov(noise.T))[::-1]
    # 35 directions hold private noise alone: 0.8 (1 +- sqrt(40 / 20000)) ** 2 (Marchenko-Pastur).
    np.testing.assert_allclose(values[5:], 0.8, atol=0.09)
    assert values[:5].sum() - 5 * 0.8 == pytest.approx(40 * 0.2, rel=0.1)


def test_a_run_has_one_gain_and_one_offset_a_voxel():
    run = np.repeat(np.arange(400), 3)
    gain, offset = brains.draw_run_effects(run, 5, rng=named_rng(1))
    assert gain.shape == (1200, 1) and offset.shape == (1200, 5)
    for effect in (gain, offset):
        by_run = effect.reshape(400, 3, -1)
        assert (by_run == by_run[:, :1]).all()
        assert len(np.unique(by_run[:, 0, 0])) == 400
    # Standard errors: 0.1 / sqrt(800) = 0.0035, 0.5 / sqrt(4000) = 0.008.
    assert np.log(gain[::3]).std() == pytest.approx(0.1, abs=0.012)
    assert offset[::3].std() == pytest.approx(0.5, abs=0.03)


def test_training_and_test_runs_of_one_number_are_different_runs(stimuli, trials):
    voxels = draw(stimuli, trials, snr=0)
    means = [
        voxels[(trials.data_type == data_type) & (trials.run == 1)].mean(axis=0)
        for data_type in (brains.TRAINING, brains.TEST)
    ]
    # Two offsets of variance 0.25 each, and 1/32 + 1/16 of noise: 0.59 (0.25 if they were one).
    assert np.var(means[0] - means[1]) == pytest.approx(0.59, abs=0.12)


@pytest.mark.parametrize(("snr", "drift"), [(0.15, 0), (0.4, 0), (0.4, 2)])
def test_the_realised_snr_is_the_one_asked_for(snr, drift, stimuli, trials):
    is_training = trials.data_type == 1
    # A drift is no noise: taken off again, the rest has the SNR that was asked for.
    voxels = draw(stimuli, trials, snr=snr, drift=drift)
    voxels -= draw(stimuli, trials, snr=0, drift=drift) - draw(stimuli, trials, snr=0)
    start, ratios = 0, []
    for name, size in SIZES.items():
        # The same generator draws the same signal again.
        drawn = {"n_voxels": size, "rng": named_rng(2, "brain", "S1", name)}
        signal = signal_of(stimuli, trials, brains.AREAS[name], **drawn)
        explained, left = _regress(
            voxels[is_training, start : start + size], signal[is_training], trials.run[is_training]
        )
        ratios.append(explained / left)
        start += size
    assert np.mean(ratios) == pytest.approx(snr, rel=0.15)


def _regress(voxels, signal, run):
    """Variance that the signal explains, and what is left, within runs."""
    design = (run[:, None] == np.unique(run)).astype(float)
    voxels, signal = (x - design @ np.linalg.lstsq(design, x)[0] for x in (voxels, signal))
    slope = (voxels * signal).sum(axis=0) / (signal**2).sum(axis=0)
    residual = voxels - slope * signal
    dof = len(run) - design.shape[1] - 1
    left = (residual**2).sum(axis=0) / dof
    # A slope of noise alone has the mean square left / sum(signal ** 2).
    slope_squared = slope**2 - left / (signal**2).sum(axis=0)
    return (slope_squared * signal.var(axis=0)).mean(), left.mean()


def test_a_drift_of_the_size_asked_for_is_added_to_what_was_there(stimuli, trials):
    still = draw(stimuli, trials)
    added = draw(stimuli, trials, drift=1.5) - still
    training = added[trials.data_type == 1]
    assert training.std(axis=0).mean() == pytest.approx(1.5, rel=1e-3)
    np.testing.assert_allclose(training.mean(axis=0), 0, atol=1 / 64)
    # Once more, of another subject: another drift.
    other = draw(stimuli, trials, drift=1.5, subject="S2") - draw(stimuli, trials, subject="S2")
    assert (
        abs(np.mean([np.corrcoef(*pair)[0, 1] for pair in zip(added.T, other.T, strict=True)]))
        < 0.1
    )


def test_imagery_means_half_as_much_and_looks_like_nothing(stimuli):
    pictures, mixtures = stimuli
    imagined = np.eye(N_CATEGORIES)[16:]
    trials = brains.draw_trials(128, 4, rng=named_rng(2, "trials"), imagery=200)
    data_type = trials.data_type
    both = np.concatenate([pictures, pictures[128:]]), np.concatenate([mixtures, imagined])
    voxels, masks = draw(both, trials, snr=100), brains.roi_masks(SIZES)
    # Imagery adds rows and changes none.
    plain = brains.draw_trials(128, 4, rng=named_rng(2, "trials"))
    np.testing.assert_array_equal(voxels[data_type < 3], draw(stimuli, plain, snr=100))
    # Whatever picture stands there: it is not seen.
    other = np.concatenate([pictures, pictures[:4]]), both[1]
    np.testing.assert_array_equal(draw(other, trials, snr=100), voxels)

    def spread(area, is_imagined, share):
        area = dataclasses.replace(brains.AREAS[area], share=share)
        drawn = {"n_voxels": 50, "rng": named_rng(1), "is_imagined": is_imagined}
        return signal_of(both, trials, area, **drawn)[data_type == 3]

    nothing = np.zeros(len(data_type), bool)
    np.testing.assert_array_equal(spread("LOC", data_type == 3, 0.0), 0)
    np.testing.assert_allclose(
        spread("LOC", data_type == 3, 1.0), spread("LOC", nothing, 1.0) / 2, rtol=1e-12
    )
    # In V1, which tells nothing of meaning, the imagined categories differ by noise alone.
    means = [voxels[(data_type == 3) & (trials.picture == p)].mean(axis=0) for p in range(132, 136)]
    differences = np.var(means, axis=0, ddof=1)
    # Noise of variance 1 over 200 trials (each run holds all four: its offset is no difference).
    assert differences[masks["V1"]].mean() == pytest.approx(1 / 200, abs=0.002)
    assert differences[masks["LOC"]].mean() > 1


def test_other_noise_is_another_recording_of_the_same_signal(stimuli, trials):
    def signal(**more):
        return draw(stimuli, trials, snr=9, **more) - draw(stimuli, trials, snr=1, **more)

    one, other, first = signal(noise_seed=1), signal(noise_seed=2), signal()
    slopes = []
    for redrawn in (one, other):
        for run in range(1, 5):
            rows = (trials.data_type == brains.TRAINING) & (trials.run == run)
            for start in (0, 280):  # a run's gain is one of an area: V1 and LOC
                a, b = (s[rows, start : start + 80].ravel() for s in (first, redrawn))
                assert np.corrcoef(a, b)[0, 1] > 0.9999  # rounding
                slopes.append(a @ b / (a @ a))
    # The ratio of two gains, exp(0.1 N) each: an SD of 0.14, here of 16.
    assert 0.06 < np.log(slopes).std() < 0.25
    noises = [
        draw(stimuli, trials, snr=0, drift=drift, noise_seed=k) for drift in (0, 3) for k in (1, 2)
    ]
    drifts = noises[2] - noises[0], noises[3] - noises[1]
    for a, b in (noises[:2], drifts):
        within = [np.corrcoef(*pair)[0, 1] for pair in zip(a.T, b.T, strict=True)]
        assert abs(np.mean(within)) < 0.1 and (a != b).mean() > 0.9
    np.testing.assert_array_equal(one, signal(noise_seed=1))


def test_at_snr_0_the_pictures_change_nothing(stimuli, trials):
    pictures, mixtures = stimuli
    swapped = pictures[::-1], mixtures[::-1]
    np.testing.assert_array_equal(draw(stimuli, trials, snr=0), draw(swapped, trials, snr=0))
    assert (draw(stimuli, trials) != draw(swapped, trials)).mean() > 0.9


def test_v1_says_what_pictures_look_like_and_hvc_what_they_show(stimuli, trials):
    pictures, mixtures = stimuli
    other = draw_mixtures(
        np.arange(len(mixtures)) % 16, n_categories=16, rng=named_rng(9, "mixtures")
    )
    v1 = brains.roi_masks(SIZES)["V1"]
    before, after = draw(stimuli, trials), draw((pictures, other), trials)
    np.testing.assert_array_equal(before[:, v1], after[:, v1])
    assert (before != after)[:, ~v1].any(axis=0).all()


def test_loc_tells_superclasses_apart_better_than_v1(stimuli, trials):
    mixtures, is_training = stimuli[1][trials.picture], trials.data_type == 1
    shown = mixtures[is_training][:, :16].reshape(-1, 4, 4).sum(axis=2).argmax(axis=1)
    between = {}
    for name in ("V1", "LOC"):
        drawn = {"n_voxels": 200, "rng": named_rng(1)}
        signal = signal_of(stimuli, trials, brains.AREAS[name], **drawn)[is_training]
        means = np.stack([signal[shown == s].mean(axis=0) for s in range(4)])
        between[name] = means.var(axis=0).mean()
    assert between["LOC"] > 3 * between["V1"]


def test_ffa_keeps_discs_and_ppa_crosses(stimuli, trials):
    pure = np.eye(N_CATEGORIES)[np.tile(np.arange(16), 4)]
    pictures = draw_pictures(
        0.85 * pure + 0.15 * np.roll(pure, 1, axis=1), size=24, rng=named_rng(1)
    )
    spread = {}
    for name in ("FFA", "PPA"):
        area = dataclasses.replace(brains.AREAS[name], share=1.0)
        seen = brains.what_is_seen(area, pictures, pure)
        signal = brains.draw_signal(area, *seen, np.ones(64, bool), n_voxels=2000, rng=named_rng(1))
        spread[name] = [signal[4 * s : 4 * s + 4].var(axis=0).mean() for s in range(4)]
    for name, preferred in (("FFA", 0), ("PPA", 3)):
        inside = spread[name].pop(preferred)
        # 0.35 ** 2 = 0.1225
        np.testing.assert_allclose(np.array(spread[name]) / inside, 0.1225, rtol=0.15)


def test_voxels_are_rounded_to_64ths_and_repeat(stimuli, trials):
    voxels = draw(stimuli, trials)
    assert voxels.shape == (160, 580) and voxels.dtype == np.float64
    np.testing.assert_array_equal(voxels * 64, np.rint(voxels * 64))
    np.testing.assert_array_equal(voxels, draw(stimuli, trials))


def test_subjects_and_seeds_have_their_own_weights_and_noise(stimuli, trials):
    voxels = draw(stimuli, trials)
    for other in (draw(stimuli, trials, subject="S2"), draw(stimuli, trials, seed=3)):
        within = [np.corrcoef(voxels[:, v], other[:, v])[0, 1] for v in range(580)]
        assert abs(np.mean(within)) < 0.05 and (voxels != other).mean() > 0.9


def test_snr_keeps_its_ratios_between_subjects():
    assert brains.snr_of_subjects(0.2, 7) == [0.2, 0.15, 0.125, 0.1, 0.075, 0.075, 0.075]
    assert brains.snr_of_subjects(0, 2) == [0, 0]
