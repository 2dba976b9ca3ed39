"""The same brain with less of it: the first subjects alone, or a recording with fewer trials."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_teacher.chain.dataset import INDEX
from brain_teacher.chain.decodings.planning import open_decodings
from brain_teacher.chain.students.material import Part
from brain_teacher.chain.students.setting import Setting
from brain_teacher.chain.students.soft_labels import folder_of, read_brain
from brain_teacher.dataset.trials import FORMAT, Voxels, read_voxels
from brain_teacher.dataset.trials import TRAINING as SHOWN
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.distillation.lessons import NotApplicable
from brain_teacher.errors import about
from brain_teacher.files import write_npz

SUBJECTS, TRIALS = "subjects", "trials"
# Of more repetitions powers of 2 serve: each point of a curve is as many students as any other.
EACH = 5


@dataclass(frozen=True)
class Amount:
    """A point of a curve: so many subjects, or trials an image."""

    curve: str
    number: int
    of: int  # how many there are
    brain: SoftLabels

    @property
    def name(self) -> str:
        """What its students are called."""
        return f"{self.curve}-{self.number}"


def fewer_subjects(setting: Setting, soft_labels: Path) -> list[Amount]:
    """The first subject's table, the first two's together, and so on, but for all."""
    part, subjects = _only_part(setting), setting.origin["subject"].split("+")
    if len(subjects) < 2:
        raise NotApplicable("one subject teaches")
    amounts = []
    for number in range(1, len(subjects)):
        origin = setting.origin | {"subject": "+".join(subjects[:number])}
        table = read_brain(origin, setting.dataset, soft_labels)
        amounts.append(Amount(SUBJECTS, number, len(subjects), table.take(part.brain.image_id)))
    return amounts


def fewer_trials(setting: Setting, voxels: Path, out: Path, **how: Any) -> list[Amount]:
    """The brain as it would be decoded from the first trials of each image alone.

    Voxels and soft labels of each go into `out`; `how` is what making cells takes (`run_time`,
    `say`, `quiet`).
    """
    part, decoder = _only_part(setting), setting.params.distill.decoder
    if folder_of(decoder, setting.dataset, out) != out:
        raise NotApplicable(f"the tables of {decoder} were not decoded here")
    if not (voxels / INDEX).is_file():
        raise NotApplicable(f"{voxels} holds no voxels to be decoded again (--voxels)")
    decodings = open_decodings(setting.params, data=setting.dataset.folder, voxels=voxels)
    chosen = {key: setting.origin[key].split("+") for key in ("subject", "roi")}
    files = [f"{who}_{roi}.npz" for who in chosen["subject"] for roi in chosen["roi"]]
    most = max(_repetitions(voxels / file) for file in files)
    if most < 2:
        raise NotApplicable("each image was shown once")
    settings, amounts = setting.params.decode.settings(decoder), []
    for number in _steps(most):
        cut, labels = (out / f"{TRIALS}-{number}" / name for name in ("voxels", "soft_labels"))
        for file in files:
            _write_first(voxels / file, cut / file, number)
        cells = replace(decodings, voxels=cut).cells(**chosen, decoder=[decoder])
        with decodings.made("dissect", cells, settings=settings, out=labels, **how):
            table = read_brain(setting.origin, setting.dataset, labels)
        amounts.append(Amount(TRIALS, number, most, table.take(part.brain.image_id)))
    return amounts


def _only_part(setting: Setting) -> Part:
    (part, *more) = setting.parts
    if more or part.fold is not None:
        raise NotApplicable("it is drawn for unseen test images only (distill.split: unseen)")
    return part


def _steps(most: int) -> Iterable[int]:
    """How many trials: each number below `most`, or the powers of 2."""
    if most <= EACH:
        return range(1, most)
    return (2**power for power in range((most - 1).bit_length()) if 2**power < most)


def _repetitions(file: Path) -> int:
    """How often an image was shown at most."""
    with about(file):
        voxels = read_voxels(file)[0]
    shown = voxels.image_id[voxels.data_type == SHOWN]
    return int(np.unique(shown, return_counts=True)[1].max())


def first_trials(voxels: Voxels, number: int) -> Voxels:
    """The first trials of each shown image, by run and place within it; what else there is stays.

    Examples
    --------
    >>> told = {"image_id": list("abab"), "category": list("cdcd"), "run": [1, 1, 2, 2]}
    >>> first_trials(Voxels(np.arange(4.0)[:, None], **told), 1).image_id.tolist()
    ['a', 'b']
    """
    shown = np.flatnonzero(np.asarray(voxels.data_type) == SHOWN)
    order = np.argsort(np.asarray(voxels.position)[shown], kind="stable")
    order = shown[order[np.argsort(voxels.run[shown][order], kind="stable")]]
    nth = pd.Series(voxels.image_id[order]).groupby(voxels.image_id[order]).cumcount()
    left_out = order[nth.to_numpy() >= number]
    return voxels.take(np.setdiff1d(np.arange(len(voxels.data)), left_out))


def _write_first(source: Path, place: Path, number: int) -> None:
    """A voxel file of the first trials."""
    with about(source):
        voxels, meta = read_voxels(source)
    kept = first_trials(voxels, number)
    text = json.dumps(meta | {"format": FORMAT, "trials": number}, sort_keys=True)
    write_npz(place, compress=False, data=kept.data, **kept.columns(), meta=np.array(text))


def part_of(setting: Setting, amount: Amount) -> Part:
    """Which images teach and report, and what this amount says of the first."""
    return replace(_only_part(setting), brain=amount.brain)
