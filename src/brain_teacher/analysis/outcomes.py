"""``OUTCOMES``: what students are compared by. One is primary (``compare.outcome``).

Reading the table does not load numpy. The ECE cannot be the primary one: it is no mean over images,
so that the two-way interval does not exist for it. Nor would a jackknife or a bootstrap over images
mend that: its absolute values have no slope where a bin is calibrated, and it is too high by an
amount that falls with the number of images and differs between teachers. It stays exploratory.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log


class NoOutcome(ValueError):
    """These answers have no such outcome; others they may have."""


@dataclass(frozen=True)
class Outcome:
    """An entry of ``OUTCOMES``."""

    label: str  # in tables, figures and sentences
    # (answers, split) -> its value for each image in the order of the ids; or a single one, if it
    # is not `of_images`. Raises NoOutcome where it cannot be had.
    of: Callable
    unit: str  # of the values as they are shown: %, or their own
    guess: Callable  # of who knows no more than these counts of images, one a class
    differ: str  # what differences are called in a sentence
    digits: int = 1  # after the point, as shown
    more_is_better: bool = True
    of_images: bool = True  # a mean over images, and so fit to be the primary outcome

    @property
    def scale(self):
        """What a value is multiplied by to be shown: fractions are shown in %."""
        return 100 if self.unit == "%" else 1

    @property
    def step(self):
        """The unit of differences, and of the margin as it is shown."""
        return "points" if self.unit == "%" else self.unit

    @property
    def better(self):
        """Said where it is not what a reader expects."""
        return "" if self.more_is_better else "; less is better"

    @property
    def column(self):
        """What heads a column of values."""
        return f"{self.label} ({self.unit})"

    def minus(self, teacher):
        """What heads a column of differences."""
        return f"{teacher} minus this ({self.step})"

    @property
    def sign(self):
        """The format of a difference that is scaled already."""
        return f"+z.{self.digits}f"

    def number(self, value):
        """A value as text, in its unit."""
        return f"{self.scale * value:.{self.digits}f}"

    def signed(self, value):
        """A difference as text, in `step`."""
        return format(self.scale * value, self.sign)

    def given(self, value):
        """A margin or effect as text, in `step`, with no more digits than it was given."""
        return f"{self.scale * value:g}"

    def gain(self, difference):
        """The difference so that above 0 means better, whatever the outcome."""
        if self.more_is_better:
            return difference
        pairs = [(f"low{which}", f"high{which}") for which in ("", "90", "_classes")]
        ends = pairs + [(high, low) for low, high in pairs]
        turned = {name: -getattr(difference, other) for name, other in ends}
        return replace(difference, mean=-difference.mean, **turned)


def accuracy(answers, split):
    """Whether the most probable class is the image's.

    In the methods
    --------------
    The primary outcome was accuracy: the share of test pictures whose category is the student's
    first answer.
    """
    correct = answers.correct(split)
    return [correct[image] for image in sorted(correct)]


def nll(answers, split):
    """Negative log-probability of the image's class, in nats.

    In the methods
    --------------
    The primary outcome was the negative log-probability (NLL, in nats) that the student gives to a
    test picture's category; less is better.
    """
    import numpy as np

    labels, _, truth = _sorted(answers, split)
    values = -labels.log_probs[np.arange(len(truth)), truth].astype(np.float64)
    if not np.isfinite(values).all():
        image = labels.image_id[np.flatnonzero(~np.isfinite(values))[0]]
        raise NoOutcome(f"image '{image}': its class has probability 0, so its NLL is infinite")
    return values


def top5(answers, split):
    """Whether the image's class is among the five most probable ones.

    In the methods
    --------------
    The primary outcome was top-5 accuracy: the share of test pictures whose category is among the
    student's first five answers.
    """
    import numpy as np

    labels, _, truth = _sorted(answers, split)
    if (classes := len(labels.class_id)) < 6:
        raise NoOutcome(f"top-5 accuracy takes 6 classes at least; there are {classes}")
    # Stable: equal probabilities rank in the order of the class ids, as the decoders' do.
    first = np.argsort(-labels.log_probs, axis=1, kind="stable")[:, :5]
    return (first == truth[:, None]).any(axis=1)


def _among_first(most):
    def guess(counts):
        from brain_teacher.decoding.chance import top_by_chance

        return top_by_chance(counts, most)

    return guess


def _entropy(counts):
    return sum(count * log(sum(counts) / count) for count in counts if count) / sum(counts)


def ece(answers, split):
    """Expected calibration error over 10 equally wide bins of the top-1 confidence.

    As `decoding.quality` has it; one value a student.
    """
    from brain_teacher.decoding.quality import reliability

    labels, category, _ = _sorted(answers, split)
    rows = reliability(labels, category)
    gaps = [row["images"] * abs(row["accuracy"] - row["confidence"]) for row in rows]
    return [float(sum(gaps) / len(category))]


def _sorted(answers, split):
    """Answers in the order of the image ids, each image's category, and its column."""
    import numpy as np

    from brain_teacher.decoding.soft_labels import SoftLabels

    ids = answers.image_id[split]
    fold = np.zeros(len(ids), dtype=int)
    labels = SoftLabels(answers.log_probs[split], ids, answers.class_id, fold).sorted()
    category = answers.category_by_id(split)
    return labels, category, labels.truth(category)


OUTCOMES = {
    "accuracy": Outcome("accuracy", accuracy, "%", _among_first(1), "points"),
    "nll": Outcome("NLL", nll, "nats", _entropy, "nats of NLL", 3, more_is_better=False),
    "top5": Outcome("top-5 accuracy", top5, "%", _among_first(5), "points of top-5 accuracy"),
    "ece": Outcome(
        "ECE", ece, "%", lambda _: 0.0, "points of ECE", more_is_better=False, of_images=False
    ),
}
ACCURACY = OUTCOMES["accuracy"]


def primary_outcomes():
    """Those that ``compare.outcome`` may name."""
    return {name: each for name, each in OUTCOMES.items() if each.of_images}


def outcome_of(metrics):
    """The outcome that a ``metrics.json`` of ``compare`` is about."""
    return OUTCOMES[metrics["compare"]["outcome"]]
