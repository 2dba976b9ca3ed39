"""Training of the 1-D ResNet18: one network, its epoch chosen by its validation trials."""

import numpy as np
import torch
import torch.nn.functional as F

from brain_teacher.networks.devices import autocast, choose_device, choose_precision
from brain_teacher.networks.resnet1d import predict, resnet18_1d
from brain_teacher.networks.training import one_cycle, steps_an_epoch
from brain_teacher.seeds import named_seed

# In standard deviations of a voxel, which for a z-scored one is about its noise.
NOISE = 1.0


def fit_predict(
    fit,
    category,
    validation,
    validation_category,
    held_out,
    *,
    n_classes,
    width,
    steps,
    seed,
    device,
    precision,
    **settings,
):
    """Train one network, keep the epoch with the lowest validation NLL, predict once with it.

    AdamW with a one-cycle learning rate; cross-entropy to the categories of two mixed trials
    ([1]_, alpha = 1), with noise of the voxels' own size added.

    Parameters
    ----------
    fit, validation, held_out : ndarray of shape (n_trials, n_voxels), float32
        Scaled voxels, columns in the order in which the network shall see them.
    category, validation_category : ndarray of int, shape (n_trials,)
        Class numbers 0 to `n_classes` - 1.
    width, steps : int
        Channels of the first stage; steps of training, in whole epochs.
    seed : int
        Weights, order of trials, mixtures, noise. The same seed, device and number of threads give
        the same bits.
    device : {"auto", "cpu", "cuda"}
    precision : {"auto", "float32", "bfloat16"}
        bfloat16 is autocast's, and the logits are float32 all the same; ``auto`` takes it
        where the hardware has it.
    **settings
        ``batch``, ``learning_rate`` and ``weight_decay``, as for `one_cycle`.

    Returns
    -------
    validation_logits, held_out_logits : ndarray of shape (n_trials, n_classes), float32
    epoch : int
        From 1.

    Raises
    ------
    ValueError
        If there is one trial only to fit on, or the validation NLL is finite after no epoch.

    References
    ----------
    .. [1] Zhang, Cisse, Dauphin & Lopez-Paz (2018), mixup, arXiv:1710.09412, eq. 2.
    """
    if len(fit) < 2:
        raise ValueError(f"resnet1d has {len(fit)} trial to fit on; it needs 2 at least")
    epochs = -(-steps // steps_an_epoch(len(fit), settings["batch"]))
    device = choose_device(device)
    precision = choose_precision(precision, device)
    # fork_rng: the caller's random state is left as it was.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(named_seed("weights", seed))
        network = resnet18_1d(n_classes, fit.shape[1], width=width).to(device)
    fit, validation, held_out = (_signal(part, device) for part in (fit, validation, held_out))
    targets, truth = (
        F.one_hot(torch.as_tensor(part, dtype=torch.long, device=device), n_classes).float()
        for part in (category, validation_category)
    )
    best = (np.inf, None)
    # TF32 is no float32, and some of cuDNN's kernels do not repeat.
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        trained = {"epochs": epochs, "seed": seed, "precision": precision} | settings
        for epoch in _train(network, fit, targets, **trained):
            logits = predict(network, validation, precision=precision)
            nll = float(F.cross_entropy(logits, truth))
            if nll < best[0]:  # never true of nan
                weights = {name: v.clone() for name, v in network.state_dict().items()}
                best = (nll, epoch, logits, weights)
        if best[1] is None:
            raise ValueError(
                f"resnet1d diverged: the validation NLL is not finite after any of {epochs} "
                f"epochs; lower decode.resnet1d.learning_rate ({settings['learning_rate']})"
            )
        _, epoch, logits, weights = best
        network.load_state_dict(weights)
        answers = predict(network, held_out, precision=precision)
    return logits.cpu().numpy(), answers.cpu().numpy(), epoch


def train_step(network, optimizer, signal, targets, *, precision):
    """One step of training on a batch; `targets` are probabilities (n, n_classes)."""
    with autocast(signal.device, precision):
        logits = network(signal)
    loss = F.cross_entropy(logits, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _train(network, fit, targets, *, epochs, seed, precision, **settings):
    """Train epoch by epoch; yield the epoch's number after each."""
    steps, optimizer, schedule = one_cycle(network, count=len(fit), epochs=epochs, **settings)
    generator = torch.Generator(fit.device).manual_seed(named_seed("trials", seed))
    for epoch in range(1, epochs + 1):
        network.train()
        parts = (part.tensor_split(steps) for part in _mixed(fit, targets, generator))
        for signal, probs in zip(*parts, strict=True):
            train_step(network, optimizer, signal, probs, precision=precision)
            schedule.step()
        yield epoch


def _mixed(signal, targets, generator):
    """An epoch's trials, shuffled, each mixed with another at random, and their targets."""
    draw = {"generator": generator, "device": signal.device}
    order, partner = (torch.randperm(len(signal), **draw) for _ in range(2))
    weight = torch.rand(len(signal), 1, **draw)
    targets = torch.lerp(targets[partner], targets[order], weight)
    signal = torch.lerp(signal[partner], signal[order], weight[..., None, None])
    return signal + NOISE * torch.randn(signal.shape, **draw), targets


def _signal(data, device):
    return torch.as_tensor(data, dtype=torch.float32, device=device)[:, None, None]
