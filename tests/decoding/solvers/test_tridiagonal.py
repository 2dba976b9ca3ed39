"""The tridiagonal form against numpy's dense algebra."""

import re

import numpy as np
import pytest

from brain_teacher.decoding.solvers.tridiagonal import half_solve, reduce_to_tridiagonal


def make_matrix(n, dtype=np.float64):
    x = np.random.default_rng(0).standard_normal((n, 2 * n))
    return (x @ x.T).astype(dtype)


@pytest.mark.parametrize("n", [2, 3, 50])
def test_the_matrix_is_put_together_again(n):
    matrix = make_matrix(n)
    diagonal, beside, rotate = reduce_to_tridiagonal(matrix)
    rotation = rotate(np.eye(n))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(n), atol=1e-12)
    tridiagonal = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    np.testing.assert_allclose(rotation.T @ tridiagonal @ rotation, matrix, atol=1e-10)


@pytest.mark.parametrize(("n", "columns"), [(1, 3), (2, 3), (50, 7), (50, 3000), (50, 5000)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-4), (np.float64, 1e-9)])
def test_halves_make_the_inverse(n, columns, dtype, tolerance):
    matrix = make_matrix(n, dtype)
    b = np.random.default_rng(1).standard_normal((n, columns)).astype(dtype)
    diagonal, beside, rotate = reduce_to_tridiagonal(matrix)
    penalties = np.array([0.5, 3, 100])
    roots = half_solve(diagonal, beside, penalties, rotate(b))
    for penalty, root in zip(penalties, roots, strict=True):
        expected = b[:, :5].T @ np.linalg.solve(matrix + penalty * np.eye(n), b)
        assert root.dtype == dtype
        np.testing.assert_allclose(root[:, :5].T @ root, expected, atol=tolerance, rtol=tolerance)


def test_what_is_not_positive_definite_is_refused():
    diagonal, beside, rotate = reduce_to_tridiagonal(-make_matrix(3))
    message = "penalty 0.5 is too small to be told from 0 beside these voxels; use larger penalties"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        list(half_solve(diagonal, beside, np.array([0.5]), rotate(np.eye(3))))
