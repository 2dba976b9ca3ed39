"""Training one student. Knows tensors and numbers; no files, no tracking."""

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from brain_teacher.distillation.augmentation import mirror_edges, to_batch
from brain_teacher.distillation.losses import LOSSES, weighted_cross_entropy
from brain_teacher.distillation.pictures import Pictures
from brain_teacher.distillation.students import Student, validated_epochs
from brain_teacher.distillation.targets import check_probs
from brain_teacher.networks.classifiers import build_network, normalise, watched, watched_map
from brain_teacher.networks.devices import autocast
from brain_teacher.networks.training import one_cycle
from brain_teacher.seeds import named_seed

EVALUATION_BATCH = 512


@dataclass(frozen=True)
class Recipe:
    """How a student is trained; the fields are settings of ``distill`` in ``params.yaml``.

    Attributes
    ----------
    loss : str
        A key of `LOSSES`.
    temperature, alpha : float
        T > 0 of the loss, and the weight of its soft term, 0 to 1.
    epochs : int
    epoch : {"last", "best"}
        Whose weights are kept; ``best`` is by validation NLL.
    network, stem, width, weights
        As for `build_network`.
    batch : int
        Images a step, at most: an epoch is cut into nearly equal batches.
    learning_rate, weight_decay : float
        Of AdamW; the rate is the one cycle's peak.
    shift : int
        Each image is shifted at random by up to so many pixels each way.
    flip : bool
        Whether half of the images are flipped left to right.
    precision : {"float32", "bfloat16"}
        What training computes in; the answers are computed in float32 all the same.
    loss_settings : dict
        The loss's own, where it has any.
    """

    loss: str
    temperature: float
    alpha: float
    epochs: int
    epoch: str
    network: str
    stem: str
    width: int
    weights: str
    batch: int
    learning_rate: float
    weight_decay: float
    shift: int
    flip: bool
    precision: str
    loss_settings: dict = field(default_factory=dict)


def train_student(
    images, labels, targets, *, evaluation, n_classes, recipe, seed, device="cpu", checkpoint=None
):
    """Train one student and let it answer for the validation and the test images.

    Parameters
    ----------
    images : Pictures, or ndarray of shape (n_images, size, size, 3), uint8
        The training images.
    labels : ndarray of int, shape (n_images,)
        The class number of each.
    targets : ndarray of shape (n_images, n_classes) or (n_images,), float32, or Module, or None
        The teacher's probabilities, in the order of the images (of a loss that compares images,
        rows of any length, see `Relations`); or hard labels only, and a weight
        for each, 1 on average; or a network that looks at each augmented batch; or hard labels.
    evaluation : dict of str to (ndarray, ndarray)
        ``validation`` and ``test``: images as above, and labels. Test labels are never looked at.
        Without ``validation`` there are no validation curves, and no epoch can be chosen by them.
    n_classes : int
    recipe : Recipe
    seed : int
        The same seed gives every teacher the same weights, order of images and augmentation.
    device : str
    checkpoint : object, optional
        Has ``load()``, a former state or None; ``is_due()``, after each epoch; ``save(state)``.
        Resumed, a student is the same to the bit (on the CPU).

    Returns
    -------
    Student

    Raises
    ------
    ValueError
        If a row of the targets is no probability distribution, the network does not fit, or
        validation images are to choose the epoch and there are none.

    In the methods
    --------------
    Each teacher had {{ distill.seeds }} students.
    They were paired: seed k gave the student of every teacher the same initial weights, the same
    order of pictures and the same augmentation.
    Training took {{ distill.epochs }} epochs in batches of at most {{ distill.batch }}, by AdamW
    [@loshchilov2019] with weight decay {{ distill.weight_decay }} and one cycle of the learning
    rate with its peak at {{ distill.learning_rate }}; {% if distill.epoch == "last" %}the weights
    after the last epoch answered{% else %}the weights of the epoch with the lowest validation NLL
    answered{% endif %}.
    """
    if recipe.epoch == "best" and "validation" not in evaluation:
        raise ValueError("epoch: best takes validation images")
    # cuDNN would otherwise compute float32 in TF32, and choose kernels that differ from run to run.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    held = {name: _pictures(part[0], device) for name, part in evaluation.items()}
    validated = set()
    if "validation" in evaluation:
        validation_labels = torch.from_numpy(evaluation["validation"][1]).to(device)
        validated = validated_epochs(recipe.epochs, recipe.epoch)
    devices = [torch.cuda.current_device()] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(named_seed("dropout", seed))
        training = Training(images, labels, targets, n_classes, recipe, seed, device)
        curves, best = {}, (np.inf, 0, {})
        if checkpoint is not None and (state := checkpoint.load()) is not None:
            curves, best = state["curves"], state["best"]
            training.load_state_dict(state["training"])
        for record in training.epochs():
            record |= {"validation_accuracy": None, "validation_nll": None}
            if training.epoch in validated and np.isfinite(record["train_loss"]):
                log_probs = predict(training.network, held["validation"], recipe.precision)
                right = (log_probs.argmax(1) == validation_labels).float().mean()
                record["validation_accuracy"] = float(right)
                record["validation_nll"] = float(F.nll_loss(log_probs, validation_labels))
            for name, value in record.items():
                curves.setdefault(name, []).append(value)
            if not np.isfinite([record["train_loss"], record["validation_nll"] or 0.0]).all():
                return Student(_finite(curves), {}, training.epoch, {}, diverged=True)
            is_last = training.epoch == recipe.epochs
            if is_last if recipe.epoch == "last" else record["validation_nll"] < best[0]:
                best = (record["validation_nll"], training.epoch, training.weights())
            if checkpoint is not None and not is_last and checkpoint.is_due():
                state = {"curves": curves, "best": best, "training": training.state_dict()}
                checkpoint.save(state)
    training.network.load_state_dict(best[2])
    answers = {
        name: predict(training.network, p, "float32").cpu().numpy() for name, p in held.items()
    }
    weights = {name: value.cpu().contiguous().numpy() for name, value in best[2].items()}
    return Student(curves, answers, best[1], weights, diverged=False)


