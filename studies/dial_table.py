"""The dial's table: verdicts on simulated draws against what was asked of them."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from tabulate import tabulate

from brain_teacher.analysis.verdict import IMAGES
from brain_teacher.seeds import named_rng
from dial_statistics import against_family, exact_bounds, over_draws, paired

LEVEL, FLIPS, MARGIN = 0.05, 10_000, 0.03
BRAIN, WITHIN = "brain", "permuted-images"


@dataclass(frozen=True)
class Result:
    """One simulated draw, compared.

    Attributes
    ----------
    verdict : str
    accuracy : dict of str to dict of int to float
        Test accuracy by teacher and seed.
    source : str
        Fingerprint of the code that made it.
    """

    verdict: str
    accuracy: dict
    source: str


def is_image_verdict(verdict):
    """Whether it says that single pictures were taught."""
    return verdict == IMAGES


def is_taught_verdict(verdict):
    """Whether it says that anything of the brain was taught."""
    return verdict.startswith("taught by")


def informative(results, left, family):
    """What the informative draws lack."""
    lacking = []
    if left == 0:
        lacking = [
            f"brain not above {control} over the draws together"
            for control, row in pooled(results, family).items()
            if not is_above(row)
        ]
    count = sum(is_image_verdict(result.verdict) for result in results)
    if count + left < 3:
        lacking.append(f"that verdict {count} times")
    return lacking


def class_structure(results, left, family):
    """What is wrong in the draws whose voxels know classes alone."""
    count = sum(is_image_verdict(result.verdict) for result in results)
    return [f"that verdict {count} times"] if count > 1 else []


def no_signal(results, left, family):
    """What is wrong in the draws of SNR 0."""
    count = sum(is_taught_verdict(result.verdict) for result in results)
    wrong = [f"such a verdict {count} times"] if count > 1 else []
    if left == 0 and not _difference(results, WITHIN).lies_within(MARGIN):
        wrong.append(f"brain - {WITHIN} not within +-{100 * MARGIN:g} points")
    return wrong


@dataclass(frozen=True)
class Row:
    """A row of the table: what is true of its draws, and what is asked of their verdicts.

    Attributes
    ----------
    truth, asked : str
    counts : callable
        Of a verdict: whether it is one that is counted.
    wrong : callable
        Of the results, the number of draws left, and the family: what was found instead.
    """

    truth: str
    asked: str
    counts: callable
    wrong: callable


_NULL = (
    'at most one verdict "taught by ..." of any kind; 95% interval of brain - '
    f"{WITHIN} over draws within +-{100 * MARGIN:g} points"
)
ROWS = {
    "informative": Row(
        "voxels see every picture",
        f'"{IMAGES}" in at least 3; over the draws together above every control (below)',
        is_image_verdict,
        informative,
    ),
    "classes": Row(
        "voxels know the class and its confusions, nothing of the single picture",
        f'"{IMAGES}" at most once',
        is_image_verdict,
        class_structure,
    ),
    "snr-0 calibrated": Row("voxels see nothing", _NULL, is_taught_verdict, no_signal),
    "snr-0 uncalibrated": Row(
        "voxels see nothing, and the decoder's confidence is left as it is",
        _NULL,
        is_taught_verdict,
        no_signal,
    ),
}


def pooled(results, family):
    """``brain`` against each control over the draws together, by sign-flips of seed pairs."""
    rng = named_rng("dial", "sign flips")
    draws = [result.accuracy for result in results]
    return against_family(draws, teacher=BRAIN, family=family, flips=FLIPS, rng=rng)


def is_above(row):
    """Whether a row of `pooled` says that the brain is above that control."""
    return row["mean"] > 0 and row["p_corrected"] < LEVEL


def outcome(name, results, planned, family):
    """``met``, ``missed`` with what was found, or ``unfinished``, of one row."""
    left = planned - len(results)
    wrong = ROWS[name].wrong(results, left, family) if results else []
    if wrong:
        return f"**missed**: {'; '.join(wrong)}"
    return f"unfinished: {len(results)} of {planned} draws" if left else "met"


def dial_table(results, planned, family):
    """The table as Markdown, and each row's outcome.

    Parameters
    ----------
    results : dict of str to list of Result
        By row.
    planned : dict of str to int
        Draws of each row.
    family : list of str
        The controls.

    Returns
    -------
    str
    dict of str to str
    """
    outcomes = {name: outcome(name, results[name], planned[name], family) for name in ROWS}
    table = [_cells(name, results[name], planned[name], outcomes[name]) for name in ROWS]
    head = ["simulated draws", "verdicts", "asked", "exact 95% bounds of that verdict's share"]
    head += ["brain - none", f"brain - {WITHIN}", "result"]
    parts = [tabulate(table, head, tablefmt="pipe", disable_numparse=True), _units()]
    versions = {each.source for row in results.values() for each in row}
    if len(versions) > 1:
        parts.append(f"These draws were made by {len(versions)} versions of the code.")
    if results["informative"]:
        parts += [_pooled_table(results["informative"], family)]
    return "\n\n".join(parts), outcomes


def _cells(name, results, planned, result):
    row, n = ROWS[name], len(results)
    what = f"{name}: {row.truth}; {n} of {planned} draws"
    if not results:
        return [what, "", row.asked, "", "", "", result]
    verdicts = Counter(each.verdict for each in results)
    count = sum(row.counts(each.verdict) for each in results)
    low, high = exact_bounds(count, n)
    return [
        what,
        "; ".join(f"{words}: {k}" for words, k in verdicts.most_common()),
        row.asked,
        f"{count} of {n}: {100 * low:.0f}% to {100 * high:.0f}%",
        _points(_difference(results, "none")),
        _points(_difference(results, WITHIN)),
        result,
    ]


def _difference(results, control):
    return over_draws([paired(each.accuracy, BRAIN, control) for each in results])


def _points(interval):
    text = f"{100 * interval.mean:+.1f}"
    if np.isfinite(interval.low):
        text += f" [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"
    return text


def _units():
    return (
        "Simulated pictures and brains. Differences in percentage points of test accuracy: the "
        "mean of the draws' means, with Student's 95% interval over draws."
    )


def _pooled_table(results, family):
    rows = [
        [control, f"{100 * row['mean']:+.1f}", f"{row['p']:.4f}", f"{row['p_corrected']:.4f}"]
        for control, row in pooled(results, family).items()
    ]
    head = ["control", "brain - control, points", "p", "p, Holm"]
    return (
        f"The {len(results)} informative draws together (simulated): the signs of the seed pairs "
        f"flipped within draws, {FLIPS:,} times, two-sided. A statement about these draws, not "
        "about others.\n\n" + tabulate(rows, head, tablefmt="pipe", disable_numparse=True)
    )


def put_between_marks(path, mark, text):
    """Replace what stands between ``<!-- mark -->`` and ``<!-- end of mark -->`` of a file."""
    start, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    before, rest = path.read_text("utf-8").split(start)
    after = rest.split(end)[1]
    path.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", "utf-8")
