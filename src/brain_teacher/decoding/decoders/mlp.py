"""A residual perceptron over the voxels; the networks of all folds are trained at once."""

from typing import Annotated, Literal

from pydantic import Field

from brain_teacher.decoding.decoders.decoder import Decoder
from brain_teacher.settings import Block, Count, Number, Positive, Whole


class Mlp(Block):
    """A residual perceptron over the voxels."""

    seed: Annotated[Whole, Field(ge=0)] = 0
    starts: Count = 1
    steps: Annotated[list[Count], Field(min_length=1, max_length=100)] = [100, 200, 300]
    batch: Count = 128
    hidden: Count = 256
    layers: Annotated[Whole, Field(ge=0)] = 1
    dropout: Annotated[Number, Field(ge=0, lt=1)] = 0.5
    noise: Annotated[Number, Field(ge=0)] = 2.0
    learning_rate: Positive = 0.003
    weight_decay: Annotated[Number, Field(ge=0)] = 0.1
    precision: Literal["float32", "bfloat16", "auto"] = "float32"


def decode_mlp(
    voxels,
    plan,
    *,
    normalise,
    select,
    n_voxels,
    calibrate,
    seed,
    steps,
    device,
    precision,
    **training,
):
    """A residual perceptron over the voxels, its number of steps chosen inside the fold.

    One network a fold, fitted on all that the fold is fitted on, and one more, fitted without a
    quarter of its inner folds: on these it chooses the step after which the first one predicts,
    and the temperature. All are trained at once.

    Parameters
    ----------
    voxels, plan, normalise, select, n_voxels, calibrate
        As for every decoder: see `brain_teacher.decoding.decoders.table`.
    seed : int
        With the fold's number it gives all that is drawn; nothing else does.
    steps : list of int
        Numbers of steps to choose from; training ends with the largest.
    device, precision, **training
        See `brain_teacher.networks.mlp_training.fit_predict_together`.

    Returns
    -------
    SoftLabels
        ``meta`` has the step of each fold, and the device and precision that were used.

    Raises
    ------
    ValueError
        If the inner folds cannot be made, or a network diverged.

    In the methods
    --------------
    Categories were decoded by a residual perceptron of {{ own.layers }} residual layers of {{
    own.hidden }} units (dropout {{ own.dropout }}, noise of {{ own.noise }} SD on the voxels,
    AdamW [@loshchilov2019] with learning rate {{ own.learning_rate }} and weight decay {{
    own.weight_decay }}, batches of {{ own.batch }}, precision {{ own.precision }}, seed {{
    own.seed }}), {{ own.starts }} network(s) a fold; after how many steps it predicted was chosen
    inside the fold among {{ own.steps }}.
    """
    from brain_teacher.decoding.out_of_fold import Scheme, one_inner_pair, out_of_fold
    from brain_teacher.networks.devices import choose_device, choose_precision
    from brain_teacher.networks.mlp_training import fit_predict_together
    from brain_teacher.seeds import named_seed

    device = choose_device(device)
    precision = choose_precision(precision, device)
    steps = sorted(set(steps))

    def solve(data, category, pairs, *, chosen, standardise):
        return fit_predict_together(
            _fits(data, category, pairs, chosen=chosen, standardise=standardise),
            seeds=[named_seed("mlp", seed, number) for number in range(len(pairs))],
            n_classes=int(category.max()) + 1,
            steps=steps,
            device=device,
            precision=precision,
            **training,
        )

    scheme = Scheme(normalise, select, n_voxels, calibrate)
    options = {"step": steps}
    labels = out_of_fold(voxels, plan, solve, scheme, options=options, inner_pairs=one_inner_pair)
    labels.meta.update(device=device, precision=precision)
    return labels


def _fits(data, category, pairs, *, chosen, standardise):
    """Of each fold: scaled voxels to fit on, their class numbers, scaled voxels to predict."""
    from brain_teacher.decoding.voxel_scaling import centred_sides

    fits = []
    for number, (fit, held_out) in enumerate(pairs):
        columns = None if chosen is None else chosen[number]
        own, other = centred_sides(data, (fit, held_out), standardise=standardise, columns=columns)
        order = _in_one_order(own)
        fits.append((own[:, order], category[fit], other[:, order]))
    return fits


def _in_one_order(voxels):
    """Columns by what they measured: a voxel's place in the file is not to choose its weights.

    Those that are constant say nothing, and would be given noise to learn.
    """
    columns = voxels.T.copy()
    varying = [voxel for voxel, measured in enumerate(columns) if measured.any()]
    return sorted(varying, key=lambda voxel: columns[voxel].tobytes()) or [0]


DECODER = Decoder("a residual perceptron over the voxels", decode_mlp, Mlp, torch=True)
