"""Rows of `gpu.py`: what the card can do, and what else could pay."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from brain_teacher.distillation.engine import Training
from brain_teacher.networks.classifiers import build_network
from brain_teacher.networks.devices import autocast
from gpu_lines import Work, in_turns, line
from stacked import Replayed, stack
from student_work import CLASSES, recipe

BATCH = 256


def matrix_rate(quick, device):
    """A matrix product's edge, and its operations a second in bfloat16, of random numbers."""
    size = 256 if quick else 8192
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    taken = Work("", lambda: [a @ b for _ in range(20)], 1 / 20).seconds(device)
    return size, 2 * size**3 / taken


def ceilings(quick, device):
    """What the card can do at most: matrix products in bfloat16, bytes moved."""
    size, rate = matrix_rate(quick, device)
    yield line(f"bf16 matrix product, {size} cubed", rate / 1e12, "TFLOP/s")
    data = torch.randn(size, size, 1 if quick else 8, device=device)
    other = torch.empty_like(data)
    other.copy_(data)
    taken = Work("", lambda: [other.copy_(data) for _ in range(10)], 1 / 10).seconds(device)
    yield line("copy on the card", 2 * data.nbytes / taken / 1e12, "TB/s")


# A layer of many networks: how many, their channels, their places, their trials, the window.
LAYERS = {
    "`resnet1d` layer1, 400 networks": (400, 16, (1, 250), 60, (1, 3)),
    "`resnet1d` layer4, 400 networks": (400, 128, (1, 32), 60, (1, 3)),
    "students' layer1, 56 networks": (56, 16, (24, 24), 32, (3, 3)),
    "students' layer4, 56 networks": (56, 128, (3, 3), 32, (3, 3)),
}


def convolutions(quick, device):
    """A layer of many networks, forward and back: our matrix products against cuDNN's groups."""
    for name, (networks, channels, sides, batch, kernel) in LAYERS.items():
        count, trials = (2, 2) if quick else (networks, batch)
        settings = {"padding": tuple(k // 2 for k in kernel), "bias": False}
        convs = [torch.nn.Conv2d(channels, channels, kernel, **settings) for _ in range(count)]
        ours = stack([torch.nn.Sequential(conv) for conv in convs]).to(device)
        grouped = torch.nn.Conv2d(
            count * channels, count * channels, kernel, groups=count, **settings
        ).to(device)
        for dtype in (torch.float32, torch.bfloat16):
            mine = torch.randn(count, channels, *sides, trials, device=device, dtype=dtype)
            theirs = torch.randn(trials, count * channels, *sides, device=device, dtype=dtype)
            kind = str(dtype).removeprefix("torch.")
            both = [
                Work(said, partial(_there_and_back, layer.to(dtype), signal.requires_grad_()))
                for said, layer, signal in (
                    (f"{name}, {kind}, a convolution forward and back", ours, mine),
                    ("cuDNN, groups", grouped, theirs),
                )
            ]
            for work in both:
                work.do()
            yield from in_turns(both[:1], both[1], 1 if quick else 5, device)


def _there_and_back(layer, signal):
    answer = layer(signal)
    answer.backward(answer.detach())


def replayed_step(quick, device):
    """Whether recording pays for one network at a time: its step as it is, and replayed."""
    cases = [(24, 16, 32, "float32"), (224, 64, 64, "bfloat16"), (224, 64, BATCH, "bfloat16")]
    for size, width, batch, precision in cases[:1] if quick else cases:
        network = build_network(n_classes=CLASSES, image_size=size, seed=0, width=width)
        network = network.to(device).train()
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=1e-3, fused=True, capturable=device == "cuda"
        )
        pixels = torch.randn(batch, 3, size, size, device=device)
        given = (
            pixels.contiguous(memory_format=torch.channels_last),
            torch.arange(batch, device=device) % CLASSES,
        )
        step = partial(_step, network, optimizer, device, precision)
        replayed, count = Replayed(step, device), 2 if quick else 50
        for _ in range(3):
            step(*given)
            replayed(*given)
        what = f"a step of {batch} pictures of {size} pixels, width {width}, {precision}"
        yield from in_turns(
            [Work(f"{what}, replayed", partial(_repeat, count, replayed, given), 1 / count)],
            Work("as it is", partial(_repeat, count, step, given), 1 / count),
            1 if quick else 3,
            device,
        )


def _step(network, optimizer, device, precision, pixels, named):
    with autocast(device, precision):
        logits = network(pixels)
    loss = F.cross_entropy(logits.float(), named)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _repeat(count, function, given):
    for _ in range(count):
        function(*given)


def compiled(quick, device):
    """Whether torch's compiler pays for large students: an epoch with it, and without."""
    size, width, count, batch = (24, 16, 16, 8) if quick else (224, 64, 4 * BATCH, BATCH)
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    labels, how = np.arange(count) % CLASSES, recipe(size, "bfloat16", width=width, batch=batch)
    works = []
    for name in ("as it is", "compiled"):
        training = Training(images, labels, None, CLASSES, how, 0, device)
        if name == "compiled":
            training.network.compile(backend="eager" if quick else "inductor")
        epochs = training.epochs()
        warm = Work(name, partial(next, epochs))
        seconds = warm.seconds(device)
        warm.do()
        what = f"an epoch of {count} pictures of {size} pixels, bfloat16, batch {batch}, {name}"
        works.append(Work(what, partial(next, epochs)))
    yield line("its first epoch, compiled", seconds)
    yield from in_turns(works[1:], works[0], 1 if quick else 3, device)
