"""Dissimilarities as coordinates: what a decoder sees in them is the kernel, and nothing else."""

import re

import numpy as np
import pytest
from scipy.io import savemat
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import KernelCenterer
from sklearn.svm import SVC

from brain_teacher.sources.recordings import dissimilarities
from brain_teacher.sources.recordings.dissimilarities import coordinates
from helpers import real_data as real_data

N = 40


def correlations(seed=0, n_voxels=200):
    """The correlations of made-up answers to `N` pictures of four categories; the categories."""
    rng = np.random.default_rng(seed)
    category = np.repeat(list("abcd"), N // 4)
    means = rng.standard_normal((4, n_voxels))
    answers = 0.5 * np.repeat(means, N // 4, axis=0) + rng.standard_normal((N, n_voxels))
    return np.corrcoef(answers), category


def test_inner_products_are_the_correlations():
    kernel, _ = correlations()
    x = coordinates(1 - kernel)
    np.testing.assert_allclose(x @ x.T, kernel, atol=1e-12)
    # As BData and voxel files hold them.
    x = x.astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(x @ x.T, kernel, atol=1e-6)


def test_directions_without_variance_are_left_out_and_the_largest_comes_first():
    kernel, _ = correlations(n_voxels=10)  # 10 voxels, centred: 9 directions
    x = coordinates(1 - kernel)
    assert x.shape == (N, 9)
    spread = (x**2).sum(axis=0)
    assert (np.diff(spread) <= 0).all()
    assert spread.sum() == pytest.approx(N)


def test_the_order_of_the_pictures_changes_nothing_but_the_order():
    kernel, _ = correlations()
    order = np.random.default_rng(1).permutation(N)
    shuffled = coordinates(1 - kernel[np.ix_(order, order)])
    np.testing.assert_allclose(shuffled, coordinates(1 - kernel)[order], atol=1e-10)


def halves(seed):
    """Coordinates, centred on the pictures fitted on, and the kernel, centred by scikit-learn."""
    kernel, category = correlations(seed)
    fit = np.random.default_rng(seed).random(N) < 0.7
    x = coordinates(1 - kernel)
    x -= x[fit].mean(axis=0)
    centre = KernelCenterer().fit(kernel[np.ix_(fit, fit)])
    inside = centre.transform(kernel[np.ix_(fit, fit)])
    across = centre.transform(kernel[np.ix_(~fit, fit)])
    return x[fit], x[~fit], inside, across, category[fit], category[~fit]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_centred_coordinates_have_the_centred_kernel(seed):
    x_fit, x_new, inside, across, *_ = halves(seed)
    np.testing.assert_allclose(x_fit @ x_fit.T, inside, atol=1e-12)
    np.testing.assert_allclose(x_new @ x_fit.T, across, atol=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_support_vector_machine_says_what_it_says_of_the_kernel(seed):
    x_fit, x_new, inside, across, category, _ = halves(seed)
    ours = SVC(kernel="linear", tol=1e-8).fit(x_fit, category)
    theirs = SVC(kernel="precomputed", tol=1e-8).fit(inside, category)
    np.testing.assert_allclose(
        ours.decision_function(x_new), theirs.decision_function(across), atol=1e-5
    )


def test_ridge_says_what_it_says_of_the_kernel():
    x_fit, x_new, inside, across, category, _ = halves(0)
    truth = (category[:, None] == np.unique(category)).astype(float)
    ours = Ridge(alpha=0.3, fit_intercept=False).fit(x_fit, truth).predict(x_new)
    theirs = KernelRidge(alpha=0.3, kernel="precomputed").fit(inside, truth).predict(across)
    np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_logistic_regression_needs_the_kernel_alone():
    # Any other coordinates with these inner products give the same answers: here the rows of
    # correlations' symmetric root, in which nothing is ordered by size.
    kernel, category = correlations()
    values, vectors = np.linalg.eigh(kernel)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    fit = np.random.default_rng(0).random(N) < 0.7
    said = []
    for each in (coordinates(1 - kernel), root):
        x = each - each[fit].mean(axis=0)
        model = LogisticRegression(C=10, tol=1e-10, max_iter=5000).fit(x[fit], category[fit])
        said.append(model.predict_log_proba(x[~fit]))
    np.testing.assert_allclose(*said, atol=1e-5)


def change(place, value):
    d = 1 - correlations()[0]
    d[place] = value
    return d


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((2, 3)), "dissimilarities of shape (2, 3) are no square of finite numbers"),
        (np.zeros(4), "dissimilarities of shape (4,) are no square of finite numbers"),
        (
            change((0, 1), np.nan),
            "dissimilarities of shape (40, 40) are no square of finite numbers",
        ),
        (
            np.array([[0, 0.25], [0.5, 0]]),
            "dissimilarities are not symmetric (by up to 0.25)",
        ),
        (change((3, 3), 0.125), "dissimilarities are not 0 on the diagonal (by up to 0.125)"),
        (
            # r = -0.9 between each two of three: by hand, eigenvalues -0.8, 1.9, 1.9.
            1.9 * (1 - np.eye(3)),
            "1 - dissimilarity is no kernel: its negative eigenvalues sum to 0.8, the positive "
            "ones to 3.8",
        ),
    ],
)
def test_what_is_no_dissimilarity_is_refused(wrong, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        coordinates(wrong)


@pytest.mark.parametrize(
    ("flags", "category"),
    [
        ({"human": 1, "animal": 1, "face": 1, "natural": 1}, "human-face"),
        ({"human": 1, "animal": 1, "face": 0, "natural": 1}, "human-body"),
        ({"human": 0, "animal": 1, "face": 1, "natural": 1}, "animal-face"),
        ({"human": 0, "animal": 1, "face": 0, "natural": 1}, "animal-body"),
        ({"human": 0, "animal": 0, "face": 0, "natural": 1}, "natural-inanimate"),
        ({"human": 0, "animal": 0, "face": 0, "natural": 0}, "artificial-inanimate"),
    ],
)
def test_categories_come_from_the_flags(flags, category):
    assert dissimilarities.category_of(flags) == category


@real_data.needs("kriegeskorte92")
def test_the_pictures_of_each_category_are_as_many_as_published():
    images, category = dissimilarities.read_pictures(real_data.DATA / "kriegeskorte92")
    assert images.shape == (92, 175, 175, 3) and images.dtype == np.uint8
    names, counts = np.unique(category, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "animal-body": 12,
        "animal-face": 12,
        "artificial-inanimate": 21,
        "human-body": 12,
        "human-face": 12,
        "natural-inanimate": 23,
    }


@real_data.needs("kriegeskorte92")
def test_kriegeskortes_mean_is_the_human_it_of_the_paper():
    from scipy.io import loadmat

    place = real_data.DATA / "kriegeskorte92"
    subjects = dissimilarities.read_kriegeskorte(place)
    assert list(subjects) == ["BE", "KO", "SN", "TI", "mean"]
    ours = subjects["mean"]["IT"][np.triu_indices(92, 1)]
    figure = loadmat(place / dissimilarities.STIMULI, simplify_cells=True)["RDMs_mIT_hIT_fig1"]
    (human,) = (each["RDM"] for each in figure if each["name"] == "hITvisStim_316vx")
    assert np.corrcoef(ours, human)[0, 1] > 0.9995


def test_judgements_become_the_nearest_kernel_and_get_a_mean(tmp_path):
    points = np.random.default_rng(0).random((2, 8, 2))
    d = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    rows = [{"RDM": each, "name": f"simJudge | subject{n}"} for n, each in enumerate(d, start=1)]
    savemat(tmp_path / dissimilarities.JUDGED, {"rdms_behav_92": rows})
    found = dissimilarities.read_behaviour(tmp_path)
    assert list(found) == ["P01", "P02", "mean"]
    np.testing.assert_allclose(found["P02"]["judgement"], d[1] / d[1].max())
    np.testing.assert_allclose(found["mean"]["judgement"], d.mean(axis=0) / d.mean(axis=0).max())
    kernel = points.reshape(2, -1).T @ points.reshape(2, -1)  # (16, 16)
    kernel[0, 1] = kernel[1, 0] = 0.9
    np.fill_diagonal(kernel, 1)
    values, vectors = np.linalg.eigh(kernel)
    assert values.min() < -0.1
    x = coordinates(1 - kernel, most_negative=1)
    np.testing.assert_allclose(x @ x.T, (vectors * values.clip(0)) @ vectors.T, atol=1e-12)


@real_data.needs("behaviour92")
def test_of_single_people_little_is_left_out_and_of_the_mean_nothing():
    shares = {}
    for name, rois in dissimilarities.read_behaviour(real_data.DATA / "behaviour92").items():
        values = np.linalg.eigvalsh(1 - rois["judgement"])
        shares[name] = -values[values < 0].sum() / values[values > 0].sum()
    assert shares.pop("mean") < 1e-9
    # The percentages that docs/people.md names.
    assert len(shares) == 16 and min(shares.values()) > 0.005 and max(shares.values()) < 0.056


@real_data.needs("kriegeskorte92")
@real_data.needs("cichy92")
def test_real_kernels_come_back_from_their_coordinates():
    everyone = dissimilarities.read_kriegeskorte(real_data.DATA / "kriegeskorte92") | {
        f"Cichy's {name}": rois
        for name, rois in dissimilarities.read_cichy(real_data.DATA / "cichy92").items()
    }
    assert len(everyone) == 5 + 16
    for rois in everyone.values():
        for d in rois.values():
            x = coordinates(d).astype(np.float32).astype(np.float64)
            # The published matrices have rounding errors of float32 themselves.
            np.testing.assert_allclose(1 - x @ x.T, d, atol=1e-4)


@real_data.needs("kriegeskorte92")
@real_data.needs("cichy92")
def test_the_two_studies_have_the_pictures_in_the_same_order():
    theirs = dissimilarities.read_kriegeskorte(real_data.DATA / "kriegeskorte92")["mean"]["IT"]
    cichy = dissimilarities.read_cichy(real_data.DATA / "cichy92")["mean"]["IT"]
    pairs = np.triu_indices(92, 1)
    # Reference 0.59; any other order of one of them gives about 0.
    assert np.corrcoef(theirs[pairs], cichy[pairs])[0, 1] == pytest.approx(0.59, abs=0.005)


def test_cichys_files_hold_his_subjects_and_get_a_mean(tmp_path):
    rdms = np.random.default_rng(0).random((2, 2, 3, 3))
    for file, values in zip(dissimilarities.CICHY.files[1:], rdms, strict=True):
        np.savez(tmp_path / file.path, Net_RDM=values)
    found = dissimilarities.read_cichy(tmp_path)
    assert list(found) == ["S01", "S02", "mean"]
    assert all(list(rois) == ["IT", "EVC"] for rois in found.values())
    np.testing.assert_array_equal(found["S02"]["EVC"], rdms[1, 1])
    np.testing.assert_array_equal(found["mean"]["IT"], (rdms[0, 0] + rdms[0, 1]) / 2)
