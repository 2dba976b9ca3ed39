"""The figures of ``decode``: the map of all cells, and the best cell from near."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_teacher.cells.folder import OutputFolder
from brain_teacher.chain.dataset import DataSet
from brain_teacher.dataset import images as pictures
from brain_teacher.dataset.formulas import quoted_table
from brain_teacher.decoding.soft_labels import SoftLabels, read_soft_labels
from brain_teacher.errors import about
from brain_teacher.files import atomic_write
from brain_teacher.report.agreement_figure import agreement_figure
from brain_teacher.report.cell_guesses import choose_images
from brain_teacher.report.decoder_figures import accuracy_figure, cell_figures
from brain_teacher.report.figure_files import save_figure

FOLDER = "figures"
# Side of a picture in the figure of guesses, in pixels.
SIZE = 96


def write_figures(
    out: Path,
    scores: pd.DataFrame,
    agreed: list[dict[str, Any]],
    dataset: DataSet,
    origin: dict[str, Any],
    noise: str,
) -> list[Path]:
    """Draw the cells of a decode, and write each figure with its points beside it.

    `scores` has a row a cell of the folder of soft labels: its ids and its quality; `agreed` one a
    decoder and ROI in which subjects can be compared; `origin` stands in the titles. The figures
    are ``accuracy`` of all cells, with what was said of `noise` below it; ``between_subjects``, if
    there are such; ``reliability``, ``similarity`` and ``guesses`` (where there are pictures) of
    the cell with the highest top-1 accuracy.
    """
    description = dataset.description
    figures = {"accuracy": accuracy_figure(scores, **origin, noise=noise)}
    if agreed:
        figures["between_subjects"] = agreement_figure(pd.DataFrame(agreed), **origin)
    # The first of equal ones.
    best = scores.loc[scores["top1"].idxmax()].dropna().to_dict()
    cell = {key: best[key] for key in ("subject", "roi", "decoder")}
    soft_labels = read_soft_labels(out / f"{'_'.join(cell.values())}.npz")
    category = dataset.category_of(soft_labels.image_id)
    with about(dataset.folder):
        figures |= cell_figures(
            soft_labels,
            category,
            origin=origin | cell,
            scores=best,
            images=_pictures(soft_labels, category, dataset),
            names=description.categories,
            superclass=description.superclasses,
        )
    files = []
    for name, (figure, points) in figures.items():
        png, csv = (out / FOLDER / f"{name}.{ending}" for ending in ("png", "csv"))
        save_figure(png, figure, dpi=110, metadata={"Software": None})
        with atomic_write(csv) as temporary:
            quoted_table(points).to_csv(temporary, index=False)
        files += [png, csv]
    # Those of a former cell that had pictures, say.
    folder, drawn = OutputFolder(out), {path.relative_to(out).as_posix() for path in files}
    for name in drawn:
        folder.remember(name, None)
    folder.prune(drawn, pattern=f"{FOLDER}/*")
    return files


def _pictures(
    soft_labels: SoftLabels, category: np.ndarray, dataset: DataSet
) -> dict[str, np.ndarray] | None:
    if not dataset.description.pictures:
        return None
    shown = pictures.find_shown(dataset.folder)
    chosen = [i for i in choose_images(soft_labels.image_id, category) if i in shown]
    if not chosen:
        return None
    files = [shown[image] for image in chosen]
    loaded = pictures.load_images(files, pictures.usual_side(files, most=SIZE))
    return dict(zip(chosen, loaded, strict=True))
