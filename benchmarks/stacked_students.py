"""A prototype: all students of one network trained side by side as one (`stacked`).

Each student has the weights, the order of images and the augmentation that its seed gives it
alone. What is missing for everyday use: networks that look at batches, checkpoints, students that
diverge (here they go on, with what they have).
"""

import torch
import torch.nn.functional as F

from brain_teacher.devices import autocast
from brain_teacher.distillation.augmentation import cut_at_once, mirror_edges, normalise_pixels
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.distillation.networks import build_network, normalise
from brain_teacher.distillation.students import validated_epochs
from brain_teacher.seeds import named_seed
from stacked import Replayed, one_cycle_rates, stack

EVALUATION_BATCH = 64


def train_together(
    images, labels, targets, *, evaluation, n_classes, recipe, seeds, device, replay=True
):
    """What `train_student` does, for several students of one recipe.

    Parameters
    ----------
    images, labels, evaluation, n_classes, device
        As for `train_student`.
    targets : list of (ndarray or None)
        One a student; those without (None) must come first.
    recipe : Recipe
        ``epoch`` must be ``last``.
    seeds : list of int
        One a student.
    replay : bool
        Whether steps are recorded and replayed as CUDA graphs.

    Returns
    -------
    answers : dict of str to ndarray of shape (n_students, n_images, n_classes)
    nll : ndarray of shape (n_validated, n_students)
        Of the validation images, after each validated epoch.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    size, count, hard = images.shape[1], len(seeds), sum(part is None for part in targets)
    mirrored = mirror_edges(torch.from_numpy(images).to(device), recipe.shift)
    labels = torch.from_numpy(labels).to(device)
    probs = None
    if hard < count:
        probs = torch.stack([torch.from_numpy(part) for part in targets[hard:]]).to(device)
    held = {name: torch.from_numpy(part[0]).to(device) for name, part in evaluation.items()}
    truth = torch.from_numpy(evaluation["validation"][1]).to(device)
    chosen = {key: getattr(recipe, key) for key in ("network", "width", "stem", "weights")}
    network = stack(
        [
            build_network(
                n_classes=n_classes, image_size=size, seed=named_seed("weights", seed), **chosen
            )
            for seed in seeds
        ]
    ).to(device)
    steps = max(min(-(-len(images) // recipe.batch), len(images) // 2), 1)
    rate = torch.tensor(recipe.learning_rate, device=device)
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=rate,
        weight_decay=recipe.weight_decay,
        fused=True,
        capturable=torch.device(device).type == "cuda",
    )
    rates = one_cycle_rates(recipe.learning_rate, steps * recipe.epochs).to(device)
    heads = {"temperature": recipe.temperature, "alpha": recipe.alpha}

    def step(rows, top, left, flipped):
        flat = (part.flatten() for part in (rows, top, left, flipped))
        pixels = normalise_pixels(cut_at_once(mirrored, *flat, size))
        pixels = pixels.unflatten(0, (count, -1)).permute(0, 2, 3, 4, 1)
        with autocast(device, recipe.precision):
            logits = network(pixels).float()
        loss = 0
        if hard:
            named = labels[rows[:hard]].flatten()
            loss = loss + F.cross_entropy(logits[:hard].flatten(0, 1), named) * hard
        if probs is not None:
            soft = probs.gather(1, rows[hard:, :, None].expand(-1, -1, n_classes))
            named = labels[rows[hard:]].flatten()
            parts = logits[hard:].flatten(0, 1), named, soft.flatten(0, 1)
            loss = loss + LOSSES[recipe.loss](*parts, **heads) * (count - hard)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    if replay:
        step = Replayed(step, device)
    generators = [torch.Generator().manual_seed(named_seed("order", seed)) for seed in seeds]
    validated, nll, done = validated_epochs(recipe.epochs, "last"), [], 0
    for epoch in range(1, recipe.epochs + 1):
        network.train()
        drawn = zip(*(_drawn(len(images), steps, recipe, each) for each in generators), strict=True)
        for parts in drawn:
            rate.copy_(rates[done])
            # One copy a step: rows, first rows, first columns, flips, of all students.
            rows, top, left, flipped = torch.stack(parts, dim=1).to(device)
            step(rows, top, left, flipped.bool())
            done += 1
        if epoch in validated:
            log_probs = _predict(network, held["validation"], count, device, recipe.precision)
            picked = log_probs.gather(2, truth[None, :, None].expand(count, -1, 1))
            nll.append(-picked.mean(dim=(1, 2)))
    answers = {
        name: _predict(network, part, count, device, "float32").cpu().numpy()
        for name, part in held.items()
    }
    return answers, torch.stack(nll).cpu().numpy()


def _drawn(n_images, steps, recipe, generator):
    """What a student draws for an epoch, in the order in which `Training` and `to_batch` draw."""
    shift = recipe.shift
    order = torch.randperm(n_images, generator=generator)
    for rows in order.tensor_split(steps):
        down, right = torch.randint(-shift, shift + 1, (2, len(rows)), generator=generator)
        flipped = torch.randint(0, 2, (len(rows),), generator=generator).bool() & recipe.flip
        left = shift + torch.where(flipped, -right, right)
        yield torch.stack([rows, shift + down, left, flipped])


@torch.inference_mode()
def _predict(network, images, count, device, precision):
    network.eval()
    parts = []
    for part in images.split(EVALUATION_BATCH):
        pixels = normalise(part.permute(0, 3, 1, 2).float()).permute(1, 2, 3, 0)
        with autocast(device, precision):
            logits = network(pixels.expand(count, -1, -1, -1, -1))
        parts.append(logits.float().log_softmax(dim=2))
    return torch.cat(parts, dim=1)
