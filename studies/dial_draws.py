"""One simulated draw through the chain: pictures and brains, voxels, soft labels, students."""

import os
from pathlib import Path

import numpy as np
from scipy.special import entr

from brain_teacher.chain.dataset import open_dataset
from brain_teacher.chain.params import load_params
from brain_teacher.chain.students.soft_labels import origin_of, read_brain
from brain_teacher.commands.decode import decode
from brain_teacher.commands.distill import distill
from brain_teacher.commands.preprocess import preprocess
from brain_teacher.commands.simulate import DEFAULTS, simulate

PARAMS = Path(__file__).parents[1] / "params.yaml"


def keep_mlflow_runs_in(folder):
    """Point tracking to a store of the folder's own: its thousands of MLflow runs are no one's."""
    folder = Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["DVC_ROOT"] = str(folder)  # where artifacts lie
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    os.environ.pop("MLFLOW_RUN_ID", None)


def the_plan():
    """The comparison as the project plans it: family and margin."""
    return load_params(PARAMS).compare


def draw_params(name, *, teachers, share=None, decode=None, family=None, seeds=None, epochs=None):
    """params.yaml for the data set `name`: its primary brain alone, and these teachers.

    `share` is that of validation, `decode` what differs in that block. None means: as in
    params.yaml.
    """
    brain = load_params(PARAMS).distill
    return load_params(
        PARAMS,
        {
            "dataset": {"name": name, "validation_share": share},
            "preprocess": {"subject": brain.subject, "roi": brain.roi},
            "decode": {"decoder": [brain.decoder], "nested": False, **(decode or {})},
            "distill": {"teacher": list(teachers), "seeds": seeds, "epochs": epochs},
            "compare": {"family": family},
        },
    )


def simulated_voxels(place, params, simulation):
    """Simulate a data set, if it is not there, and cut its primary ROI; gives both folders.

    Parameters
    ----------
    place : Path
        The draw's folder.
    params : Params
        ``dataset.name`` names the data set.
    simulation : dict
        What differs from the defaults of ``simulate``.
    """
    data = place / "data" / params.dataset.name
    if not data.exists():  # it is made whole or not at all
        simulate(data, **DEFAULTS | simulation, say=quiet)
    voxels = preprocess(params, data=data, out=place / "voxels", say=quiet, quiet=True)
    return data, voxels


def decoded(place, params, data, voxels):
    """Decode into `place`, where finished cells are kept; gives the soft labels' folder."""
    out = place / "soft_labels"
    return decode(params, data=data, voxels=voxels, out=out, say=quiet, quiet=True)


def what_the_brain_says(params, data, soft_labels):
    """What a draw's table is like, in means over its images.

    Returns
    -------
    dict of str to float
        ``top1``, a fraction; ``entropy``, in nats; ``largest``, the largest probability of a row,
        1 where it is one-hot; ``from_even``, the total variation distance of a row from an even
        one, 0 to 1.
    """
    dataset = open_dataset(data)
    brain = read_brain(origin_of(params, dataset), dataset, soft_labels)
    probs, truth = np.exp(brain.log_probs), brain.truth(dataset.category_of(brain.image_id))
    said = {
        "top1": probs.argmax(axis=1) == truth,
        "entropy": entr(probs).sum(axis=1),
        "largest": probs.max(axis=1),
        "from_even": abs(probs - 1 / probs.shape[1]).sum(axis=1) / 2,
    }
    return {name: float(values.mean()) for name, values in said.items()}


def taught_students(place, params, data, soft_labels, **more):
    """Distill into `place`, where finished students are kept; gives their folder.

    `more` is what ``distill`` reads besides (`voxels`).
    """
    # No MLflow models: nobody will promote these students.
    chosen = more | {
        "data": data,
        "soft_labels": soft_labels,
        "out": place / "students",
        "models": False,
    }
    return distill(params, **chosen, say=quiet, quiet=True)


def quiet(text):
    """Say nothing."""
