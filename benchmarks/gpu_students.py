"""Rows of `gpu.py`: students at 224 pixels, and those of the shipped sample; pictures made up."""

import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from brain_teacher.dataset.image_cache import image_file, open_images
from brain_teacher.distillation.engine import Training, train_student
from brain_teacher.machine import cores
from brain_teacher.networks.classifiers import build_network
from gpu_kernels import matrix_rate
from gpu_lines import Work, in_turns, line
from stacked_students import train_together
from student_work import CLASSES, jpegs, recipe
from usual_loop import train_epoch, training_loader

# The shipped sample: 16 categories of 8 shown and 80 unseen pictures, 7 teachers, 8 seeds.
SAMPLE = {"classes": 16, "training": 128, "validation": 320, "test": 960, "size": 24}
TEACHERS, SEEDS = 7, 8
# What the package trains a large student in, and so many pictures a step.
VARIANTS = [("float32", 64), ("bfloat16", 64), ("bfloat16", 128), ("bfloat16", 256)]
VARIANTS += [("bfloat16", 512)]


def large_students(quick, device):
    """A full-width ResNet18 at 224 pixels: images a second, ours and the usual loop."""
    size, width, files, turns = (24, 16, 8, 1) if quick else (224, 64, 64, 2)
    with tempfile.TemporaryDirectory() as folder:
        paths = jpegs(folder, files) * (2 if quick else 16)
        labels, count = np.arange(len(paths)) % CLASSES, len(paths)
        start = time.perf_counter()
        images = open_images(image_file(paths, size, Path(folder)))
        taken = time.perf_counter() - start
        yield line(f"{count} JPEGs to the cache of pixels, once, {cores()} cores", taken)
        usual = usual_loops(paths, labels, device, size=size, width=width, batch=8 if quick else 64)
        works = list(packages(images, labels, device, width, VARIANTS[:2] if quick else VARIANTS))
        lines = in_turns([usual[1], *works], usual[0], turns, device)
    yield from lines
    peak, operations = matrix_rate(quick, device)[1], operations_an_image(size, width)
    for each in [{"work": usual[0].name, "ours": lines[0]["peer"]}, *lines]:
        rate, how = count / each["ours"], each["work"].partition(", ")[2]
        yield line(f"images a second, {how}", rate, "")
        if "bfloat16" in how:
            share = 100 * rate * operations / peak
            yield line(f"of the bf16 matrix product's rate, {how}", share, "%")


