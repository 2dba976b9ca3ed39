"""Training of residual perceptrons, those of many fits at once."""

from statistics import NormalDist

import numpy as np
import torch
import torch.nn.functional as F

from brain_teacher.networks.devices import autocast, choose_device, choose_precision
from brain_teacher.networks.mlp import Perceptrons
from brain_teacher.networks.training import scheduled
from brain_teacher.seeds import named_seed


def fit_predict_together(
    fits,
    *,
    seeds,
    n_classes,
    starts,
    steps,
    batch,
    hidden,
    layers,
    dropout,
    noise,
    learning_rate,
    weight_decay,
    device,
    precision,
):
    """Train a network (or several) for each fit, all at once; predict after some of the steps.

    AdamW with a one-cycle learning rate; cross-entropy to the categories of two mixed trials
    ([1]_, alpha = 1), with noise added, and dropout. A network's weights, trials, mixtures, noise
    and dropout come from its own seed: but for rounding it is the same whatever is trained beside
    it, and the same on the CPU and on a GPU but for noise and dropout.

    Parameters
    ----------
    fits : list of (fit, category, held_out)
        Scaled voxels (n_trials, n_voxels) to fit on, float32; the class number of each trial; and
        the voxels to predict. Trials and voxels may differ from fit to fit in number. The voxels
        are divided by one number, their standard deviation over all of `fit`.
    seeds : list of int
        One a fit.
    n_classes : int
    starts : int
        Networks a fit, whose log-probabilities are averaged.
    steps : list of int
        Ascending: after which to predict. Training ends with the last.
    batch : int
        Trials a step. All come once before one comes again.
    hidden, layers : int
        As for `Perceptrons`.
    dropout : float
        Share of units, from 0 to below 1.
    noise : float
        In standard deviations of a voxel.
    learning_rate, weight_decay : float
        As for `scheduled`.
    device : {"auto", "cpu", "cuda"}
    precision : {"auto", "float32", "bfloat16"}
        bfloat16 is autocast's, and the logits are float32 all the same; ``auto`` takes it where
        the hardware has it.

    Returns
    -------
    list of ndarray of shape (n_steps, n_held_out, n_classes), float32
        Of each fit, log-probabilities; those of several starts sum to 1 once normalised.

    Raises
    ------
    ValueError
        If a network diverged.

    References
    ----------
    .. [1] Zhang, Cisse, Dauphin & Lopez-Paz (2018), mixup, arXiv:1710.09412, eq. 2.
    """
    device = choose_device(device)
    precision = choose_precision(precision, device)
    seeds = [named_seed("start", seed, start) for seed in seeds for start in range(starts)]
    asked = [len(held_out) for *_, held_out in fits]
    fits = [_in_own_unit(*each) for each in fits for _ in range(starts)]
    sizes = [fit.shape[1] for fit, *_ in fits]
    network = Perceptrons(seeds, sizes, n_classes=n_classes, hidden=hidden, layers=layers)
    draws = {"sizes": sizes, "steps": steps[-1], "batch": batch, "device": device}
    training = zip(
        _mixed(fits, seeds, n_classes=n_classes, **draws),
        _noise(seeds, layers=layers + 1, hidden=hidden, dropout=dropout, **draws),
        strict=True,
    )
    held_out = _stacked([held_out for *_, held_out in fits], max(sizes)).to(device)
    answers = []
    optimised = {"learning_rate": learning_rate, "weight_decay": weight_decay}
    for step in _train(
        network.to(device), training, noise, precision, total=steps[-1], **optimised
    ):
        if step in steps:
            with torch.inference_mode(), autocast(device, precision):
                answers.append(F.log_softmax(network(held_out), dim=-1))
    every = torch.stack(answers, dim=1).unflatten(0, (-1, starts)).mean(dim=1).cpu().numpy()
    if not np.isfinite(every).all():
        raise ValueError(
            "mlp diverged: its answers are not finite; lower decode.mlp.learning_rate "
            f"({learning_rate})"
        )
    return [rows[:, :number] for rows, number in zip(every, asked, strict=True)]


def _train(network, training, noise, precision, **settings):
    """Train step by step; yield the step's number, from 1, after each."""
    optimizer, schedule = scheduled(network, **settings)
    for step, ((voxels, targets), (normal, kept)) in enumerate(training, start=1):
        with autocast(voxels.device, precision):
            logits = network(voxels + noise * normal, kept)
        losses = -(targets * F.log_softmax(logits, dim=-1)).sum(dim=-1).mean(dim=1)
        optimizer.zero_grad()
        losses.sum().backward()  # the gradient of each network is what it were alone
        optimizer.step()
        schedule.step()
        yield step


def _in_own_unit(fit, category, held_out):
    unit = fit.std() or 1
    return fit / unit, category, held_out / unit


def _stacked(parts, width):
    """Arrays (n, size) as one tensor (parts, largest n, width), filled up with zeros."""
    stacked = torch.zeros(len(parts), max(map(len, parts)), width)
    for each, part in zip(stacked, parts, strict=True):
        each[: len(part), : part.shape[1]] = torch.as_tensor(part)
    return stacked


def _mixed(fits, seeds, *, n_classes, sizes, steps, batch, device):
    """Of each step: the trials of each network, each mixed with another, and their targets."""
    voxels = _stacked([fit for fit, *_ in fits], max(sizes))
    targets = _stacked([np.eye(n_classes)[category] for _, category, _ in fits], n_classes)
    orders = [
        _order(seed, len(fit), steps, batch) for seed, (fit, *_) in zip(seeds, fits, strict=True)
    ]
    first, second, weight = (torch.stack(each).to(device) for each in zip(*orders, strict=True))
    offset = voxels.shape[1] * torch.arange(len(fits), device=device)[:, None]
    parts = [part.to(device).flatten(0, 1) for part in (voxels, targets)]
    for step in range(steps):
        here, other = first[:, step] + offset, second[:, step] + offset
        yield [torch.lerp(part[other], part[here], weight[:, step]) for part in parts]


def _order(seed, count, steps, batch):
    """Two trials (steps, batch) to mix, and the first one's weight."""
    generator = torch.Generator().manual_seed(named_seed("trials", seed))
    rounds = -(-steps * batch // count)
    first, second = (
        torch.cat([torch.randperm(count, generator=generator) for _ in range(rounds)])
        for _ in range(2)
    )
    weight = torch.rand(steps, batch, 1, generator=generator)
    first, second = (each[: steps * batch].view(steps, batch) for each in (first, second))
    return first, second, weight


def _noise(seeds, *, sizes, layers, hidden, dropout, steps, batch, device):
    """Of each step: normal numbers for the voxels, and what dropout leaves of each layer's units.

    One draw a network and step serves both: the fewest calls.
    """
    generators = [torch.Generator(device).manual_seed(named_seed("noise", seed)) for seed in seeds]
    voxels = torch.zeros(len(seeds), batch, max(sizes), device=device)
    units = torch.zeros(len(seeds), layers, batch, hidden, device=device)
    least = NormalDist().inv_cdf(dropout) if dropout else -np.inf
    for _ in range(steps):
        for number, (generator, size) in enumerate(zip(generators, sizes, strict=True)):
            numbers = batch * (size + layers * hidden)
            drawn = torch.randn(numbers, generator=generator, device=device)
            voxels[number, :, :size] = drawn[: batch * size].view(batch, size)
            units[number] = drawn[batch * size :].view(layers, batch, hidden)
        yield voxels, (units > least) / (1 - dropout)
