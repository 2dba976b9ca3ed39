"""92 pictures and how alike the brain's answers to them are, or people say: dissimilarities.

``D = 1 - r`` between the answers to two pictures makes K = 1 - D, the correlations, a kernel: the
inner products of the answers, each centred and of length 1. Principal coordinates X of K, with
``X X' = K`` ([1]_, without the double centring), are as good as the voxels to any decoder that sees
inner products: one that takes away the mean of the trials it is fitted on and scales nothing
(``decode.normalise: centre``) sees K centred on these trials. People's judgements [4]_ are no
correlations: they count as squared distances, as 1 - r does, and the nearest kernel is taken.

References
----------
.. [1] Torgerson (1952), Psychometrika 17:401.
.. [2] Kriegeskorte et al. (2008), Neuron 60:1126.
.. [3] Cichy, Pantazis & Oliva (2014), Nat. Neurosci. 17:455; (2016), Cereb. Cortex 26:3563.
.. [4] Mur et al. (2013), Front. Psychol. 4:128.
"""

from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np

from brain_teacher.dataset.description import Description
from brain_teacher.dataset.foreign_files import read_mat
from brain_teacher.reading.arrays import load_arrays
from brain_teacher.sources.formats.writing import write_stimuli, write_subject
from brain_teacher.sources.recordings.source import Recording, files_at

N_IMAGES = 92
MEAN = "mean"  # of all subjects' dissimilarities; a subject of its own
ASYMMETRY, MOST_NEGATIVE = 1e-4, 0.01
# Judgements put together of several arrangements need be no kernel: 0.9 to 5.5% were found.
MOST_NEGATIVE_JUDGED = 0.06
# What the eigenvalues of a correlation matrix of floats may lack.
LEAST = 1e-10
STIMULI = "Kriegeskorte_Neuron2008_supplementalData.mat"
HUMAN_IT = "92_brainRDMs.mat"
JUDGED = "92_behavRDMs.mat"
FMRI = {"IT": "fmri_IT_RDMs.npz", "EVC": "fmri_EVC_RDMs.npz"}
_RSA = "https://raw.githubusercontent.com/rsagroup/rsatoolbox/f1f83cad/demos/92imageData/"
_NET = (
    "https://raw.githubusercontent.com/ToastyDom/Net2Brain/897563d2/input_data/brain_data/92images/"
)
KRIEGESKORTE_FILES = files_at(
    _RSA,
    (STIMULI, 3603779, "06f21214399a5d43dc264eed19a7f4b8daf11c8622a59eec3e106064ce5e3504"),
    (HUMAN_IT, 224663, "1743f90a15e895798a94318649e80e1123a7e5943a1703fa1dd7c31ea5780b7c"),
)
CICHY_FILES = KRIEGESKORTE_FILES[:1] + files_at(
    _NET,
    (FMRI["IT"], 1015948, "ecf104457ae841d2a2bf503fb0dc16c6387e32d0cd74fb5217ca4ef859a805dd"),
    (FMRI["EVC"], 1015948, "c73de20f9cb2229f1796085e79c153f63a4287b8bf7faaf7531571b1898d3f8b"),
)
BEHAVIOUR_FILES = KRIEGESKORTE_FILES[:1] + files_at(
    _RSA, (JUDGED, 982719, "7a8e118c144c3840adeeeef6ea0706a0be2b3e80df719af15fbb56fc62562f5f")
)
KRIEGESKORTE_TERMS = """\
92 pictures, human IT of 4 subjects as dissimilarities. From rsatoolbox (MIT). The pictures'
own rights are not stated, some are photographs of people: show none in a publication. Cite
Kriegeskorte et al. (2008), Neuron 60:1126."""
CICHY_TERMS = """\
92 pictures, IT and early visual cortex of 15 subjects as dissimilarities. From Net2Brain
(BSD-3-Clause); the pictures from rsatoolbox (MIT): their own rights are not stated, some
are photographs of people: show none in a publication. Cite Cichy, Pantazis & Oliva (2014),
Nat. Neurosci. 17:455, and (2016), Cereb. Cortex 26:3563."""

BEHAVIOUR_TERMS = """\
92 pictures, how alike 16 people judge them; no brain. From rsatoolbox (MIT). The pictures'
own rights are not stated, some are photographs of people: show none in a publication. Cite
Mur et al. (2013), Front. Psychol. 4:128, and Kriegeskorte et al. (2008), Neuron 60:1126."""


