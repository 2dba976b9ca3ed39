"""Data set folders from the real recordings in ``../shared/data``, which stay where they are.

Layouts, terms and reference figures: the README of that folder.
"""

from pathlib import Path

import numpy as np
import pytest
import yaml

from brain_teacher.sources.formats.writing import write_subject
from brain_teacher.sources.recordings import haxby, miyawaki

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"


def needs(name):
    """A mark: skip, and say why, where the recordings are not there."""
    folder = DATA / name
    return pytest.mark.skipif(not folder.is_dir(), reason=f"no real recordings in {folder}")


def haxby_blocks():
    """The Haxby slice, one row a block of 9 volumes: voxels, category, run (1 to 12)."""
    return haxby.read_blocks(DATA / "haxby_slice")


def write_haxby(folder, *, shuffles=()):
    """Write the Haxby slice as a data set.

    `shuffles` are seeds; with them, a subject for each, its labels permuted within the runs.
    """
    folder = Path(folder)
    folder.mkdir()
    haxby.build(DATA / "haxby_slice", folder)
    if shuffles:
        voxels, _, run, _ = haxby_blocks()
        content = yaml.safe_load((folder / "dataset.yaml").read_text())
        content["subjects"] = {
            f"shuffled{seed}": write_subject(
                folder,
                f"shuffled{seed}",
                {haxby.ROI: voxels},
                stimulus_id=_shuffle_within(run, seed),
                run=run,
            )
            for seed in shuffles
        }
        (folder / "dataset.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


def _shuffle_within(run, seed):
    """The numbers 1 to n, permuted within each run."""
    rng, numbers = np.random.default_rng(seed), np.arange(1, len(run) + 1)
    for value in np.unique(run):
        numbers[run == value] = rng.permutation(numbers[run == value])
    return numbers


def write_miyawaki(folder, *, trials_as_images=False):
    """Write Miyawaki's letters as a data set, by `build` of that source."""
    folder = Path(folder)
    folder.mkdir()
    miyawaki.build(DATA / "miyawaki_figures", folder, trials_as_images=trials_as_images)
    return folder
