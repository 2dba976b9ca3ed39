"""Where to look, where that is taught: maps decoded from the voxels of the brain that teaches."""

from pathlib import Path
from typing import Any

import numpy as np

from brain_teacher.chain.dataset import DataSet
from brain_teacher.chain.params import Params
from brain_teacher.chain.students.relations import voxels_file
from brain_teacher.dataset import images as pictures
from brain_teacher.dataset.trials import read_voxels
from brain_teacher.decoding.maps import decode_maps
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from brain_teacher.distillation.losses import LOSSES, LUMINANCE
from brain_teacher.distillation.targets import Relations
from brain_teacher.errors import UsageError, about
from brain_teacher.networks.image_features import UNTRAINED, network_features
from brain_teacher.report.kinds import BY_WAY_OF

PLACE = "distill.loss: attention"
LARGEST = 224  # what torchvision's classifiers were trained on
# Red, green and blue in the luminance of television (ITU-R BT.601).
LUMA = np.array([0.299, 0.587, 0.114])


def read_maps(
    params: Params,
    dataset: DataSet,
    origin: dict[str, Any],
    image_id: np.ndarray,
    voxels: Path | None,
) -> Relations | None:
    """The maps of these images, decoded and their own; None where no maps are taught.

    The decoded ones are means over subjects and ROIs.
    """
    if not LOSSES[params.distill.loss].maps:
        return None
    if voxels is None:
        raise UsageError(f"{PLACE}: maps are of one brain, and here each teaches: choose another")
    from threadpoolctl import threadpool_limits

    _check(params)
    folds, decoded = params.decode.folds, []
    own: np.ndarray | None = None
    for who in origin["subject"].split("+"):
        for roi in origin["roi"].split("+"):
            file = voxels_file(voxels, who, roi, PLACE)
            with about(file), threadpool_limits(1):
                trials = training_trials(read_voxels(file)[0])
                trials = trials.take(np.isin(trials.image_id, image_id))
                if len(unseen := np.setdiff1d(image_id, trials.image_id)):
                    raise ValueError(f"image '{unseen[0]}' was not shown ({PLACE})")
                own = _own_maps(params, dataset, image_id) if own is None else own
                plan = plan_for(trials, by=folds.by, group=folds.group, count=folds.count)
                how = {"normalise": params.decode.normalise}
                how |= {"penalty": params.distill.attention.penalty}
                images, maps = decode_maps(trials, plan, own, image_id, **how)
            decoded.append(maps)
    rows = np.mean(decoded, axis=0).astype(np.float32)
    order = np.argsort(image_id)
    return Relations(rows, images, None if own is None else own[order].astype(np.float32))


def by_way_of(params: Params) -> dict[str, str]:
    """What a brain's students must say where a trained network had a part in its maps."""
    chosen = params.distill.attention
    taught = LOSSES[params.distill.loss].maps and chosen.of != LUMINANCE
    if not taught or chosen.weights == UNTRAINED:
        return {}
    return {BY_WAY_OF: ", ".join(("torchvision", chosen.network, chosen.of, chosen.weights))}


def _check(params: Params) -> None:
    """Refuse what maps cannot be taught with, before anything is made."""
    from brain_teacher.networks.classifiers import check_map

    settings, layer = params.distill, params.distill.attention.layer
    if settings.flip:
        raise UsageError(f"{PLACE}: a map lies as its picture does: give distill.flip: false")
    if settings.split == "folds":
        raise UsageError(
            f"{PLACE}: maps are decoded from all shown images: give distill.split: unseen"
        )
    built = {key: getattr(settings, key) for key in ("network", "width", "stem", "image_size")}
    with about("distill.attention.layer", UsageError):
        check_map(layer, **built)


def _own_maps(params: Params, dataset: DataSet, image_id: np.ndarray) -> np.ndarray:
    """Of each picture, (n_images, grid * grid): its luminance, or where a network is active."""
    chosen, grid = params.distill.attention, params.distill.attention.grid
    shown = pictures.find_shown(dataset.folder)
    files = [shown[name] for name in image_id]
    side = pictures.usual_side(files, most=LARGEST)
    if chosen.of != LUMINANCE:
        return network_features(
            pictures.load_images(files, side),
            image_id,
            network=chosen.network,
            weights=None if chosen.weights == UNTRAINED else chosen.weights,
            layer=chosen.of,
            grid=grid,
        ).values
    field = -(-side // grid)
    light = pictures.load_images(files, field * grid) @ LUMA
    return (
        light.reshape(len(files), grid, field, grid, field).mean(axis=(2, 4)).reshape(-1, grid**2)
    )
