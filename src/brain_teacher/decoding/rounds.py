"""Rounds: runs that together show every category once, found from what the runs show.

GOD shows 50 of its 150 categories a run. Leaving a run out leaves fewer images of just those
categories to fit on; leaving images out leaves a held-out image's run-mates, none of its category.
Leaving a round out does neither: one image of each category, in runs of their own.
"""

from functools import reduce
from operator import or_

import numpy as np

# GOD's 24 runs take 24 steps; 50,000 steps over 90 runs took half a second.
MOST_STEPS = 50_000
ADVICE = "choose decode.folds.by: image or run"


def find_rounds(run, category):
    """Split the runs into rounds, each of which shows every category in exactly one of its runs.

    Runs are told apart by their categories alone, never by their numbers: GOD's fifth subject saw
    the runs of a round sessions apart. A category counts once a run, however often the run shows
    it, so that an image shown twice in a row changes nothing.

    Parameters
    ----------
    run : ndarray of int, shape (n_trials,)
        Of trials of one data type.
    category : ndarray of str, shape (n_trials,)

    Returns
    -------
    ndarray of int, shape (n_trials,)
        The round of each trial, from 1, in the order of each round's smallest run. Runs that show
        every category are rounds by themselves.

    Raises
    ------
    ValueError
        If the runs cannot be split so, can be split in more than one way, or the search, an exact
        cover by backtracking ([1]_), does not end within 50,000 steps.

    References
    ----------
    .. [1] Knuth (2000), Dancing links, arXiv:cs/0011047.

    Examples
    --------
    >>> run = np.array([1, 1, 2, 2, 3, 4])
    >>> find_rounds(run, np.array(["cat", "dog", "cat", "owl", "dog", "owl"])).tolist()
    [1, 1, 2, 2, 2, 1]
    """
    runs, run_of = np.unique(run, return_inverse=True)
    categories, category_of = np.unique(category, return_inverse=True)
    shows = np.zeros((len(runs), len(categories)), dtype=bool)
    shows[run_of, category_of] = True
    n_runs = shows.sum(axis=0)
    fewest, most = n_runs.argmin(), n_runs.argmax()
    if n_runs[fewest] < n_runs[most]:
        # A round shows every category in one run: all are in as many runs as there are rounds.
        raise ValueError(
            f"the runs make no rounds: category '{categories[fewest]}' is shown in "
            f"{n_runs[fewest]} of them, category '{categories[most]}' in {n_runs[most]}; {ADVICE}"
        )
    round_of = np.empty(len(runs), dtype=int)
    for number, members in enumerate(_only_split(shows, runs), start=1):
        round_of[list(members)] = number
    return round_of[run_of]


def _only_split(shows, runs):
    """The one way to split the runs into rounds: a tuple of rows of `shows` for each round."""
    # A set of categories is an integer, a bit for each: quick to compare.
    sets = [sum(1 << c for c in np.flatnonzero(row).tolist()) for row in shows]
    rows, steps, found = list(range(len(runs))), iter(range(MOST_STEPS)), []
    # A stack, not recursion: there may be more runs than Python's depth allows.
    stack: list[tuple] = [(_covers(rows, sets, steps), rows, ())]
    while stack and len(found) < 2:
        covers, free, rounds = stack[-1]
        cover = next(covers, None)
        if cover is None:
            stack.pop()
            continue
        left = [row for row in free if row not in cover]
        if left:
            stack.append((_covers(left, sets, steps), left, (*rounds, cover)))
        else:
            found.append((*rounds, cover))
    if len(found) == 1:
        return found[0]
    if not found:
        raise ValueError(f"the runs make no rounds: {_misfit(rows, sets, steps, runs)}; {ADVICE}")
    one, other = next(pair for pair in zip(*found, strict=False) if pair[0] != pair[1])
    raise ValueError(
        f"the runs make rounds in more than one way: run {runs[one[0]]} goes with "
        f"{_name(runs[list(one[1:])])}, or with {_name(runs[list(other[1:])])}; {ADVICE}"
    )


def _covers(free, sets, steps):
    """Each tuple of runs, the first of `free` and others, that shows every category once."""
    everything = reduce(or_, sets)
    stack: list[tuple] = [((free[0],), sets[free[0]])]
    while stack:
        if next(steps, None) is None:
            raise ValueError(
                f"how the {len(sets)} runs make rounds was not found within {MOST_STEPS:,} steps; "
                f"{ADVICE}"
            )
        cover, shown = stack.pop()
        if shown == everything:
            yield cover
            continue
        missing = ~shown & (shown + 1)  # the lowest bit that is not set
        fitting = [row for row in free if sets[row] & missing and not sets[row] & shown]
        stack += [((*cover, row), shown | sets[row]) for row in reversed(fitting)]


def _misfit(rows, sets, steps, runs):
    """What stands in the way, where there is no split."""
    for row in rows:
        others = [other for other in rows if other != row]
        if next(_covers([row, *others], sets, steps), None) is None:
            return f"no other runs show just the categories that run {runs[row]} lacks"
    return "every run has others that it could go with, but not all of them at once"


def _name(runs):
    names = [str(run) for run in runs]
    return f"run {names[0]}" if len(names) == 1 else f"runs {', '.join(names)}"
