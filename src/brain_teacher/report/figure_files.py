"""Writing figures: the same numbers giving the same bytes, and names as they are spelt."""

import unicodedata
import warnings
from pathlib import Path

import matplotlib
from matplotlib.text import Text

from brain_teacher.files import atomic_write


def write_figure(stem, figure):
    """Write ``<stem>.png`` and ``<stem>.svg``, whole or not at all; gives both paths."""
    paths = [Path(f"{stem}.{ending}") for ending in ("png", "svg")]
    extras = {"Software": None}, {"Date": None, "Creator": None}
    for path, extra in zip(paths, extras, strict=True):
        save_figure(path, figure, dpi=150, metadata=extra)
    return paths


def save_figure(path, figure, **options):
    """Save a figure, whole or not at all; `options` are matplotlib's.

    What people named is no formula: matplotlib would read one between two ``$``, and stop where it
    cannot. Control characters, which are no part of an SVG file, become blanks.
    """
    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_text(_shown(text.get_text()))
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        # Names of ticks are set again when they are drawn.
        names = [axis.get_major_formatter()(place) for place in axis.get_majorticklocs()]
        if (shown := list(map(_shown, names))) != names:
            axis.set_ticklabels(shown)
    # No date, no version, no random ids inside.
    with (
        atomic_write(path) as temporary,
        matplotlib.rc_context({"svg.hashsalt": "brain-teacher"}),
        warnings.catch_warnings(),
    ):
        # A letter that the font lacks is a box; the tables have it.
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(temporary, **options)


def _shown(text):
    control = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs")}
    return text.translate(dict.fromkeys(map(ord, control - {"\n"}), " "))
