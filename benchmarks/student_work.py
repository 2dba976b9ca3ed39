"""Images to batch, and whole training steps: ours against the usual loop (`usual_loop`).

`WORK` maps a name to a function of ``quick`` and a folder that gives ``(peer, {row: ours})``:
callables without arguments that do the same piece of work and return its seconds. Each is called in
a process of its own: ours keeps freed memory (`keep_freed_memory`), the usual loop does not. The
JPEG files are made up: smooth noise of several scales with discs and boxes on it, 500 x 375,
quality 90, about 40 kB each.

The cache of pixels and its mirrored edges are built anew in every turn, by one thread; their
seconds are shared out over `EPOCHS`.
"""

import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from brain_teacher.dataset.image_cache import image_file, open_images
from brain_teacher.distillation.augmentation import mirror_edges, to_batch
from brain_teacher.distillation.engine import Recipe, Training
from brain_teacher.distillation.pictures import Pictures
from brain_teacher.networks.classifiers import build_network
from brain_teacher.networks.memory import keep_freed_memory
from usual_loop import train_epoch, training_loader

BATCH, CLASSES, EPOCHS = 64, 150, 100
REPEATED = 5  # epochs of our batches a turn: one would be too short to time
SIZES = (224, 128, 64)
# `students.py --cpu-time` puts the processor's clock here.
clock = time.perf_counter
WIDE, HIGH, QUALITY = 500, 375, 90
# Height of the noise by its number of waves across a picture: about 1 / f, as in photographs.
SCALES = {4: 30, 12: 14, 48: 7, 150: 4}


def photograph(rng):
    """A made-up picture with a photograph's many scales, objects with edges among them."""
    pixels = np.full((HIGH, WIDE, 3), 128.0)
    for waves, height in SCALES.items():
        noise = rng.normal(0, height, (waves * HIGH // WIDE + 1, waves + 1, 3)).astype(np.float32)
        for colour in range(3):
            layer = Image.fromarray(noise[..., colour]).resize((WIDE, HIGH), Image.BICUBIC)
            pixels[..., colour] += np.asarray(layer)
    picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for shape in (draw.ellipse, draw.rectangle):
        left, top = rng.integers(0, (WIDE - 150, HIGH - 150))
        wide, high = rng.integers(40, 150, 2)
        fill = tuple(int(part) for part in rng.integers(0, 256, 3))
        shape((left, top, left + wide, top + high), fill=fill)
    return picture


def jpegs(folder, count):
    """Paths of JPEG files; made in `folder` unless they are there."""
    paths = [Path(folder) / f"{number:04}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        if not path.exists():
            photograph(np.random.default_rng(number)).save(path, quality=QUALITY)
    return paths


def build(paths, size, shift):
    """The pictures' file, opened, and one epoch's share of the seconds that it took."""
    with tempfile.TemporaryDirectory() as folder:
        start = clock()
        images = open_images(image_file(paths, size, Path(folder), workers=1))
        return images, (clock() - start) / EPOCHS


def batch(quick, folder, *, size):
    """An epoch's images, from the files to normalised float32 batches."""
    paths, shift = jpegs(folder, BATCH if quick else 3 * BATCH), size // 16
    loader = training_loader(paths, np.zeros(len(paths)), size=size, shift=shift, batch=BATCH)
    generator = torch.Generator().manual_seed(0)

    def ours():
        keep_freed_memory()
        images, share = build(paths, size, shift)
        pictures = Pictures(images)
        start = clock()
        for _ in range(REPEATED):
            for rows in torch.randperm(len(paths), generator=generator).split(BATCH):
                mirrored = mirror_edges(pictures.take(rows), shift)
                to_batch(mirrored, shift=shift, flip=True, generator=generator)
        return (clock() - start) / REPEATED + share

    def peer():
        start = clock()
        for _ in loader:
            pass
        return clock() - start

    return peer, {f"batch-{size}": ours}


def recipe(size, precision, **others):
    """A student's recipe with hard labels: a full-width ResNet18, unless `others` say so."""
    return Recipe(
        **dict(
            {"loss": "hinton", "temperature": 1.0, "alpha": 0.0, "epochs": 1000, "epoch": "last"}
            | {"network": "resnet18", "stem": "auto", "width": 64, "weights": "none"}
            | {"batch": BATCH, "learning_rate": 1e-3, "weight_decay": 0.05}
            | {"shift": size // 16, "flip": True, "precision": precision},
            **others,
        )
    )


def step(quick, folder, *, size, device="cpu"):
    """A whole training step: images to batch, forward, backward, optimiser."""
    name = f"{'gpu' if device == 'cuda' else 'step'}-{size}"
    size, width = (24, 16) if quick else (size, 64)
    steps = 10 if device == "cuda" else 1
    paths = jpegs(folder, steps * BATCH)
    labels = np.arange(len(paths)) % CLASSES
    network = build_network(n_classes=CLASSES, image_size=size, seed=0, width=width)
    network = network.to(device, memory_format=torch.contiguous_format)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
    loader = training_loader(paths, labels, size=size, shift=size // 16, batch=BATCH)
    images = build(paths, size, size // 16)[0]

    def epochs(precision):
        how = recipe(size, precision, width=width)
        return Training(images, labels, None, CLASSES, how, 0, device).epochs()

    def ours(training):
        keep_freed_memory()
        share = build(paths, size, size // 16)[1]
        start = clock()
        next(training)  # ends with the loss as a number: a GPU has then finished, too
        return clock() - start + share

    def peer():
        start = clock()
        train_epoch(network, loader, optimizer, device=device)
        return clock() - start

    rows = {name: "bfloat16", f"{name}-float32": "float32"}
    return peer, {row: partial(ours, epochs(precision)) for row, precision in rows.items()}


gpu = partial(step, device="cuda")  # an epoch of ten steps

WORK = {
    f"{name}-{size}": partial(work, size=size)
    for name, work in {"batch": batch, "step": step, "gpu": gpu}.items()
    for size in SIZES
}