def usual_loops(paths, labels, device, *, size, width, batch):
    """An epoch of the usual loop: as it is, of which a quarter is done; and with workers."""
    network = build_network(n_classes=CLASSES, image_size=size, seed=0, width=width)
    network = network.to(device, memory_format=torch.contiguous_format)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
    settings = {"size": size, "shift": size // 16, "batch": batch}
    quarter = len(paths) // 4
    alone = training_loader(paths[:quarter], labels[:quarter], **settings)
    settings |= {"num_workers": cores(), "persistent_workers": True, "pin_memory": device == "cuda"}
    helped = training_loader(paths, labels, **settings)

    def epoch(loader):
        # As torch has it: TF32 in convolutions.
        with torch.backends.cudnn.flags(enabled=True, deterministic=False, allow_tf32=True):
            train_epoch(network, loader, optimizer, device=device)

    epoch(alone)
    epoch(helped)
    what = f"an epoch of {len(paths)} pictures of {size} pixels, the usual loop, batch {batch}"
    return (
        Work(f"{what}, a quarter timed", partial(epoch, alone), len(paths) / quarter),
        Work(f"{what}, {cores()} workers", partial(epoch, helped)),
    )


def packages(images, labels, device, width, variants):
    """An epoch of the package's training, the pictures on the device."""
    size = images.shape[1]
    for precision, batch in variants:
        how = recipe(size, precision, width=width, batch=min(batch, len(images) // 2))
        training = Training(images, labels, None, CLASSES, how, 0, device).epochs()

        def epoch(training=training):
            with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
                next(training)

        for _ in range(2):
            epoch()
        what = f"an epoch of {len(images)} pictures of {size} pixels"
        yield Work(f"{what}, {precision}, batch {how.batch}", epoch)


def operations_an_image(size, width):
    """Floating-point operations of a training step, for each image (counted by torch)."""
    network = build_network(n_classes=CLASSES, image_size=size, seed=0, width=width)
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(2, 3, size, size)).sum().backward()
    return counter.get_total_flops() / 2


def sample_of(quick):
    """Made-up pictures and targets in the size of the sample, and the students' recipe."""
    sizes = SAMPLE | ({"training": 32, "validation": 16, "test": 16} if quick else {})
    rng = np.random.default_rng(0)
    pixels, classes = sizes["size"], sizes["classes"]
    means = rng.integers(0, 256, (classes, pixels, pixels, 3))

    def pictures(count):
        labels = rng.permutation(np.arange(count) % classes)
        noise = rng.normal(0, 60, (count, pixels, pixels, 3))
        return (means[labels] + noise).clip(0, 255).astype(np.uint8), labels

    training = pictures(sizes["training"])
    evaluation = {split: pictures(sizes[split]) for split in ("validation", "test")}
    targets = [None] + [
        rng.dirichlet(np.ones(classes), len(training[0])).astype(np.float32)
        for _ in range(TEACHERS - 1)
    ]
    settings = {"temperature": 2.0, "alpha": 0.8, "epochs": 30, "batch": 32, "shift": 2}
    settings |= {"width": 16, "learning_rate": 0.003}
    settings |= {"epochs": 2, "width": 8} if quick else {}
    return training, evaluation, targets, partial(recipe, pixels, **settings)


_of_process = {}


def _start(quick):
    torch.set_num_threads(1)
    _of_process["sample"] = sample_of(quick)


def _train_one(number, device):
    training, evaluation, targets, made = _of_process["sample"]
    return train_student(
        *training,
        targets[number % TEACHERS],
        evaluation=evaluation,
        n_classes=SAMPLE["classes"],
        recipe=made("float32"),
        seed=number // TEACHERS,
        device=device,
    ).log_probs["test"]


def small_students(quick, device):
    """All students of the sample: one after another, in processes side by side, as one network."""
    _start(quick)
    total, some = (4, 2) if quick else (TEACHERS * SEEDS, 3)
    what, found = f"{total} students of the sample", {}

    def alone():
        found["one after another"] = {n: _train_one(n, device) for n in range(some)}

    def together(precision, replay):
        found[f"as one network, {precision}"] = _train_as_one(total, precision, replay, device)

    together("float32", True)
    alone()
    ways = [("float32", True), ("float32", False), ("bfloat16", True)]
    peer = Work(f"one after another, {some} of {total} timed", alone, total / some)
    graphs = {True: "CUDA graphs", False: "no graphs"}
    works = [
        Work(f"{what} as one network, {way[0]}, {graphs[way[1]]}", partial(together, *way))
        for way in ways
    ]
    yield from in_turns(works, peer, 1 if quick else 2, device)
    truth = _of_process["sample"][1]["test"][1]
    for name, answers in found.items():
        right = np.mean([answers[number].argmax(1) == truth for number in range(some)])
        yield line(f"test accuracy of {some} of them, {name}", float(right), "")
    for processes in (2,) if quick else (4, 8):
        yield from side_by_side(processes, total, quick, device)


def _train_as_one(total, precision, replay, device):
    """Test answers of each student by its number."""
    training, evaluation, targets, made = _of_process["sample"]
    # Hard labels first, as `train_together` wants them.
    order = sorted(range(total), key=lambda number: targets[number % TEACHERS] is not None)
    answers, _ = train_together(
        *training,
        [targets[number % TEACHERS] for number in order],
        evaluation=evaluation,
        n_classes=SAMPLE["classes"],
        recipe=made(precision),
        seeds=[number // TEACHERS for number in order],
        device=device,
        replay=replay,
    )
    return dict(zip(order, answers["test"], strict=True))


def side_by_side(processes, total, quick, device):
    """Students in processes that share the card."""
    count = min(total, 2 * processes)
    with ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=_start, initargs=(quick,)
    ) as pool:
        start = time.perf_counter()
        list(pool.map(partial(_warm, device), range(processes)))
        started = time.perf_counter() - start
        works = Work("", lambda: list(pool.map(partial(_train_one, device=device), range(count))))
        taken = works.seconds(device) * total / count
    part = "" if count == total else f", {count} timed"
    yield line(f"{total} students of the sample, {processes} processes{part}", taken)
    yield line(f"{processes} processes to start, each with a student to warm it", started)


def _warm(device, number):
    _train_one(number, device)
    time.sleep(1)  # so that another process takes the next
