"""Whether a difference lies within the margin: two one-sided tests."""

import numpy as np
from scipy.special import stdtr


def equivalence_p(difference, *, margin):
    """The p of two one-sided tests ([1]_): that the true difference is as large as `margin`.

    Below 0.05 exactly where the two-way 90% interval lies inside +-`margin`.

    Parameters
    ----------
    difference : Difference
    margin : float
        A fraction, as the difference is: 0.04 is 4 percentage points.

    Returns
    -------
    float
        NaN where the difference is constant: no error is known, so that nothing can be said.

    References
    ----------
    .. [1] Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680.

    In the methods
    --------------
    That an effect is smaller than the margin of interest of {{ made.margin }} was tested by two
    one-sided tests [@schuirmann1987].
    """
    if not 0 < margin < 1:
        raise ValueError(f"margin is {margin}; it must be a fraction between 0 and 1 (0.04)")
    if difference.constant:
        return float("nan")
    # The larger of both p: that against the nearer end.
    return float(stdtr(difference.df, (np.abs(difference.mean) - margin) / difference.se))