class Training:
    """A student on its way: network, optimiser, schedule, and what is drawn for it.

    Parameters are those of `train_student`.
    """

    def __init__(self, images, labels, targets, n_classes, recipe, seed, device):
        self._recipe, self._device, self.epoch = recipe, device, 0
        self._pictures = _pictures(images, device)
        self._labels = torch.from_numpy(labels).to(device)
        self._live = targets.to(device).eval() if isinstance(targets, nn.Module) else None
        self._probs = self._weights = None
        if isinstance(targets, np.ndarray) and targets.ndim == 1:
            self._weights = torch.from_numpy(targets).to(device)
        elif isinstance(targets, np.ndarray):
            if not LOSSES[recipe.loss].features:
                check_probs(targets, range(len(targets)))
            self._probs = torch.from_numpy(targets).to(device)
        own = vars(recipe)
        built = {key: own[key] for key in ("network", "width", "stem", "weights")}
        built |= {"n_classes": n_classes, "image_size": self._pictures.size}
        self.network = build_network(seed=named_seed("weights", seed), **built).to(device)
        self._features = self._watched(LOSSES[recipe.loss], recipe.loss_settings)
        rates = {key: own[key] for key in ("batch", "epochs", "learning_rate", "weight_decay")}
        cycle = one_cycle(self.network, count=len(images), **rates)
        self._steps, self._optimizer, self._schedule = cycle
        self._generator = torch.Generator().manual_seed(named_seed("order", seed))

    def _watched(self, loss, settings):
        if loss.maps:
            return watched_map(self.network, settings["layer"], grid=settings["grid"])
        return watched(self.network) if loss.features else None

    def epochs(self):
        """Train epoch by epoch; yield ``train_loss`` and ``learning_rate`` after each."""
        while self.epoch < self._recipe.epochs:
            self.network.train()
            total = torch.zeros((), device=self._device)
            order = torch.randperm(len(self._pictures), generator=self._generator)
            for rows in torch.tensor_split(order, self._steps):
                total += self._step(rows) * len(rows)
            self.epoch += 1
            rate = self._schedule.get_last_lr()[0]
            yield {"train_loss": float(total) / len(self._pictures), "learning_rate": rate}

    def _step(self, rows):
        recipe = self._recipe
        drawn = {"shift": recipe.shift, "flip": recipe.flip, "generator": self._generator}
        rows = rows.to(self._device)
        pixels = to_batch(mirror_edges(self._pictures.take(rows), recipe.shift), **drawn)
        with autocast(self._device, recipe.precision):
            logits = self.network(pixels)
        value = self._loss(logits.float(), rows, pixels)
        self._optimizer.zero_grad()
        value.backward()
        self._optimizer.step()
        self._schedule.step()
        return value.detach()

    def _loss(self, logits, rows, pixels):
        if self._weights is not None:  # without soft targets every loss is the cross-entropy
            return weighted_cross_entropy(logits, self._labels[rows], self._weights[rows])
        recipe, loss = self._recipe, LOSSES[self._recipe.loss]
        seen = {} if self._features is None else {"features": self._features().float()}
        return loss.of(
            logits,
            self._labels[rows],
            self._targets(rows, pixels) if loss.soft else None,
            temperature=recipe.temperature,
            alpha=recipe.alpha,
            **recipe.loss_settings,
            **seen,
        )

    @torch.no_grad()
    def _targets(self, rows, pixels):
        if self._live is None:
            return None if self._probs is None else self._probs[rows]
        with autocast(self._device, self._recipe.precision):
            logits = self._live(pixels)
        return torch.softmax(logits.float() / self._recipe.temperature, dim=1)

    def weights(self):
        """A copy of the network's state as it is now."""
        return {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def state_dict(self):
        """Everything that the next epoch depends on."""
        devices = [torch.cuda.get_rng_state()] if self._device.startswith("cuda") else []
        return {
            "epoch": self.epoch,
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "generator": self._generator.get_state(),
            "random": [torch.get_rng_state(), *devices],
        }

    def load_state_dict(self, state):
        """Go on from what `state_dict` gave."""
        self.epoch = state["epoch"]
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._generator.set_state(state["generator"].cpu())
        torch.set_rng_state(state["random"][0].cpu())
        for device in state["random"][1:]:
            torch.cuda.set_rng_state(device.cpu())


def _pictures(images, device):
    return images if isinstance(images, Pictures) else Pictures(images, device=device)


@torch.inference_mode()
def predict(network, images, precision):
    """Log-probabilities of a network in evaluation mode.

    Parameters
    ----------
    network : torch.nn.Module
    images : Pictures, or Tensor of shape (n_images, size, size, 3), uint8
    precision : {"float32", "bfloat16"}

    Returns
    -------
    Tensor of shape (n_images, n_classes), float32
    """
    network.eval()
    parts = []
    for part in images.split(EVALUATION_BATCH):
        with autocast(images.device, precision):
            logits = network(normalise(part.permute(0, 3, 1, 2).float()))
        parts.append(torch.log_softmax(logits.float(), dim=1))
    return torch.cat(parts)


def _finite(curves):
    # A diverged student's records stay readable as JSON, which has no NaN.
    return {
        name: [None if value is None or not np.isfinite(value) else value for value in values]
        for name, values in curves.items()
    }
