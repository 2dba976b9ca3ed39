"""One simulated draw through the chain: pictures and brains, voxels, soft labels, students."""

import os
import shutil
from pathlib import Path

from brain_teacher.cells.folder import STATE
from brain_teacher.chain.params import load_params
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


def control_family():
    """The controls that the project holds the brain against."""
    return load_params(PARAMS).compare.family


def draw_params(name, *, teachers, calibrate=None, seeds=None, epochs=None):
    """params.yaml for the data set `name`: its primary brain alone, and these teachers.

    None means: as in params.yaml.
    """
    brain = load_params(PARAMS).distill
    return load_params(
        PARAMS,
        {
            "dataset": {"name": name},
            "preprocess": {"subject": brain.subject, "roi": brain.roi},
            "decode": {"decoder": [brain.decoder], "nested": False, "calibrate": calibrate},
            "distill": {"teacher": list(teachers), "seeds": seeds, "epochs": epochs},
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


def taught_students(place, params, data, voxels, *, like=None):
    """Decode and distill into `place`, where finished cells are kept; gives the students' folder.

    Parameters
    ----------
    place : Path
    params : Params
    data, voxels : Path
    like : Path, optional
        Students of the same images with other soft labels. They are copied with what is remembered
        of them: ``distill`` keeps those whose images, targets and seed are the same (``none``), and
        trains the others again.
    """
    decode(params, data=data, voxels=voxels, out=place / "soft_labels", say=quiet, quiet=True)
    students = place / "students"
    if like is not None and not students.exists():
        # What is remembered comes last: copied in part, a student is trained again.
        shutil.copytree(like, students)
        shutil.copytree(like.parent / STATE / like.name, place / STATE / students.name)
    soft_labels = place / "soft_labels"
    # No MLflow models: nobody will promote these students.
    chosen = {"data": data, "soft_labels": soft_labels, "out": students, "models": False}
    return distill(params, **chosen, say=quiet, quiet=True)


def quiet(text):
    """Say nothing."""
