"""Pictures that are equal, or nearly: of lost ones, under several names, shown and tested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from brain_teacher.sources.checks.findings import Findings, first_of
from brain_teacher.sources.checks.looks import SIDE, Look

# Two are nearly equal if no pixel of their looks differs by more, of 255 levels. Copies of
# photographs at other sizes differed by 1 to 8, saved again as JPEG by 3 to 15, few by more; two
# letters of two fonts, the most alike of 3,549 pictures of four data sets, by 16.
LEVELS = 14
# So many equal ones are what a website shows in a lost picture's place.
MANY = 5
# Pictures that are held against the others at a time, and pairs that are looked at closely.
BLOCK, PAIRS = 512, 4096


@dataclass(frozen=True)
class Place:
    """What a picture is to the data set."""

    # ``shown``, ``unseen``; of those ``validation`` or ``test``, where it is known.
    part: str
    category: str | None


def check_likeness(found: Findings, looks: Sequence[Look], places: Mapping) -> None:
    """Say which pictures are of one colour, and which are equal or nearly so.

    `places` are by the path of a picture. Each group of equal pictures is said once, as the worst
    that it is.
    """
    blank = [bool((look.pixels == look.pixels[0, 0]).all()) for look in looks]
    if any(blank):
        names = [f"'{look.path.stem}'" for look, is_so in zip(looks, blank, strict=True) if is_so]
        found.cautions.append(f"{len(names):,} pictures are of one colour: {first_of(names)}")
    looks = [look for look, is_so in zip(looks, blank, strict=True) if not is_so]
    said: dict[str, list[str]] = {text: [] for text in KINDS}
    for rows in groups_alike(looks):
        group = [looks[row] for row in rows]
        kind = next(text for text, is_so in KINDS.items() if is_so([places[g.path] for g in group]))
        said[kind].append(_name(group, places))
    for text, names in said.items():
        if names:
            found.cautions.append(text.format(f"{len(names):,}", first_of(names)))


# The first that holds of the places of a group is said; {} are the number of groups, and these.
KINDS = {
    "many equal or nearly equal pictures, placeholders of lost ones? ({} times) {}": (
        lambda places: len(places) >= MANY
    ),
    "students are tested on what they learnt from: equal or nearly equal pictures ({}): {}": (
        lambda places: len({place.part == "shown" for place in places}) > 1
    ),
    "what chooses students also tests them: equal or nearly equal pictures ({}): {}": (
        lambda places: len({place.part for place in places}) > 1
    ),
    "equal or nearly equal pictures of several categories ({}): {}": (
        lambda places: len({place.category for place in places}) > 1
    ),
    "equal or nearly equal pictures under several ids, so that folds by image tell what was fitted "
    "on ({}): {}": lambda places: places[0].part == "shown",
    "equal or nearly equal pictures under several ids, which count as often ({}): {}": (
        lambda _: True
    ),
}


def _name(group, places):
    """A group in words: ``=`` between copies of one file, ``~`` between what is nearly equal."""
    sign = " = " if len({look.digest for look in group}) == 1 else " ~ "
    names = []
    for look in group[:MANY]:
        place = places[look.path]
        names.append(f"'{look.path.stem}' ({' '.join(filter(None, [place.part, place.category]))})")
    return sign.join(names) + f" and {len(group) - MANY} more" * (len(group) > MANY)


def groups_alike(looks: Sequence[Look]) -> list[np.ndarray]:
    """The rows of pictures that are equal, or nearly (`LEVELS`), in groups of two and more.

    Rows are held against one of each group before them, so that thousands of equal ones take no
    longer. What is nearly equal to two of a group's neighbours joins their groups.
    """
    if not looks:
        return []
    pixels = np.stack([look.pixels for look in looks])
    coarse = pixels.reshape(len(looks), SIDE // 2, 2, SIDE // 2, 2, 3).mean((2, 4), np.float32)
    coarse = coarse.reshape(len(looks), -1) - 128
    square = (coarse**2).sum(axis=1)
    # Means differ by no more than what they are means of; 1% for rounding.
    most = 1.01 * coarse.shape[1] * LEVELS**2
    kept, pairs = np.empty(0, dtype=int), []
    for start in range(0, len(looks), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(looks)))
        others = np.concatenate([kept, rows])
        distance = square[rows, None] + square[others] - 2 * coarse[rows] @ coarse[others].T
        one, two = np.nonzero((distance <= most) & (others < rows[:, None]))
        alike = _alike(pixels, rows[one], others[two])
        pairs.append(alike)
        kept = np.concatenate([kept, np.setdiff1d(rows, alike[0])])
    one, two = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(len(one)), (one, two)), shape=(len(looks), len(looks)))
    label = connected_components(graph, directed=False)[1]
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return [rows for rows in groups if len(rows) > 1]


def _alike(pixels, one, two):
    """Those of some pairs of rows that are nearly equal: two rows of numbers."""
    flat = pixels.reshape(len(pixels), -1).astype(np.int16)
    pairs = np.stack([one, two])
    # Nearly all differ in one of the first few pixels.
    for columns in (slice(None, None, 31), slice(None)):
        part, parts = flat[:, columns], [np.empty((2, 0), dtype=int)]
        for start in range(0, pairs.shape[1], PAIRS):
            first, second = pairs[:, start : start + PAIRS]
            alike = np.abs(part[first] - part[second]).max(axis=1) <= LEVELS
            parts.append(pairs[:, start : start + PAIRS][:, alike])
        pairs = np.concatenate(parts, axis=1)
    return pairs
