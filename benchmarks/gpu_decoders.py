"""Rows of `gpu.py`: decoders that are networks, all fits of GOD, on made-up voxels of its size."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.networks import resnet1d_training
from brain_teacher.networks.devices import choose_precision
from gpu_lines import Work, in_turns, line
from resnet1d_work import ResNet1d
from stacked_decoder import fit_predict_together, start

# GOD: 1,200 trials of 150 categories, 8 folds of 150, of which one is held out and one validates.
CATEGORIES, FOLDS, CELLS, VOXELS = 150, 8, 50, 1000
SIGNAL = 0.5  # standard deviation between categories, over noise of 1


def made_up_folds(cells, quick):
    """Folds of made-up cells: fit, category, validation, its category, held out; and the truth."""
    categories, voxels = (10, 60) if quick else (CATEGORIES, VOXELS)
    fold_of = np.repeat(np.arange(FOLDS), categories)
    category = np.tile(np.arange(categories), FOLDS)
    folds, truth = [], []
    for cell in range(cells):
        rng = np.random.default_rng(cell)
        means = SIGNAL * rng.standard_normal((categories, voxels), dtype=np.float32)
        data = means[category] + rng.standard_normal((len(category), voxels), dtype=np.float32)
        for held_out in range(FOLDS):
            validation = (held_out + 1) % FOLDS
            fit = np.flatnonzero((fold_of != held_out) & (fold_of != validation))
            sides = (fit, fold_of == validation)
            shown = [part for rows in sides for part in (data[rows], category[rows])]
            folds.append((*shown, data[fold_of == held_out]))
            truth.append(category[fold_of == held_out])
    return folds, truth


def resnet1d(quick, device):
    """All fits of GOD, as one batch, a cell at a time, a fold at a time; and the loop of 2021."""
    folds, truth = made_up_folds(1 if quick else CELLS, quick)
    total, turns, found = len(folds), 1 if quick else 2, {}
    settings = DECODERS["resnet1d"].settings(**{"steps": 4} if quick else {}).model_dump()
    settings |= {"n_classes": len(truth[0]), "device": device}
    del settings["seed"]
    ours = settings | {"precision": choose_precision("auto", device)}
    del settings["precision"]

    def together(count):
        found["in one batch"] = fit_predict_together(folds[:count], seeds=range(count), **ours)

    def alone():
        found["alone"] = [resnet1d_training.fit_predict(*folds[0], seed=0, **ours)]

    def loop_2021():
        found["the 2021 loop"] = [(None, fit_2021(folds[0], **settings))]

    fit_2021(folds[0], **settings | {"steps": 1})
    together(FOLDS)
    what = f"`resnet1d`, {total} fits of GOD"
    yield from in_turns(
        [
            Work(f"{what}, a fold at a time, 1 timed", alone, total),
            Work(f"{what}, a cell at a time, 1 timed", partial(together, FOLDS), total / FOLDS),
            Work(f"{what}, all in one batch", partial(together, total)),
        ],
        Work(f"the 2021 loop, 1 of {total} fits timed", loop_2021, total),
        turns,
        device,
    )
    yield from _right(found, truth)
    shape = settings["n_classes"], folds[0][0].shape[1], settings["width"]
    drawn = Work("", lambda: [start(*shape, seed) for seed in range(FOLDS)], total / FOLDS)
    yield line(f"of these, to draw their weights, {FOLDS} timed", drawn.seconds(device))


def _right(found, truth):
    """How many of the held-out trials were named right, each way."""
    for name, answers in found.items():
        pairs = zip(answers, truth, strict=False)  # some ways did the first folds alone
        right = np.mean([answer[1].argmax(1) == named for answer, named in pairs])
        yield line(f"held-out top-1, {name}, {len(answers)} fits", float(right), "")


def fit_2021(fold, *, n_classes, width, steps, batch, learning_rate, weight_decay, device):
    """The loop of 2021: `Conv1d`, float32, a `DataLoader`, a fold at a time, batch by batch."""
    fit, category, validation, validation_category, held_out = (
        torch.as_tensor(part)[:, None] if part.ndim == 2 else torch.as_tensor(part) for part in fold
    )
    network = ResNet1d(n_classes, fold[0].shape[1], width).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, weight_decay=weight_decay)
    loader = DataLoader(TensorDataset(fit, category), batch, shuffle=True)
    validating = DataLoader(TensorDataset(validation, validation_category), batch)
    best = (np.inf, None)
    for _ in range(-(-steps // len(loader))):
        network.train()
        losses, nll = [], []
        for signal, named in loader:
            loss = F.cross_entropy(network(signal.to(device)), named.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        network.eval()
        with torch.no_grad():
            for signal, named in validating:
                logits = network(signal.to(device))
                nll.append(F.cross_entropy(logits, named.to(device), reduction="sum").item())
        if sum(nll) < best[0]:
            best = sum(nll), {name: v.clone() for name, v in network.state_dict().items()}
    network.load_state_dict(best[1])
    with torch.no_grad():
        parts = DataLoader(TensorDataset(held_out), batch)
        return torch.cat([network(signal.to(device)).cpu() for (signal,) in parts]).numpy()


def mlp(quick, device):
    """All fits of GOD: all in one batch, and a cell at a time."""
    from brain_teacher.networks.mlp_training import fit_predict_together as fit_perceptrons

    folds, truth = made_up_folds(1 if quick else CELLS, quick)
    fits, total, found = [(*fold[:2], fold[4]) for fold in folds], len(folds), {}
    settings = DECODERS["mlp"].settings(**{"steps": [2, 4]} if quick else {}).model_dump()
    settings |= {"n_classes": len(truth[0]), "device": device}
    del settings["seed"]

    def together(precision, count):
        how = settings | {"seeds": range(count), "precision": precision}
        answers = fit_perceptrons(fits[:count], **how)
        if count == total:
            found[precision] = [(None, each[-1]) for each in answers]

    together("float32", FOLDS)
    what = f"`mlp`, {total} fits of GOD"
    cell = partial(together, "float32", FOLDS)
    yield from in_turns(
        [
            Work(f"{what}, all in one batch, {precision}", partial(together, precision, total))
            for precision in ("float32", "bfloat16")
        ],
        Work(f"a cell at a time, float32, {FOLDS} fits timed", cell, total / FOLDS),
        1 if quick else 2,
        device,
    )
    yield from _right(found, truth)