def coordinates(dissimilarities, *, most_negative=MOST_NEGATIVE):
    """Principal coordinates of K = 1 - D.

    Parameters
    ----------
    dissimilarities : ndarray of shape (n_images, n_images)
        1 - r: symmetric, 0 on the diagonal.
    most_negative : float
        As much of the positive eigenvalues' sum the negative ones may have: without their
        directions, the rest is the nearest kernel.

    Returns
    -------
    ndarray of shape (n_images, n_coordinates), float64
        X with ``X @ X.T`` = K; directions without variance left out, the largest first.

    Raises
    ------
    ValueError
        If the matrix is not one of dissimilarities, or K is no kernel: its negative eigenvalues
        have more than `most_negative`.

    Examples
    --------
    >>> x = coordinates(np.array([[0.0, 0.5], [0.5, 0.0]]))
    >>> (x @ x.T).round(6)
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    d = np.asarray(dissimilarities, dtype=np.float64)
    if d.ndim != 2 or d.shape[0] != d.shape[1] or not np.isfinite(d).all():
        raise ValueError(f"dissimilarities of shape {d.shape} are no square of finite numbers")
    for what, size in (("not symmetric", np.abs(d - d.T)), ("not 0 on the diagonal", np.diag(d))):
        if (largest := np.abs(size).max()) > ASYMMETRY:
            raise ValueError(f"dissimilarities are {what} (by up to {largest:.3g})")
    values, vectors = np.linalg.eigh(1 - (d + d.T) / 2)
    negative, positive = -values[values < 0].sum(), values[values > 0].sum()
    if negative > most_negative * positive:
        raise ValueError(
            f"1 - dissimilarity is no kernel: its negative eigenvalues sum to {negative:.3g}, the "
            f"positive ones to {positive:.3g}"
        )
    kept = np.flatnonzero(values > LEAST * values.max())[::-1]
    x = vectors[:, kept] * np.sqrt(values[kept])
    # A sign that does not depend on the library: the largest entry is positive.
    return x * np.sign(x[np.abs(x).argmax(axis=0), np.arange(len(kept))])


def read_pictures(raw):
    """The pictures (92, 175, 175, 3), uint8, and the category of each."""
    stimuli = read_mat(Path(raw) / STIMULI, ["stimuli_92objs"])["stimuli_92objs"]
    images = np.stack([each["image"] for each in stimuli])
    return images, np.array([category_of(each) for each in stimuli])


def category_of(flags):
    """One of six categories, from the flags of a picture.

    Examples
    --------
    >>> category_of({"animal": 1, "human": 0, "face": 1, "natural": 1})
    'animal-face'
    """
    if flags["animal"]:
        return f"{'human' if flags['human'] else 'animal'}-{'face' if flags['face'] else 'body'}"
    return f"{'natural' if flags['natural'] else 'artificial'}-inanimate"


def read_kriegeskorte(raw):
    """Subject -> ROI -> dissimilarities, the mean of a subject's two sessions."""
    sessions = defaultdict(list)
    for each in read_mat(Path(raw) / HUMAN_IT, ["RDMs"])["RDMs"]:
        subject = each["name"].split(" | ")[1]  # of "hIT | BE | Session: 1"
        sessions[subject].append(each["RDM"])
    subjects = {name: {"IT": np.mean(values, axis=0)} for name, values in sessions.items()}
    return subjects | {MEAN: {"IT": np.mean([rois["IT"] for rois in subjects.values()], axis=0)}}


def read_cichy(raw):
    """Subject -> ROI -> dissimilarities."""
    rois = {roi: load_arrays(Path(raw) / file)["Net_RDM"] for roi, file in FMRI.items()}
    each = enumerate(zip(*rois.values(), strict=True), start=1)
    subjects = {f"S{k:02d}": dict(zip(rois, values, strict=True)) for k, values in each}
    return subjects | {MEAN: {roi: values.mean(axis=0) for roi, values in rois.items()}}


def read_behaviour(raw):
    """Person -> ``judgement`` -> dissimilarities, the largest of which is 1."""
    judged = [
        each["RDM"] for each in read_mat(Path(raw) / JUDGED, ["rdms_behav_92"])["rdms_behav_92"]
    ]
    people = {f"P{number:02d}": values for number, values in enumerate(judged, start=1)}
    people[MEAN] = np.mean(judged, axis=0)
    return {name: {"judgement": values / values.max()} for name, values in people.items()}


def build(raw, folder, *, name, read, source, most_negative=MOST_NEGATIVE):
    """Make a data set of the subjects that ``read(raw)`` gives; a picture is a trial."""
    from PIL import Image

    subjects = read(raw)
    images, category = read_pictures(raw)
    ids = [f"{c}-{number:02d}" for number, c in enumerate(category, start=1)]
    numbers = np.arange(1, N_IMAGES + 1)
    (folder / "images" / "shown").mkdir(parents=True)
    for image_id, image in zip(ids, images, strict=True):
        Image.fromarray(image).save(folder / "images" / "shown" / f"{image_id}.png")
    # A group a picture: `by: group` leaves one out.
    write_stimuli(folder, zip(numbers, ids, category, ids, strict=True), groups=["picture"])
    files = {}
    for subject, rois in subjects.items():
        voxels = {
            roi: coordinates(values, most_negative=most_negative) for roi, values in rois.items()
        }
        run = np.ones(N_IMAGES)
        files[subject] = write_subject(folder, subject, voxels, stimulus_id=numbers, run=run)
    Description(
        name=name,
        simulated=False,
        subjects=files,
        roi=list(subjects[MEAN]),
        superclasses={
            c: "inanimate" if c.endswith("inanimate") else "animate" for c in np.unique(category)
        },
        source=source,
    ).write(folder)


KRIEGESKORTE = Recording(
    KRIEGESKORTE_TERMS,
    KRIEGESKORTE_FILES,
    partial(
        build,
        name="kriegeskorte92",
        read=read_kriegeskorte,
        source="Kriegeskorte et al. 2008, human IT as dissimilarities, from rsatoolbox",
    ),
)
CICHY = Recording(
    CICHY_TERMS,
    CICHY_FILES,
    partial(
        build,
        name="cichy92",
        read=read_cichy,
        source="Cichy, Pantazis & Oliva 2014/2016, fMRI as dissimilarities, from Net2Brain",
    ),
)
BEHAVIOUR = Recording(
    BEHAVIOUR_TERMS,
    BEHAVIOUR_FILES,
    partial(
        build,
        name="behaviour92",
        read=read_behaviour,
        source="Mur et al. 2013, people's judgements of likeness, from rsatoolbox; no brain",
        most_negative=MOST_NEGATIVE_JUDGED,
    ),
)
