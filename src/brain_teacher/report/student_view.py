"""How students see pictures: beside each of some what is left of it."""

from collections.abc import Mapping

import numpy as np
from matplotlib.patches import Rectangle

from brain_teacher.report.layout import VERMILION, new_figure, shorten, write_caption, write_title

_COLUMNS = 4


def student_view_figure(pictures: Mapping[str, tuple[np.ndarray, np.ndarray]], *, title: str):
    """Pictures as they are, and as students see them.

    `pictures` are by image id, each twice, RGB and uint8: whole, (height, width, 3), and as
    `load_images` gives it, (side, side, 3). Returns the figure. Raises ``ValueError`` if there is
    none.
    """
    if not pictures:
        raise ValueError("no pictures to draw")
    rows = -(-len(pictures) // _COLUMNS)
    figure = new_figure(2.6 * _COLUMNS, 1.2 + 1.5 * rows)
    axes = figure.subplots(rows, 2 * _COLUMNS, squeeze=False).reshape(-1, 2)
    for ax in axes.ravel():
        ax.set_axis_off()
    for (image_id, (whole, seen)), (left, right) in zip(pictures.items(), axes, strict=False):
        left.imshow(whole)
        left.add_patch(_middle_square(whole))
        left.set_title(shorten(image_id, 26), loc="left", fontsize=7, parse_math=False)
        right.imshow(seen, interpolation="nearest")
    write_title(figure, title)
    side = len(next(iter(pictures.values()))[1])
    write_caption(
        figure,
        f"Left: the picture, upright, on white where it is transparent; framed the middle square. "
        f"Right: what students see, {side} x {side} pixels (distill.image_size). Chosen by a hash "
        "of the ids: the first picture of each category, then the second.",
    )
    return figure


def _middle_square(whole):
    height, width = whole.shape[:2]
    side = min(height, width)
    corner = ((width - side) / 2 - 0.5, (height - side) / 2 - 0.5)
    return Rectangle(corner, side, side, fill=False, color=VERMILION, linewidth=1.2)
