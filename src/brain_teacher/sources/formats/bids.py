"""A BIDS derivative (fMRIPrep's, or another's) to trials: events, preprocessed BOLD, masks.

nilearn finds, masks, models and cleans; here is which trial is which picture in which run.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd

from brain_teacher.dataset.bdata import write_bdata
from brain_teacher.dataset.ids import NAME, rows_of
from brain_teacher.dataset.rules import hold_to
from brain_teacher.files import regular
from brain_teacher.sources.formats.nifti import UNREADABLE, one_line, open_nifti
from brain_teacher.sources.formats.own_trials import plain_ids
from brain_teacher.sources.formats.writing import write_stimuli

# How the names of files end.
BOLD, MASK, EVENTS = "desc-preproc_bold.nii.gz", "desc-brain_mask.nii.gz", "events.tsv"
NO_CATEGORY = ("n/a", "")
WHOLE = "brain"  # the ROI where none is asked for


@dataclass(frozen=True)
class Derivative:
    """What is wanted of a derivative.

    Attributes
    ----------
    folder, events
        The derivative; the folder of the events, where they do not lie in it or above it.
    task, space
        Which, where there are several.
    rois
        A mask or an atlas by ROI: ``mask.nii.gz``, or ``atlas.nii.gz:7``; ``{sub}`` in it is the
        subject. Without any: what the brain masks of all runs share.
    category, image
        Columns of the events. Without `image`, each trial is an image of its own.
    without
        Categories that are no trials, such as rest.
    merge
        Events of one category that begin at most so many seconds after the one before are one
        trial.
    window
        A trial is the mean of the volumes from ... to ... seconds after its onset. None: it is the
        response to it by least squares separate [1]_.
    confounds
        nilearn's strategies for fMRIPrep's confounds (``motion``, ``wm_csf``, ...), taken away.

    References
    ----------
    .. [1] Mumford et al. (2012), NeuroImage 59:2636.
    """

    folder: Path
    events: Path | None = None
    task: str | None = None
    space: str | None = None
    rois: dict[str, str] | None = None
    category: str = "trial_type"
    image: str | None = None
    without: tuple[str, ...] = ()
    merge: float = 0.0
    window: tuple[float, float] | None = None
    confounds: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Run:
    bold: Path
    entities: dict[str, str]
    events: Path

    @property
    def labels(self) -> tuple[str, str]:
        """Of its session and its own; empty where there is none."""
        return self.entities.get("ses", ""), self.entities.get("run", "")


def from_bids(folder: Path, wanted: Derivative) -> tuple[dict[str, str], list[str], list[str]]:
    """Make BData files and ``stimuli.csv`` of a derivative's subjects.

    Gives the file in the folder by subject, the ROIs that every subject has, and notes.

    Raises
    ------
    ValueError
        If something is not there, or does not fit; the file is named.
    """
    runs, notes = _runs(wanted)
    read = {}
    for subject in sorted({run.entities["sub"] for run in runs}):
        own = [run for run in runs if run.entities["sub"] == subject]
        read[subject] = _read_subject(subject, own, wanted)
    tables = pd.concat({subject: table for subject, (_, _, table) in read.items()})
    tables["image_id"], note = plain_ids(tables["image_id"])
    notes += note
    images = tables[["image_id", "category"]].drop_duplicates().sort_values("image_id")
    if (twice := images["image_id"].duplicated()).any():
        raise ValueError(
            f"picture {images['image_id'][twice].iloc[0]} has two categories (columns "
            f"{wanted.image}, {wanted.category})"
        )
    ids = images["image_id"].to_numpy()
    write_stimuli(folder, ((n, *row) for n, row in enumerate(images.to_numpy().tolist(), start=1)))
    (folder / "bdata").mkdir()
    files = {}
    for subject, (voxels, masks, _) in read.items():
        table = tables.loc[subject]
        if not NAME.fullmatch(subject):
            raise ValueError(f"sub-{subject}: a subject's name may hold letters, digits and '-'")
        files[f"sub-{subject}"] = f"bdata/sub-{subject}.h5"
        labels = {name: table[name] for name in ("Session", "Run")}
        labels["DataType"] = np.ones(len(table))
        labels["stimulus_id"] = 1 + rows_of(table["image_id"], ids, lacks="{}")
        write_bdata(folder / f"bdata/sub-{subject}.h5", voxels, rois=masks, labels=labels)
    return files, list(wanted.rois or (WHOLE,)), notes


def _runs(wanted: Derivative) -> tuple[list[_Run], list[str]]:
    """The runs of all subjects, in order; and what was left out, in words."""
    from nilearn.interfaces.bids import parse_bids_filename

    found = sorted(wanted.folder.glob(f"sub-*/**/func/*_{BOLD}"))
    if not found:
        raise ValueError(f"{wanted.folder} has no sub-*/[ses-*/]func/*_{BOLD}")
    notes, runs = [], []
    for path in found:
        named = parse_bids_filename(str(path))["entities"]
        runs.append((path, {key: label for key, label in named.items() if label is not None}))
    for name in ("task", "space"):
        asked, there = getattr(wanted, name), {entities.get(name, "") for _, entities in runs}
        if asked is None and len(there) > 1:
            several = ", ".join(sorted(each or "none" for each in there))
            raise ValueError(f"there are several ({several}): say which with --{name}")
        if asked is not None and asked not in there:
            raise ValueError(
                f"--{name}: there is no {asked!r} (there is {', '.join(sorted(there))})"
            )
        runs = [(path, own) for path, own in runs if asked in (None, own.get(name))]
    with_events = []
    for path, entities in runs:
        if (events := _events_of(path, entities, wanted)) is not None:
            with_events.append(_Run(path, entities, events))
        else:
            notes.append(f"{path.name} is left out: no {EVENTS} of it")
    if not with_events:
        raise ValueError(f"no run has its {EVENTS}; say where they lie with --events DIR")
    names = [(run.entities["sub"], run.labels) for run in with_events]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"several files are sub-{twice[0][0]}, session and run {twice[0][1]}")
    return with_events, notes


def _events_of(bold: Path, entities: dict[str, str], wanted: Derivative) -> Path | None:
    """Beside the run, or at its place in the data set that the derivative lies in."""
    keys = ("sub", "ses", "task", "acq", "run")
    name = "_".join([*(f"{key}-{entities[key]}" for key in keys if key in entities), EVENTS])
    places = [wanted.events]
    if wanted.events is None:
        places = [wanted.folder, *wanted.folder.resolve().parents[:2]]
    files = [place / bold.parent.relative_to(wanted.folder) / name for place in places if place]
    return next(filter(Path.is_file, files), None)


def _read_subject(subject, runs, wanted):
    """Voxels (n_trials, n_voxels), masks by ROI, and the table of trials."""
    masks, image = _masks(subject, runs, wanted)
    every, tables = [], []
    sessions = sorted({run.labels[0] for run in runs})
    for run in runs:
        try:
            trials = read_events(run.events, wanted)
            voxels = _responses(run, image, trials, wanted)
        except UNREADABLE as error:
            raise ValueError(f"{run.bold}: {one_line(error)}") from error
        session, number = run.labels
        if wanted.image is None:
            place = f"ses{session}-" * bool(session) + f"run{number}"
            trials["image_id"] = [
                f"{place}-trial{n}-{kind}" for n, kind in enumerate(trials["category"], start=1)
            ]
        own = [each.labels[1] for each in runs if each.labels[0] == session]
        tables.append(trials.assign(Session=1 + sessions.index(session), Run=1 + own.index(number)))
        every.append(voxels)
    return np.concatenate(every), masks, pd.concat(tables, ignore_index=True)


def read_events(path: Path, wanted: Derivative) -> pd.DataFrame:
    """The trials of a run: ``onset`` and ``duration`` in s, ``category``, maybe ``image_id``.

    Raises
    ------
    ValueError
        If a column is missing, or an onset or duration is no number; the row is given.
    """
    try:
        table = pd.read_csv(regular(path), sep="\t", dtype=str, keep_default_na=False)
    except (ValueError, pd.errors.ParserError) as error:
        raise ValueError(f"{path} is no TSV ({one_line(error)})") from error
    columns = ["onset", "duration", wanted.category, *filter(None, [wanted.image])]
    for column in columns:
        if column not in table:
            raise ValueError(f"{path} has no column {column!r} (it has {', '.join(table)})")
    is_trial = ~table[wanted.category].isin([*wanted.without, *NO_CATEGORY])
    numbers = table[["onset", "duration"]].apply(pd.to_numeric, errors="coerce").astype(float)
    rules = [
        (is_trial & ~np.isfinite(numbers).all(axis=1), "onset or duration is no number"),
        (is_trial & (numbers["duration"] < 0), "duration is below 0"),
    ]
    trials = numbers.assign(category=table[wanted.category])
    if wanted.image is not None:
        rules.append((is_trial & table[wanted.image].isin(NO_CATEGORY), f"{wanted.image} is empty"))
        trials["image_id"] = table[wanted.image]
    hold_to(rules, first=2, file=f"{path}: ")
    trials = trials[is_trial]
    trials = trials.sort_values("onset", kind="stable")
    kind = trials[[name for name in ("category", "image_id") if name in trials]]
    begins = (kind != kind.shift()).any(axis=1) | (trials["onset"].diff() > wanted.merge)
    first = trials[begins.to_numpy()].copy()
    ends = (trials["onset"] + trials["duration"]).groupby(begins.cumsum()).max()
    first["duration"] = ends.to_numpy() - first["onset"].to_numpy()
    if first.empty:
        raise ValueError(f"{path} has no trials")
    return first.reset_index(drop=True)


def _masks(subject, runs, wanted):
    """By ROI which of the read voxels are its own, and the image of all that are read."""
    from nilearn.masking import intersect_masks

    if not wanted.rois:
        paths = [run.bold.with_name(run.bold.name.replace(BOLD, MASK)) for run in runs]
        if missing := [path for path in paths if not path.is_file()]:
            raise ValueError(f"there is no {missing[0]}; say which voxels with --roi NAME=MASK")
        image = intersect_masks([str(path) for path in paths], threshold=1, connected=False)
        return {WHOLE: np.ones(int(np.asarray(image.dataobj).sum()), bool)}, image
    flags, grids = {}, []
    for roi, place in wanted.rois.items():
        path, _, label = place.format(sub=subject).partition(".nii.gz:")
        file = Path(path + ".nii.gz" * bool(label))
        try:
            image = open_nifti(file)
            values = np.asarray(image.dataobj).reshape(image.shape[:3])
        except UNREADABLE as error:
            raise ValueError(f"--roi {roi}: {file} cannot be read ({one_line(error)})") from error
        flags[roi] = values == int(label) if label else values > 0
        if not flags[roi].any():
            raise ValueError(f"--roi {roi}: {place.format(sub=subject)} has no voxel")
        grids.append((image.shape[:3], image.affine))
        if grids[-1][0] != grids[0][0] or not np.allclose(image.affine, grids[0][1]):
            raise ValueError(f"--roi {roi}: {file} has another grid than the first mask")
    union = np.logical_or.reduce(list(flags.values()))
    grid = nibabel.Nifti1Image(union.astype(np.uint8), grids[0][1])
    return {roi: mask[union] for roi, mask in flags.items()}, grid


def _responses(run, mask, trials, wanted):
    """Voxels (n_trials, n_voxels) of a run."""
    from nilearn.interfaces.fmriprep import load_confounds
    from nilearn.masking import apply_mask

    image = open_nifti(run.bold)
    volumes = apply_mask(image, mask, dtype=np.float64, ensure_finite=False)
    times = _times(run, image)
    confounds, kept = None, np.arange(len(times))
    if wanted.confounds:
        table, sample = load_confounds(str(run.bold), strategy=list(wanted.confounds))
        confounds = pd.DataFrame(table)
        kept = kept if sample is None else np.asarray(sample)
        if len(confounds) != len(times):
            raise ValueError(f"{len(confounds)} rows of confounds for {len(times)} volumes")
    if wanted.window is None:
        # Their regressor is 0, and so would be the response to them.
        late = trials["onset"].to_numpy() >= times[-1]
        said = f"its onset is after the run's last volume ({times[-1]:g} s); onsets are in seconds"
        hold_to([(late, said)], first=1, file="trials, ")
        confounds = None if confounds is None else confounds.iloc[kept]
        return least_squares_separate(volumes[kept], times[kept], trials, confounds)
    if confounds is not None:
        from nilearn.signal import clean

        volumes = clean(
            volumes, detrend=False, standardize=None, confounds=confounds, sample_mask=sample
        )
    start, stop = (trials["onset"].to_numpy() + edge for edge in wanted.window)
    slack = 1e-6  # seconds, of rounding
    end = times[-1] + (times[1] - times[0])
    outside = (start < times[0] - slack) | (stop > end + slack)
    inside = [(times[kept] >= a) & (times[kept] < b) for a, b in zip(start, stop, strict=True)]
    wrong = outside | ~np.any(inside, axis=1)
    hold_to([(wrong, "the run has not all volumes of its window")], first=1, file="trials, ")
    return np.stack([volumes[rows].mean(axis=0) for rows in inside])


def _times(run, image):
    """Seconds of each volume after the run's start."""
    seconds, start = float(image.header.get_zooms()[3]), 0.0
    sidecar = run.bold.with_name(run.bold.name.replace(".nii.gz", ".json"))
    if sidecar.is_file():
        try:
            content = json.loads(regular(sidecar).read_text("utf-8"))
            start = float(content.get("StartTime", 0.0))
            said = float(content.get("RepetitionTime", seconds))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{sidecar.name} is no JSON of a run ({error})") from error
        if abs(said - seconds) > 0.001 * said:
            raise ValueError(f"the header says {seconds:g} s a volume, {sidecar.name} {said:g} s")
    if not 0.01 < seconds < 100:
        raise ValueError(f"the header says {seconds:g} s a volume")
    return start + seconds * np.arange(image.shape[3])


def least_squares_separate(
    volumes: np.ndarray, times: np.ndarray, trials: pd.DataFrame, confounds: pd.DataFrame | None
) -> np.ndarray:
    """The response to each trial: its own regressor in a model of its own, all others in one.

    Parameters
    ----------
    volumes : ndarray of shape (n_volumes, n_voxels)
    times : ndarray of shape (n_volumes,)
        Seconds.
    trials : DataFrame
        Columns ``onset`` and ``duration``, in seconds.
    confounds : DataFrame of n_volumes rows, or None

    Returns
    -------
    ndarray of shape (n_trials, n_voxels)
        In the units of the volumes.
    """
    from nilearn.glm.first_level import make_first_level_design_matrix

    regressors = None if confounds is None else confounds.to_numpy()
    found = []
    for number in range(len(trials)):
        events = trials[["onset", "duration"]].assign(trial_type="others")
        events.loc[events.index[number], "trial_type"] = "own"
        design = make_first_level_design_matrix(times, events, add_regs=regressors)
        own = design.columns.get_loc("own")
        found.append(np.linalg.lstsq(design.to_numpy(), volumes, rcond=None)[0][own])
    return np.stack(found)
