"""The dial's tables: verdicts on simulated draws against what was put into them."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from tabulate import tabulate

from brain_teacher.analysis.verdict import CANNOT_TELL, HARMED, IMAGES, NO_EFFECT
from brain_teacher.analysis.verdict import OPEN as UNEXPLAINED
from brain_teacher.seeds import named_rng
from dial_statistics import against_family, exact_bounds, over_draws, paired
from dial_truths import CARRIED_BY, EXPLAINED, TRUTHS, VERDICTS

LEVEL, FLIPS, MARGIN = 0.05, 10_000, 0.03
BRAIN, WITHIN, OF_CLASS = "brain", "permuted-images", "brain-class"
INFORMATIVE = "images"
RIGHT, WRONG, OPEN = "right", "wrong", "open"


@dataclass(frozen=True)
class Result:
    """One truth of a simulated draw, compared.

    Attributes
    ----------
    verdict : str
    accuracy : dict of str to dict of int to float
        Test accuracy by teacher and seed.
    table : dict of str to float
        What the brain's table is like (`what_the_brain_says`).
    source : str
        Fingerprint of the code that made it.
    """

    verdict: str
    accuracy: dict
    table: dict
    source: str


def judged(verdict, truth, results, margin):
    """Whether a verdict on one of a truth's draws is ``right``, ``wrong`` or ``open``.

    What explains must be among what was put in, its control carry most of the effect, and those
    that are cheaper less than half; how much that is was not put in, and is taken from the means of
    all of the truth's draws, as is what the brain helps or harms.

    Parameters
    ----------
    verdict, truth : str
    results : list of Result
        All of that truth.
    margin : float
        The verdict's d.
    """
    if verdict == CANNOT_TELL:
        return OPEN
    effect = _difference(results, "none").mean
    if verdict == HARMED:
        is_right = effect < 0
    elif verdict == UNEXPLAINED:
        is_right = effect > 0
    elif verdict.startswith(NO_EFFECT):
        is_right = abs(effect) < margin
    else:
        is_right = verdict in EXPLAINED[truth] and effect > 0
        for number, control in enumerate(CARRIED_BY.get(verdict, ())):
            if control in results[0].accuracy:
                carries_most = _difference(results, control).mean < effect / 2
                is_right = is_right and carries_most == (number == 0)
    return RIGHT if is_right else WRONG


def lacking(truth, results, left, family, margin):
    """What a truth's draws lack of what is asked of them, as far as is known with `left` to come.

    At most one verdict is wrong; where a class's rows differ by nothing that is true of their
    pictures, the 95% interval of ``brain`` - ``permuted-images`` over draws lies within +-3 points;
    at the sample's SNR all verdicts but one say that images were taught, and the draws together
    show the brain above every control.
    """
    wrong = _judgements(truth, results, margin)[WRONG]
    found = [f"{wrong} verdicts wrong"] if wrong > 1 else []
    is_null = left == 0 and TRUTHS[truth].exchangeable
    if is_null and not _difference(results, WITHIN).lies_within(MARGIN):
        found.append(f"brain - {WITHIN} not within +-{100 * MARGIN:g} points")
    if truth == INFORMATIVE:
        missed = sum(result.verdict != IMAGES for result in results)
        if missed > 1:
            found.append(f"{missed} verdicts are others")
        if left == 0:
            found += [
                f"brain not above {control} over the draws together"
                for control, row in pooled(results, family).items()
                if not is_above(row)
            ]
    return found


def pooled(results, family):
    """``brain`` against each control over the draws together, by sign-flips of seed pairs."""
    rng = named_rng("dial", "sign flips")
    draws = [result.accuracy for result in results]
    return against_family(draws, teacher=BRAIN, family=family, flips=FLIPS, rng=rng)


def is_above(row):
    """Whether a row of `pooled` says that the brain is above that control."""
    return row["mean"] > 0 and row["p_corrected"] < LEVEL


def outcome(truth, results, planned, family, margin):
    """``met``, ``missed`` with what was found, or ``unfinished``, of one truth."""
    left = planned - len(results)
    found = lacking(truth, results, left, family, margin) if results else []
    if found:
        return f"**missed**: {'; '.join(found)}"
    return f"unfinished: {len(results)} of {planned} draws" if left else "met"


def dial_table(results, planned, family, margin):
    """The tables as Markdown, and each truth's outcome.

    Parameters
    ----------
    results : dict of str to list of Result
        By truth.
    planned : int
        Draws of each.
    family : list of str
        The controls.
    margin : float
        The verdict's d.

    Returns
    -------
    str
    dict of str to str
    """
    outcomes = {
        name: outcome(name, each, planned, family, margin) for name, each in results.items()
    }
    rows = [_cells(name, each, planned, outcomes[name], margin) for name, each in results.items()]
    head = ["simulated brains know", "draws", "top-1 (%)", "entropy (nats)", "verdicts"]
    head += ["wrong: exact 95% bounds", "brain - none", f"brain - {OF_CLASS}"]
    head += [f"brain - {WITHIN}", "result"]
    parts = [_markdown(rows, head), _UNITS, _verdict_table(results, margin)]
    versions = {each.source for row in results.values() for each in row}
    if len(versions) > 1:
        parts.append(f"These draws were made by {len(versions)} versions of the code.")
    if informative := results.get(INFORMATIVE):
        parts.append(_pooled_table(informative, family))
    return "\n\n".join(parts), outcomes


_UNITS = (
    "Simulated pictures and brains. Top-1 and entropy are those of the brains' combined soft "
    "labels. Differences in percentage points of test accuracy: the mean of the draws' means, with "
    "Student's 95% interval over draws."
)


def _judgements(truth, results, margin):
    """How many verdicts are right, wrong and open."""
    return Counter(judged(each.verdict, truth, results, margin) for each in results)


def _cells(truth, results, planned, result, margin):
    what, n = f"{truth}: {TRUTHS[truth].what}", len(results)
    if not results:
        return [what, f"0 of {planned}", *[""] * 7, result]
    verdicts = Counter(each.verdict for each in results)
    wrong = _judgements(truth, results, margin)[WRONG]
    low, high = exact_bounds(wrong, n)
    return [
        what,
        f"{n} of {planned}",
        f"{100 * np.mean([each.table['top1'] for each in results]):.0f}",
        f"{np.mean([each.table['entropy'] for each in results]):.2f}",
        "; ".join(
            f"{words}: {k} ({judged(words, truth, results, margin)})"
            for words, k in verdicts.most_common()
        ),
        f"{wrong} of {n}: {100 * low:.0f}% to {100 * high:.0f}%",
        *(_points(_difference(results, control)) for control in ("none", OF_CLASS, WITHIN)),
        result,
    ]


def _verdict_table(results, margin):
    """How often each verdict came up, and was right; those that never did."""
    found = {words: Counter() for words in VERDICTS}
    for truth, draws in results.items():
        for each in draws:
            # The longest: some words go on where others end.
            words = max((each.verdict.startswith(k), len(k), k) for k in VERDICTS)[-1]
            found[words][judged(each.verdict, truth, draws, margin)] += 1
    rows = [
        [words, *(counts[kind] for kind in (RIGHT, WRONG, OPEN)), "" if counts else "**missed**"]
        for words, counts in found.items()
    ]
    return _markdown(rows, ["verdict (simulated draws)", RIGHT, WRONG, OPEN, "never came up"])


def _difference(results, control):
    return over_draws([paired(each.accuracy, BRAIN, control) for each in results])


def _points(interval):
    text = f"{100 * interval.mean:+.1f}"
    if np.isfinite(interval.low):
        text += f" [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"
    return text


def _pooled_table(results, family):
    rows = [
        [control, f"{100 * row['mean']:+.1f}", f"{row['p']:.4f}", f"{row['p_corrected']:.4f}"]
        for control, row in pooled(results, family).items()
    ]
    head = ["control", "brain - control, points", "p", "p, Holm"]
    return (
        f"The {len(results)} draws of {INFORMATIVE} together (simulated): the signs of the seed "
        f"pairs flipped within draws, {FLIPS:,} times, two-sided. A statement about these draws, "
        f"not about others.\n\n{_markdown(rows, head)}"
    )


def _markdown(rows, head):
    return tabulate(rows, head, tablefmt="pipe", disable_numparse=True)


def put_between_marks(path, mark, text):
    """Replace what stands between ``<!-- mark -->`` and ``<!-- end of mark -->`` of a file."""
    start, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    before, rest = path.read_text("utf-8").split(start)
    after = rest.split(end)[1]
    path.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", "utf-8")
