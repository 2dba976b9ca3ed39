"""Training one student. Knows tensors and numbers; no files, no tracking."""

import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from brain_teacher.devices import autocast
from brain_teacher.distillation.augmentation import augment
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.distillation.networks import build_network, normalise
from brain_teacher.distillation.students import Student
from brain_teacher.seeds import named_seed

EVALUATION_BATCH = 512


@dataclass(frozen=True)
class Recipe:
    """How a student is trained; the same for every teacher."""

    loss: str
    temperature: float
    alpha: float
    epochs: int
    epoch: str  # "last", or "best" by validation NLL
    width: int
    batch: int
    learning_rate: float
    weight_decay: float
    shift: int
    flip: bool
    precision: str  # "float32" or "bfloat16"


def train_student(images, labels, probs, *, evaluation, n_classes, recipe, seed, device="cpu"):
    """Train one student and let it answer for the validation and the test images.

    Parameters
    ----------
    images : ndarray of shape (n_images, size, size, 3), uint8
        The training images: those shown in the scanner.
    labels : ndarray of int, shape (n_images,)
    probs : ndarray of shape (n_images, n_classes), float32, or None
        The teacher's targets, in the order of the images.
    evaluation : dict of str to (ndarray, ndarray)
        ``validation`` and ``test``: images as above, and labels. Test labels are never looked at.
    n_classes : int
    recipe : Recipe
    seed : int
        The same seed gives every teacher the same weights, order of images and augmentation.
    device : str

    Returns
    -------
    Student
    """
    # cuDNN would otherwise compute float32 convolutions in TF32.
    torch.backends.cudnn.allow_tf32 = False
    network = build_network(
        n_classes=n_classes,
        width=recipe.width,
        image_size=images.shape[1],
        seed=named_seed("weights", seed),
    ).to(device)
    held = {name: torch.from_numpy(part[0]).to(device) for name, part in evaluation.items()}
    validation_labels = torch.from_numpy(evaluation["validation"][1]).to(device)
    curves, best = {}, None
    for record in _epochs(network, images, labels, probs, recipe=recipe, seed=seed, device=device):
        if np.isfinite(record["train_loss"]):
            log_probs = predict(network, held["validation"], precision=recipe.precision)
            right = (log_probs.argmax(1) == validation_labels).float().mean()
            record["validation_accuracy"] = float(right)
            record["validation_nll"] = float(F.nll_loss(log_probs, validation_labels))
        for name, value in record.items():
            curves.setdefault(name, []).append(value)
        if not np.isfinite([record["train_loss"], record.get("validation_nll", 0.0)]).all():
            return Student(_finite(curves), {}, len(curves["train_loss"]), {}, diverged=True)
        nll, epoch = record["validation_nll"], len(curves["train_loss"])
        is_last = epoch == recipe.epochs
        is_better = best is None or nll < best[0]
        if is_last if recipe.epoch == "last" else is_better:
            best = (nll, epoch, _state(network))
    network.load_state_dict(best[2])
    answers = {
        name: predict(network, part, precision="float32").cpu().numpy()
        for name, part in held.items()
    }
    weights = {name: value.cpu().contiguous().numpy() for name, value in best[2].items()}
    return Student(curves, answers, best[1], weights, diverged=False)


def _epochs(network, images, labels, probs, *, recipe, seed, device):
    """Train epoch by epoch; yield ``train_loss`` and ``learning_rate`` after each."""
    images = torch.from_numpy(images).to(device)
    labels = torch.from_numpy(labels).to(device)
    probs = None if probs is None else torch.from_numpy(probs).to(device)
    # Two images a batch at least (batch: 2, an odd number): one breaks batch normalisation.
    steps = max(min(-(-len(images) // recipe.batch), len(images) // 2), 1)
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe.learning_rate,
        # 5 would end the warm-up on its first step, and OneCycleLR would divide by zero.
        total_steps=max(steps * recipe.epochs + 1, 6),
        pct_start=0.2,
        cycle_momentum=False,
    )
    generator = torch.Generator().manual_seed(named_seed("order", seed))
    for _ in range(recipe.epochs):
        network.train()
        total = torch.zeros((), device=device)
        order = torch.randperm(len(images), generator=generator)
        # Nearly equal batches: a last batch of one image would break batch normalisation.
        for rows in torch.tensor_split(order, steps):
            rows = rows.to(device)
            pixels = augment(
                images[rows], shift=recipe.shift, flip=recipe.flip, generator=generator
            )
            with autocast(device, recipe.precision):
                logits = network(normalise(pixels.float()))
            loss = LOSSES[recipe.loss](
                logits.float(),
                labels[rows],
                None if probs is None else probs[rows],
                temperature=recipe.temperature,
                alpha=recipe.alpha,
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(rows)
        rate = schedule.get_last_lr()[0]
        yield {"train_loss": float(total) / len(images), "learning_rate": rate}


@torch.inference_mode()
def predict(network, images, *, precision):
    """Log-probabilities of a network in evaluation mode; images are (n, size, size, 3) uint8."""
    network.eval()
    device = images.device.type
    parts = []
    for part in images.split(EVALUATION_BATCH):
        pixels = part.permute(0, 3, 1, 2)
        with autocast(device, precision):
            logits = network(normalise(pixels.float()))
        parts.append(torch.log_softmax(logits.float(), dim=1))
    return torch.cat(parts)


def measure_precision(*, image_size, width, batch, device):
    """Which of float32 and bfloat16 trains faster here: a few steps of each, in turns."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, image_size, image_size, 3), dtype=np.uint8)
    labels = np.arange(batch) % 2
    best = {"float32": np.inf, "bfloat16": np.inf}
    for _ in range(4):
        for precision in best:
            recipe = Recipe(
                "hinton", 1.0, 0.0, 3, "last", width, batch, 1e-3, 0.0, 0, False, precision
            )
            network = build_network(n_classes=2, width=width, image_size=image_size, seed=0)
            start = time.perf_counter()
            for _ in _epochs(
                network.to(device), images, labels, None, recipe=recipe, seed=0, device=device
            ):
                pass
            best[precision] = min(best[precision], time.perf_counter() - start)
    return min(best, key=best.get)


def _state(network):
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _finite(curves):
    # A diverged student's records stay readable as JSON, which has no NaN.
    return {
        name: [value if np.isfinite(value) else None for value in values]
        for name, values in curves.items()
    }
