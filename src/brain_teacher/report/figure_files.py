"""Writing figures: PNG and SVG, the same students giving the same bytes."""

from pathlib import Path

import matplotlib

from brain_teacher.files import atomic_write


def write_figure(stem, figure):
    """Write ``<stem>.png`` and ``<stem>.svg``, whole or not at all; gives both paths."""
    paths = [Path(f"{stem}.{ending}") for ending in ("png", "svg")]
    # No date, no version, no random ids inside.
    with matplotlib.rc_context({"svg.hashsalt": "brain-teacher"}):
        for path, extra in zip(
            paths, ({"Software": None}, {"Date": None, "Creator": None}), strict=True
        ):
            with atomic_write(path) as temporary:
                figure.savefig(temporary, dpi=150, metadata=extra)
    return paths
