"""A prototype: folds of `resnet1d` trained side by side as one network (`stacked`).

`fit_predict` of `brain_teacher.networks.resnet1d_training`, for many folds at once, of one cell or
of all. Each fold has the weights, the order of trials, the mixtures and the noise that its seed
gives it alone. It is no part of the package until a GPU has shown what it is worth.
"""

import torch
import torch.nn.functional as F

from brain_teacher.networks.devices import autocast, choose_device, choose_precision
from brain_teacher.networks.resnet1d import resnet18_1d
from brain_teacher.networks.resnet1d_training import _mixed, _signal
from brain_teacher.networks.training import steps_an_epoch
from brain_teacher.seeds import named_seed
from stacked import Replayed, one_cycle_rates, stack


def fit_predict_together(folds, *, seeds, device, **settings):
    """`fit_predict` for many folds at once, on a GPU: the same networks, up to rounding.

    Folds of the same shape are trained as one network (`stacked`). Where they do not fit the
    card's memory together, they are trained in two halves, and so on.

    Parameters
    ----------
    folds : sequence of tuple of ndarray
        Each ``fit, category, validation, validation_category, held_out``, as for `fit_predict`.
    seeds : sequence of int
        One a fold.
    device
        As for `fit_predict`.
    **settings
        The others of `fit_predict`.

    Returns
    -------
    list of (ndarray, ndarray, int)
        What `fit_predict` gives, in the order of the folds.
    """
    device = choose_device(device)
    groups = {}
    for number, fold in enumerate(folds):
        groups.setdefault(tuple(fold[part].shape for part in (0, 2, 4)), []).append(number)
    found = [None] * len(folds)
    waiting = list(groups.values())
    while waiting:
        rows = waiting.pop()
        part = [folds[row] for row in rows], [seeds[row] for row in rows]
        try:
            answers = _fit_stacked(*part, device=device, **settings)
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                raise
            answers = None
        if answers is None:  # not in the handler, which would keep what was allocated
            torch.cuda.empty_cache()
            waiting += [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
            continue
        for row, answer in zip(rows, answers, strict=True):
            found[row] = answer
    return found


def _fit_stacked(
    folds,
    seeds,
    *,
    n_classes,
    width,
    steps,
    batch,
    learning_rate,
    weight_decay,
    device,
    precision,
):
    """Folds of one shape; trials come last in what the network takes (`stacked`)."""
    if len(folds[0][0]) < 2:
        raise ValueError(f"resnet1d has {len(folds[0][0])} trial to fit on; it needs 2 at least")
    precision = choose_precision(precision, device)
    epochs = -(-steps // steps_an_epoch(len(folds[0][0]), batch))
    shape = n_classes, folds[0][0].shape[1], width
    network = stack([start(*shape, seed) for seed in seeds]).to(device)
    fit, validation, held_out = (
        [_signal(fold[part], device) for fold in folds] for part in (0, 2, 4)
    )
    targets, truth = (
        torch.stack([_one_hot(fold[part], n_classes, device) for fold in folds]) for part in (1, 3)
    )
    validation, held_out = _trials_last(validation), _trials_last(held_out)
    lowest = torch.full((len(folds),), torch.inf, device=device)
    chosen = torch.zeros(len(folds), dtype=torch.int64, device=device)
    best_logits = torch.zeros_like(truth)
    best = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        for epoch in _train_stacked(
            network,
            fit,
            targets,
            seeds=seeds,
            epochs=epochs,
            batch=batch,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            precision=precision,
        ):
            logits = _predict_stacked(network, validation, batch, precision)
            nll = -(truth * logits.log_softmax(dim=2)).sum(dim=2).mean(dim=1)
            # On the device, without asking for the number: the GPU need not wait for Python.
            better = nll < lowest  # never true of nan
            lowest, chosen = torch.where(better, nll, lowest), chosen.masked_fill(better, epoch)
            for value, kept in ((logits, best_logits), *_pairs(network.state_dict(), best)):
                mask = better.view(-1, *[1] * (value.ndim - 1))
                torch.where(mask, value, kept, out=kept)
        if not bool((chosen > 0).all()):
            raise ValueError(
                f"resnet1d diverged: the validation NLL is not finite after any of {epochs} "
                f"epochs; lower decode.resnet1d.learning_rate ({learning_rate})"
            )
        network.load_state_dict(best)
        answers = _predict_stacked(network, held_out, batch, precision)
    parts = (best_logits.cpu().numpy(), answers.cpu().numpy(), chosen.tolist())
    return list(zip(*parts, strict=True))


def _train_stacked(
    network, fit, targets, *, seeds, epochs, batch, learning_rate, weight_decay, precision
):
    """Train epoch by epoch, all networks in each step; what is drawn for a fold is as if alone."""
    device = targets.device
    steps = steps_an_epoch(len(fit[0]), batch)
    rate = torch.tensor(learning_rate, device=device)
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=rate,
        weight_decay=weight_decay,
        fused=True,
        capturable=device.type == "cuda",
    )
    rates = one_cycle_rates(learning_rate, steps * epochs).to(device)

    def step(signal, probs):
        with autocast(device, precision):
            logits = network(signal)
        loss = F.cross_entropy(logits.flatten(0, 1), probs.flatten(0, 1)) * len(fit)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    step = Replayed(step, device)
    generators = [torch.Generator(device).manual_seed(named_seed("trials", seed)) for seed in seeds]
    for epoch in range(1, epochs + 1):
        network.train()
        mixed = [_mixed(*part) for part in zip(fit, targets, generators, strict=True)]
        signals = _trials_last([signal for signal, _ in mixed]).tensor_split(steps, dim=-1)
        probs = torch.stack([each for _, each in mixed]).tensor_split(steps, dim=1)
        for number, part in enumerate(zip(signals, probs, strict=True)):
            rate.copy_(rates[(epoch - 1) * steps + number])
            step(*part)
        yield epoch


@torch.inference_mode()
def _predict_stacked(network, signals, batch, precision):
    network.eval()
    with autocast(signals.device, precision):
        parts = [network(part) for part in signals.split(max(batch, 1), dim=-1)]
    return torch.cat(parts, dim=1)


def _trials_last(signals):
    """(n, 1, 1, n_voxels) of each fold, to (n_folds, 1, 1, n_voxels, n)."""
    return torch.stack(signals).permute(0, 2, 3, 4, 1).contiguous()


def _pairs(state, other):
    return [(state[name], value) for name, value in other.items()]


def start(n_classes, n_voxels, width, seed):
    """A network with the weights that a seed gives; the caller's random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(named_seed("weights", seed))
        return resnet18_1d(n_classes, n_voxels, width=width)


def _one_hot(category, n_classes, device):
    category = torch.as_tensor(category, dtype=torch.long, device=device)
    return F.one_hot(category, n_classes).float()
