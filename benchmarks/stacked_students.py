"""A prototype: all students of one network trained side by side as one (`stacked`).

Each student has the weights, the order of images and the augmentation that its seed gives it
alone. What is missing for everyday use: networks that look at batches, checkpoints, students that
diverge (here they go on, with what they have).
"""

import torch
import torch.nn.functional as F

from brain_teacher.distillation.augmentation import cut_at_once, mirror_edges, normalise_pixels
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.distillation.students import validated_epochs
from brain_teacher.networks.classifiers import build_network, normalise
from brain_teacher.networks.devices import autocast
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
    held = {name: torch.from_numpy(part[0]).to(device) for name, part in evaluation.items()}
    truth = torch.from_numpy(evaluation["validation"][1]).to(device).expand(len(seeds), -1)
    validated, nll = validated_epochs(recipe.epochs, "last"), []
    together = _Together(images, labels, targets, n_classes, recipe, seeds, device, replay)
    for epoch in together.epochs():
        if epoch in validated:
            log_probs = together.predict(held["validation"], recipe.precision)
            nll.append(-log_probs.gather(2, truth[..., None]).mean(dim=(1, 2)))
    answers = {name: together.predict(part, "float32").cpu().numpy() for name, part in held.items()}
    return answers, torch.stack(nll).cpu().numpy()


class _Together:
    """Students on their way: one network of all, one optimiser, and what is drawn for each."""

    def __init__(self, images, labels, targets, n_classes, recipe, seeds, device, replay):
        self._recipe, self._seeds, self._device = recipe, seeds, device
        self._size, self._count, self._n_classes = images.shape[1], len(images), n_classes
        self._mirrored = mirror_edges(torch.from_numpy(images).to(device), recipe.shift)
        self._labels = torch.from_numpy(labels).to(device)
        self._hard = sum(part is None for part in targets)
        soft = [torch.from_numpy(part) for part in targets[self._hard :]]
        self._probs = torch.stack(soft).to(device) if soft else None
        self._network = stack([self._start(seed) for seed in seeds]).to(device)
        self._steps = max(min(-(-len(images) // recipe.batch), len(images) // 2), 1)
        self._rate = torch.tensor(recipe.learning_rate, device=device)
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(),
            lr=self._rate,
            weight_decay=recipe.weight_decay,
            fused=True,
            capturable=torch.device(device).type == "cuda",
        )
        self._step = Replayed(self._one_step, device) if replay else self._one_step

    def _start(self, seed):
        own = {key: getattr(self._recipe, key) for key in ("network", "width", "stem", "weights")}
        own |= {"n_classes": self._n_classes, "image_size": self._size}
        return build_network(seed=named_seed("weights", seed), **own)

    def epochs(self):
        """Train epoch by epoch; yield its number, from 1, after each."""
        recipe = self._recipe
        total = self._steps * recipe.epochs
        rates = one_cycle_rates(recipe.learning_rate, total).to(self._device).split(self._steps)
        orders = [torch.Generator().manual_seed(named_seed("order", seed)) for seed in self._seeds]
        for epoch in range(1, recipe.epochs + 1):
            self._network.train()
            drawn = zip(*map(self._drawn, orders), strict=True)
            for rate, parts in zip(rates[epoch - 1], drawn, strict=True):
                self._rate.copy_(rate)
                # One copy a step: rows, first rows, first columns, flips, of all students.
                self._step(*torch.stack(parts, dim=1).to(self._device))
            yield epoch

    def _drawn(self, generator):
        """What a student draws for an epoch, in the order in which `Training` draws it."""
        shift, order = self._recipe.shift, torch.randperm(self._count, generator=generator)
        for rows in order.tensor_split(self._steps):
            down, right = torch.randint(-shift, shift + 1, (2, len(rows)), generator=generator)
            flipped = torch.randint(0, 2, (len(rows),), generator=generator) * self._recipe.flip
            left = shift + torch.where(flipped.bool(), -right, right)
            yield torch.stack([rows, shift + down, left, flipped])

    def _one_step(self, rows, top, left, flipped):
        mirrored = self._mirrored[rows.flatten()]
        window = top.flatten(), left.flatten(), flipped.flatten().bool()
        pixels = normalise_pixels(cut_at_once(mirrored, *window, self._size))
        pixels = pixels.unflatten(0, rows.shape).permute(0, 2, 3, 4, 1)
        with autocast(self._device, self._recipe.precision):
            logits = self._network(pixels).float()
        self._optimizer.zero_grad()
        self._loss(logits, rows).backward()
        self._optimizer.step()

    def _loss(self, logits, rows):
        """The sum of the students' losses: each one's gradient is what it were alone."""
        recipe, hard, loss = self._recipe, self._hard, 0
        if hard:
            named = self._labels[rows[:hard]].flatten()
            loss = loss + F.cross_entropy(logits[:hard].flatten(0, 1), named) * hard
        if self._probs is not None:
            every = rows[hard:, :, None].expand(-1, -1, self._n_classes)
            parts = logits[hard:], self._labels[rows[hard:]], self._probs.gather(1, every)
            loss = loss + LOSSES[recipe.loss].of(
                *(part.flatten(0, 1) for part in parts),
                temperature=recipe.temperature,
                alpha=recipe.alpha,
                **recipe.loss_settings,
            ) * len(self._probs)
        return loss

    @torch.inference_mode()
    def predict(self, images, precision):
        """Log-probabilities (n_students, n_images, n_classes) of images as they are."""
        self._network.eval()
        parts = []
        for part in images.split(EVALUATION_BATCH):
            pixels = normalise(part.permute(0, 3, 1, 2).float()).permute(1, 2, 3, 0)
            with autocast(self._device, precision):
                logits = self._network(pixels.expand(len(self._seeds), -1, -1, -1, -1))
            parts.append(logits.float().log_softmax(dim=2))
        return torch.cat(parts, dim=1)
