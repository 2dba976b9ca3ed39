"""A mean difference over seeds and images, and for whom its intervals are.

Students' errors vary by seed, by test image and by class. The *two-way* interval holds the classes
fixed: it is for other seeds and other images *of these classes*, and its p decides, because a
verdict is about the classes that were tested. Beside it stands an interval with classes random as
well, for other classes like these; it is the wider the more the effect differs between classes.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from brain_teacher.analysis.two_way import by_class, two_way_error

# By so few seeds, in how many of a hundred experiments a 95% interval holds the truth: about
# (studies/interval_coverage.py).
FEW_SEEDS = {2: 90, 3: 93}


@dataclass(frozen=True)
class Difference:
    """A mean paired difference in accuracy, with what is known about its error.

    A fraction, as all but p, df and the counts are: 0.04 is 4 percentage points.
    """

    mean: float
    # Two-way 95% interval, not corrected for the number of comparisons.
    low: float
    high: float
    # Two-way 90% interval: each end is a one-sided bound at 5%.
    low90: float
    high90: float
    p: float  # two-sided, of the difference being 0
    p_corrected: float  # Holm's within the family; `p` itself where the comparison stands alone
    se: float
    df: float
    seeds: int
    images: int
    # 95% interval with classes random as well; NaN unless two classes are known.
    low_classes: float = np.nan
    high_classes: float = np.nan
    classes: int = 0  # of the test images; 0 where they are not known

    @property
    def constant(self):
        """Whether every seed and image gave the same difference, so that no error is known."""
        return self.se == 0

    def told(self):
        """Mean and the ends of both 95% intervals, None for what is not known."""
        keys = ("mean", "low", "high", "low_classes", "high_classes")
        found = {key: getattr(self, key) for key in keys}
        return {key: None if np.isnan(value) else value for key, value in found.items()}


def mean_difference(differences, category=None):
    """The mean of differences, with a two-way interval over seeds and images.

    The model is two-way crossed random effects without replication [1]_,
    ``d[s, i] = mu + seed[s] + image[i] + residual[s, i]``, for which, with S seeds and I images,

        SE^2 = (MS_seed + MS_image - MS_residual) / (S I)

    is unbiased. Its degrees of freedom are Satterthwaite's [2]_,

        df = (S I SE^2)^2 / (MS_seed^2 / (S - 1) + MS_image^2 / (I - 1)
                             + MS_residual^2 / ((S - 1) (I - 1))).

    A component of variance that is estimated below 0 is taken for 0. Where one is, SE^2 is
    max(MS_seed, MS_image) / (S I), and df is S - 1 or I - 1 of the term taken. Where both are,
    every mean square is one of the residual: SE^2 is that of the mean of S I independent values,
    with S I - 1 df. Intervals and p are those of Student's t. The interval with classes random as
    well is the same over seeds and classes (`by_class`).

    Parameters
    ----------
    differences : ndarray of shape (n_seeds, n_images)
        At least two of each.
    category : ndarray of str, shape (n_images,), optional
        The class of each image.

    Returns
    -------
    Difference
        If all differences equal m, its intervals are [m, m], p is 0 (1 where m = 0), and
        `Difference.constant` is true.

    References
    ----------
    .. [1] Searle, Casella & McCulloch (1992), Variance Components, ch. 4.
    .. [2] Satterthwaite (1946), Biometrics Bulletin 2, 110-114.

    In the methods
    --------------
    The brain minus a control is a mean over paired seeds and test pictures; its 95% interval and p
    are those of a two-way crossed random-effects model over both [@searle1992], with
    Satterthwaite's degrees of freedom [@satterthwaite1946].
    They speak of other seeds and other pictures of these classes; a second interval has classes
    random as well.
    """
    n_seeds, n_images = differences.shape
    # Not == 0: 1.1 - 1.0 and 0.1 - 0.0 are the same difference. An image counts 1.
    if np.ptp(differences) < 1e-12:
        mean, se, df = float(differences[0, 0]), 0.0, float(n_seeds - 1)
        p = 1.0 if mean == 0 else 0.0
    else:
        mean = float(differences.mean())
        se, df = map(float, two_way_error(differences))
        p = float(2 * stdtr(df, -abs(mean) / se))
    half95, half90 = se * stdtrit(df, 0.975), se * stdtrit(df, 0.95)
    low_classes, high_classes, classes = _over_classes(differences, category, mean, se)
    return Difference(
        mean=mean,
        low=float(mean - half95),
        high=float(mean + half95),
        low90=float(mean - half90),
        high90=float(mean + half90),
        p=p,
        p_corrected=p,
        se=se,
        df=df,
        seeds=n_seeds,
        images=n_images,
        low_classes=low_classes,
        high_classes=high_classes,
        classes=classes,
    )


def _over_classes(differences, category, mean, se):
    """Both ends of the interval with classes random as well, and how many classes there are."""
    classes = 0 if category is None else len(np.unique(category))
    if classes < 2:
        return np.nan, np.nan, classes
    if se == 0:
        return mean, mean, classes
    se, df = two_way_error(by_class(differences, category))
    if se == 0:  # all classes alike by chance: nothing is known of how they vary
        return np.nan, np.nan, classes
    half = float(se * stdtrit(df, 0.975))
    return mean - half, mean + half, classes
