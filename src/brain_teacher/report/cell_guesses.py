"""One decoded cell: some of the images shown, with the decoder's first guesses beside them."""

import hashlib

import numpy as np
import pandas as pd

from brain_teacher.dataset.ids import rows_of
from brain_teacher.report.layout import new_figure, shorten, write_caption, write_title

_RIGHT, _WRONG = "#F5B27F", "#BFD9EC"
# First guesses that are shown of each image.
_GUESSES = 3


def choose_images(image_id, category, count=12):
    """Which images to show: by a hash of the id, so that no one picks the fine ones.

    The first image of each category in the order of the hash, then the second of each, and so on;
    of those the ids of the first `count`: the same whatever the decoder made of them.

    Examples
    --------
    >>> choose_images(["a", "b", "c"], ["x", "x", "y"], 2)
    ['c', 'b']
    """
    table = pd.DataFrame({"image": map(str, image_id), "category": map(str, category)})
    table["hash"] = [hashlib.sha256(image.encode()).hexdigest() for image in table["image"]]
    table = table.sort_values("hash")
    table["round"] = table.groupby("category").cumcount()
    return table.sort_values(["round", "hash"])["image"].head(count).tolist()


def top_guesses(soft_labels, category, image_ids):
    """A decoder's first three guesses about some images, and where the right class came.

    `category` is that of each row of `soft_labels`. Returns a DataFrame, ``image_id``,
    ``category``, ``rank`` (1 is the first guess), ``guess``, ``probability``, ``right``: three rows
    an image, and one more where the right class is not among them.
    """
    table = soft_labels.take(image_ids).sorted().take(image_ids)
    place = rows_of(image_ids, soft_labels.image_id, lacks="there is no image '{}'")
    shown, rows = np.asarray(category, dtype=str)[place].tolist(), []
    for image, own, log_probs in zip(image_ids, shown, table.log_probs.astype(float), strict=True):
        order = np.argsort(-log_probs, kind="stable")
        for rank, column in enumerate(order, start=1):
            guess = str(table.class_id[column])
            if rank <= _GUESSES or guess == own:
                probability = float(np.exp(log_probs[column]))
                rows.append((image, own, rank, guess, probability, guess == own))
    columns = ["image_id", "category", "rank", "guess", "probability", "right"]
    return pd.DataFrame(rows, columns=columns)


def guesses_figure(guesses, images, *, title, names=None, columns=3):
    """Images with the decoder's first guesses beside them.

    `guesses` are from `top_guesses`; `images` are RGB by image id, (height, width, 3) and uint8,
    drawn in this order; `names` are by class id. Returns the figure, and its points: `guesses`.
    Raises ``ValueError`` if there is no image, or no guess for one.
    """
    if not images:
        raise ValueError("no images to draw")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure = new_figure(max(3.9 * columns, 6.0), 1.3 + 1.5 * rows)
    axes = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=(1, 1.8) * columns)
    pairs = axes.reshape(-1, 2)
    for (image, pixels), pair in zip(images.items(), pairs, strict=False):
        own = guesses[guesses["image_id"] == image]
        if own.empty:
            raise ValueError(f"no guesses for image '{image}'")
        draw_guesses(own, pixels, pair, names=names)
    for ax in pairs[len(images) :].ravel():
        ax.set_axis_off()
    write_title(figure, title)
    write_caption(
        figure,
        "Bold: what was shown. Bars: the decoder's first guesses and their probabilities, out of "
        "fold; a full frame is 100%. A tick and a thick frame mark the right class; where it is "
        "not among the first guesses it stands below them with its rank. Images are chosen by a "
        "hash of their ids, whatever was guessed: the first of each class, then the second.",
    )
    return figure, guesses.reset_index(drop=True)


def draw_guesses(guesses, pixels, axes, *, names=None):
    """Draw one image and its `guesses` (rows of `top_guesses`) on two axes, side by side."""
    names = names or {}
    picture, bars = axes
    picture.imshow(pixels)
    picture.set_axis_off()
    shown = guesses["category"].iloc[0]
    bars.set_title(shorten(names.get(shown, shown)), loc="left", fontsize=9, fontweight="bold")
    for place, row in enumerate(guesses.itertuples()):
        # The right class that was not guessed stands a little apart.
        y = place + (0.35 if row.rank > _GUESSES else 0)
        right, colour = row.right, _RIGHT if row.right else _WRONG
        bars.barh(y, row.probability, height=0.8, color=colour, gid="right" if right else "wrong")
        edge = {"edgecolor": "black" if right else "0.75", "linewidth": 1.6 if right else 0.6}
        bars.barh(y, 1, height=0.8, fill=False, **edge, gid="frame")
        text = "✓ " if right else ""
        text += f"{_ordinal(row.rank)}: " if row.rank > _GUESSES else ""
        style = {"va": "center", "fontsize": 7.5, "fontweight": "bold" if right else "normal"}
        bars.text(0.02, y, shorten(text + names.get(row.guess, row.guess), 31), **style)
        bars.text(1.17, y, f"{100 * row.probability:.0f}%", ha="right", **style)
    bars.set(xlim=(-0.01, 1.18), ylim=(3.8, -0.5))
    bars.set_axis_off()
    return axes


def _ordinal(number):
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}th" if number % 100 in (11, 12, 13) else f"{number}{ending}"
