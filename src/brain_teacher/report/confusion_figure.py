"""Which class a student names where which was shown."""

import numpy as np
import pandas as pd

from brain_teacher.report.cell_curves import draw_similarity
from brain_teacher.report.layout import new_figure, write_title


def confusion_figure(truth, guess, class_id, *, title):
    """Shares of each class's images that were named so: rows are what was shown.

    `truth` and `guess` are columns of `class_id`, one an image. Returns the figure, and its points:
    a row for each pair of classes that occurred, ``shown``, ``named``, ``images``.
    """
    class_id = np.asarray(class_id)
    counts = np.zeros((len(class_id), len(class_id)), dtype=int)
    np.add.at(counts, (truth, guess), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = new_figure(7.5, 6.5)
    ax = draw_similarity(100 * shares, figure.subplots(), labels=[str(name) for name in class_id])
    ax.set(xlabel="named", ylabel="shown")
    figure.colorbar(ax.images[0], ax=ax, pad=0.02, shrink=0.8).set_label("of the shown (%)")
    write_title(figure, title)
    shown, named = np.nonzero(counts)
    points = {"shown": class_id[shown], "named": class_id[named], "images": counts[shown, named]}
    return figure, pd.DataFrame(points)
