"""torchvision's classifiers by name, and files of weights."""

import difflib
import pickle
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torchvision import models

from brain_teacher.files import regular

# Of ImageNet's training images, RGB from 0 to 1: what torchvision's weights were trained with.
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WEIGHTS_FILES = (".safetensors", ".pth", ".pt")


def check_name(network):
    """Raise ``ValueError`` unless torchvision has a classifier of this name."""
    known = models.list_models(module=models)
    if network not in known:
        near = difflib.get_close_matches(network, known, n=1, cutoff=0)[0]
        raise ValueError(f"torchvision has no classifier '{network}' (nearest: {near})")


def build_classifier(network, *, weights, seed, **options):
    """A torchvision classifier with published weights, or with weights drawn from `seed`.

    Parameters
    ----------
    network : str
        A classifier's name in ``torchvision.models``.
    weights : str or None
        Their published name; torchvision fetches them once.
    seed : int
    **options
        For torchvision's builder: ``num_classes``, ...

    Raises
    ------
    ValueError
        If there is no such network or weights, or they cannot be fetched.
    """
    check_name(network)
    # fork_rng: the caller's random state is left as it was. Only the CPU's: on a GPU machine,
    # touching the others' would open each of them.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # GoogLeNet and Inception announce that their first weights will change one day.
        warnings.simplefilter("ignore", FutureWarning)
        torch.default_generator.manual_seed(seed)
        try:
            return models.get_model(network, weights=weights, **options)
        except KeyError as error:
            names = ", ".join(w.name for w in models.get_model_weights(network))
            raise ValueError(
                f"{network} has no weights '{weights}' (it has {names}); a file of weights ends "
                f"in {' or '.join(WEIGHTS_FILES)}"
            ) from error
        except OSError as error:
            raise ValueError(
                f"weights '{weights}' of {network} cannot be fetched ({error}); give a file of "
                "them, or none for an untrained network"
            ) from error


def read_weights(path):
    """A file's tensors by name; code in the file is never run.

    `path` is of a ``.safetensors`` file, or of a ``.pth`` or ``.pt`` with tensors alone;
    ``ValueError`` if it cannot be read, or holds more than weights.
    """
    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            loaded = load_file(regular(path))
        else:
            loaded = torch.load(regular(path), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's own message says how to load it nevertheless, which would run what is in it.
        raise ValueError(f"{path} holds more than weights: it is not opened") from error
    except (OSError, EOFError, RuntimeError, SafetensorError) as error:
        reason = [*str(error).splitlines(), type(error).__name__][0]
        raise ValueError(f"{path} cannot be read as weights ({reason})") from error
    if not isinstance(loaded, dict):
        raise ValueError(f"{path} holds a {type(loaded).__name__}, not a table of weights")
    if not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise ValueError(
            f"{path} is a checkpoint of training, not weights alone: {_inside(loaded)}"
        )
    return loaded


def _inside(checkpoint):
    """What a checkpoint holds, and how to take the weights out of it."""
    names = ", ".join(sorted(map(str, checkpoint)))
    for name, value in checkpoint.items():
        is_table = isinstance(value, dict) and len(value) > 0
        if is_table and all(isinstance(each, torch.Tensor) for each in value.values()):
            return f"it holds {names}; save its {name!r} alone, by torch.save"
    return f"it holds {names}"
