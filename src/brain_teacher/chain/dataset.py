"""A data set, opened once and handed on, with the errors that a person's mistake deserves."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from brain_teacher.dataset.description import FILE, Description, read_description
from brain_teacher.dataset.pictured import pictured_categories
from brain_teacher.dataset.stimuli import STIMULI_FILE, image_categories, read_stimuli
from brain_teacher.errors import BrainTeacherError, UsageError, about, nearest

# What preprocess lists its voxel files in; where decode and compare put their figures.
INDEX, METRICS = "index.json", "metrics.json"


@dataclass(frozen=True, eq=False)
class DataSet:
    """A data set folder and what stands at its top."""

    folder: Path
    description: Description
    stimuli: pd.DataFrame | None  # None where the ids follow GOD's rule

    @property
    def name(self) -> str:
        """What it is called."""
        return self.description.name

    @property
    def origin(self) -> dict[str, Any]:
        """What every table, figure and MLflow run says of its numbers."""
        return {"dataset": self.name, "simulated": self.description.simulated}

    def with_said(self, *, simulated: bool) -> Self:
        """The same, simulated if what was made from it, or comes to it, says so: that stays."""
        if not simulated or self.description.simulated:
            return self
        return replace(self, description=self.description.model_copy(update={"simulated": True}))

    def category_of(self, image_ids: Sequence[str] | np.ndarray) -> np.ndarray:
        """The category of each of some images."""
        with about(self.folder):
            return image_categories(image_ids, self.stimuli)

    def taught(self, categories: Collection[str]) -> list[str] | None:
        """Of some categories, sorted, those that have pictures; None where that leaves none out.

        A data set without any pictures of them is for decoding alone: it leaves none out either.
        """
        if not self.description.pictures:
            return None
        with about(self.folder):
            kept = sorted({*categories} & pictured_categories(self.folder, self.stimuli))
        if len(kept) == 1 < len({*categories}):
            raise BrainTeacherError(
                f"{self.folder} has pictures of 1 of {len({*categories})} categories, "
                f"'{kept[0]}': add pictures of others, or set pictures: false in {FILE} to decode "
                "them all"
            )
        return kept if 0 < len(kept) < len({*categories}) else None


def open_dataset(folder: str | Path) -> DataSet:
    """Open a data set folder; one that is missing or wrong is a failure that says how."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BrainTeacherError(
            f"there is no data set folder {folder}: `dvc pull data.dvc` brings the sample, "
            "`brain-teacher simulate` makes one, or name yours with --data or dataset.name"
        )
    try:
        with about(folder / FILE):
            description = read_description(folder)
    except FileNotFoundError:
        raise BrainTeacherError(f"{folder} has no {FILE}: it is not a data set folder") from None
    with about(folder / STIMULI_FILE):
        return DataSet(folder, description, read_stimuli(folder))


def choose(
    wanted: str | Sequence[str], known: Sequence[str], where: str, *, remedy: str = ""
) -> list[str]:
    """The wanted names (``all``: every known one), each checked; `where` is the setting's name.

    `remedy` ends what is said of a name that is not known.
    """
    if wanted == "all":
        return list(known)
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"{where}: there is no {name!r}{nearest(name, known)} (known: {', '.join(known)})"
                f"{remedy}"
            )
    return list(dict.fromkeys(wanted))
