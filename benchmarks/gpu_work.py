"""The rows of `gpu.py`: what is measured, and against what.

`ROWS` maps a name to a function of ``quick`` and a device that gives lines: dicts with ``work``,
``ours`` and ``unit``; with ``peer``, ``peer_work`` and the ratio's median, lowest and highest where
something else does the same work in turns with it. Work of which only a part was done says so.
"""

import platform
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from brain_teacher.dataset.image_cache import cached_images
from brain_teacher.decoding import resnet1d
from brain_teacher.devices import choose_precision
from brain_teacher.distillation.engine import Recipe, Training, train_student
from brain_teacher.distillation.networks import build_network
from resnet1d_work import ResNet1d
from stacked import Replayed, stack
from stacked_decoder import fit_predict_together
from stacked_students import train_together
from student_work import BATCH, CLASSES, photograph, recipe
from usual_loop import train_epoch, training_loader

# GOD: 1,200 trials of 150 categories, 8 folds of 150, of which one is held out and one validates.
CATEGORIES, FOLDS, CELLS, VOXELS = 150, 8, 50, 1000
# The defaults of params.yaml.
RESNET1D = {"width": 16, "epochs": 15, "batch": 64, "learning_rate": 0.003, "weight_decay": 0.05}
# The shipped sample: 16 categories of 8 shown and 80 unseen pictures, 7 teachers, 8 seeds.
SAMPLE = {"classes": 16, "training": 128, "validation": 320, "test": 960, "size": 24}
TEACHERS, SEEDS = 7, 8
SIGNAL = 0.5  # standard deviation between categories, over noise of 1


def card_of(device):
    """What computes: the card, its driver, torch's and cuDNN's versions."""
    if device == "cpu":
        return {"name": platform.machine(), "torch": torch.__version__}
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[0]
    return {
        "name": torch.cuda.get_device_name(),
        "driver": driver,
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version(),
    }


def finish(device):
    """Wait until the device has done what it was asked for."""
    if device == "cuda":
        torch.cuda.synchronize()


def seconds(function, device):
    """Seconds of one call, until the device is done."""
    finish(device)
    start = time.perf_counter()
    function()
    finish(device)
    return time.perf_counter() - start


def in_turns(work, ours, peer_work, peer, turns, *, ours_times=1, peer_times=1):
    """A line: `ours` and `peer` give seconds; each is multiplied to the whole of the work."""
    pairs = [(ours_times * ours(), peer_times * peer()) for _ in range(turns)]
    ratios = [theirs / mine for mine, theirs in pairs]
    return {
        "work": work,
        "unit": "s",
        "ours": statistics.median(mine for mine, _ in pairs),
        "peer_work": peer_work,
        "peer": statistics.median(theirs for _, theirs in pairs),
        "ratio": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
        "turns": turns,
    }


def line(work, ours, unit="s"):
    """A line without a peer."""
    return {"work": work, "ours": ours, "unit": unit}


def describe(line):
    """One line as text."""
    text = f"{line['work']}: {line['ours']:.4g} {line['unit']}"
    if "peer" in line:
        text += (
            f"; {line['peer_work']}: {line['peer']:.4g} {line['unit']}, ratio {line['ratio']:.1f} "
            f"({line['low']:.1f} to {line['high']:.1f}, {line['turns']} turns)"
        )
    return text


def markdown(rows, card):
    """The rows as a table that names the card."""
    text = []
    if rows:
        text = [", ".join(str(value) if key == "name" else f"{key} {value}"
                          for key, value in card.items() if key != "quick") + ":", ""]  # fmt: skip
    text += ["| work | ours | peer | its figure | peer / ours |", "|---|---|---|---|---|"]
    for name in ROWS:
        for each in rows[name]["lines"] if name in rows else []:
            cells = [each["work"], f"{each['ours']:.4g} {each['unit']}", "", "", ""]
            if "peer" in each:
                cells[2:] = [
                    each["peer_work"],
                    f"{each['peer']:.4g} {each['unit']}",
                    f"{each['ratio']:.1f} ({each['low']:.1f} to {each['high']:.1f})",
                ]
            text.append(f"| {' | '.join(cells)} |")
        if name not in rows:
            text.append(f"| {name} | not measured | | | |")
    return "\n".join(text)


# The card's two ceilings ---------------------------------------------------------------------


def matrix_rate(size, device):
    """Operations a second of a bfloat16 matrix product of random numbers."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    taken = seconds(lambda: [a @ b for _ in range(20)], device)
    return 20 * 2 * size**3 / taken


def ceilings(quick, device):
    """What the card can do at most: matrix products in bfloat16, bytes moved."""
    size = 256 if quick else 8192
    data = torch.randn(size, size, 1 if quick else 8, device=device)
    other = torch.empty_like(data)
    other.copy_(data)
    taken = seconds(lambda: [other.copy_(data) for _ in range(10)], device)
    return [
        line(f"bf16 matrix product, {size} cubed", matrix_rate(size, device) / 1e12, "TFLOP/s"),
        line("copy on the card", 10 * 2 * data.nbytes / taken / 1e12, "TB/s"),
    ]


# resnet1d ------------------------------------------------------------------------------------


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
            shown = [
                p for rows in (fit, fold_of == validation) for p in (data[rows], category[rows])
            ]
            folds.append((*shown, data[fold_of == held_out]))
            truth.append(category[fold_of == held_out])
    return folds, truth


def fit_2021(fold, *, n_classes, width, epochs, batch, learning_rate, weight_decay, device):
    """The loop of 2021: `Conv1d`, float32, a `DataLoader`, a fold at a time, batch by batch."""
    fit, category, validation, validation_category, held_out = (
        torch.as_tensor(part)[:, None] if part.ndim == 2 else torch.as_tensor(part) for part in fold
    )
    network = ResNet1d(n_classes, width).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, weight_decay=weight_decay)
    loader = DataLoader(TensorDataset(fit, category), batch, shuffle=True)
    validating = DataLoader(TensorDataset(validation, validation_category), batch)
    best = (np.inf, None)
    for _ in range(epochs):
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


def top1(logits, truth):
    """The share of held-out trials that are named right."""
    return float(
        np.mean([each.argmax(1) == named for each, named in zip(logits, truth, strict=True)])
    )


def decoder(quick, device):
    """All fits of GOD, as one batch, a cell at a time, a fold at a time; and the loop of 2021."""
    cells, turns, sampled = (1, 1, 1) if quick else (CELLS, 3, 2)
    folds, truth = made_up_folds(cells, quick)
    total = len(folds)
    seeds = list(range(total))
    settings = RESNET1D | {"n_classes": len(folds[0][4]), "device": device}
    settings |= {"epochs": 2} if quick else {}
    ours = settings | {"precision": choose_precision("auto", device)}
    found = {}

    def together(count=total):
        rows = slice(0, count)
        found["together"] = fit_predict_together(folds[rows], seeds=seeds[rows], **ours)

    def alone():
        found["alone"] = [resnet1d.fit_predict(*folds[n], seed=n, **ours) for n in range(sampled)]

    def loop_2021():
        found["2021"] = [fit_2021(fold, **settings) for fold in folds[:sampled]]

    def a_cell():
        together(FOLDS)

    for warm in (a_cell, partial(fit_2021, folds[0], **settings | {"epochs": 1})):
        warm()
    share = f"{sampled} of {total} fits timed"
    peer = partial(seconds, loop_2021, device)
    what = f"`resnet1d`, {total} fits of GOD"
    rest = "the 2021 loop, " + share
    scaled = {"peer_times": total / sampled}
    lines = [
        in_turns(f"{what}, all in one batch", partial(seconds, together, device), rest, peer, turns,
                 **scaled)
    ]  # fmt: skip
    right = {"all in one batch": top1([held for _, held, _ in found["together"]], truth)}
    cell_share = f"{what}, a cell of {FOLDS} folds at a time"
    cell_share += "" if quick else f", 1 of {CELLS} cells timed"
    lines.append(
        in_turns(cell_share, partial(seconds, a_cell, device), rest, peer, turns,
                 ours_times=cells, **scaled)
    )  # fmt: skip
    lines.append(
        in_turns(f"{what}, a fold at a time, {share}", partial(seconds, alone, device), rest, peer,
                 turns, ours_times=total / sampled, **scaled)
    )  # fmt: skip
    right["alone"] = top1([held for _, held, _ in found["alone"]], truth[:sampled])
    right["the 2021 loop"] = top1(found["2021"], truth[:sampled])
    lines += [line(f"held-out top-1, {name}", value, "") for name, value in right.items()]
    return lines


# Students at 224 pixels ----------------------------------------------------------------------


def _photograph_into(folder, number):
    path = Path(folder) / f"{number:04}.jpg"
    photograph(np.random.default_rng(number)).save(path, quality=90)
    return path


def large_students(quick, device):
    """A full-width ResNet18 at 224 pixels: images a second, ours and the usual loop."""
    size, width, steps, turns = (24, 16, 2, 1) if quick else (224, 64, 10, 5)
    batch = 8 if quick else BATCH
    with tempfile.TemporaryDirectory() as folder:
        with ProcessPoolExecutor(2 if quick else None, mp_context=get_context("spawn")) as pool:
            numbers = range(steps * batch)
            paths = list(pool.map(_photograph_into, [folder] * len(numbers), numbers, chunksize=8))
        labels = np.arange(len(paths)) % CLASSES
        start = time.perf_counter()
        images = cached_images(paths, size, Path(folder))
        build = time.perf_counter() - start
        lines = [line(f"{len(paths)} JPEGs to the cache of pixels, once", build)]
        network = build_network(n_classes=CLASSES, image_size=size, seed=0, width=width)
        network = network.to(device, memory_format=torch.contiguous_format)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
        loader = training_loader(paths, labels, size=size, shift=size // 16, batch=batch)

        def usual():
            train_epoch(network, loader, optimizer, device=device)

        usual()
        rates, operations = {}, operations_an_image(size, width)
        for precision, count in (("bfloat16", batch), ("float32", batch), ("bfloat16", 5 * batch)):
            how = recipe(size, precision, width=width, batch=count)
            training = Training(images, labels, None, CLASSES, how, 0, device).epochs()
            for _ in range(2):
                next(training)
            each = in_turns(
                f"an epoch of {len(paths)} images of {size} pixels, {precision}, batch {count}",
                partial(seconds, partial(next, training), device),
                f"the usual loop, batch {batch}",
                partial(seconds, usual, device),
                turns if count == batch and precision == "bfloat16" else min(turns, 3),
            )
            lines.append(each)
            rates[f"{precision}, batch {count}"] = len(paths) / each["ours"]
            rates["the usual loop"] = len(paths) / each["peer"]
        peak = matrix_rate(256 if quick else 8192, device)
        for name, rate in rates.items():
            lines.append(line(f"images a second, {name}", rate, ""))
            if "bfloat16" in name:
                share = 100 * rate * operations / peak
                lines.append(line(f"of the matrix product's rate, {name}", share, "%"))
    return lines


def operations_an_image(size, width):
    """Floating-point operations of a training step, for each image (counted by torch)."""
    network = build_network(n_classes=CLASSES, image_size=size, seed=0, width=width)
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(2, 3, size, size)).sum().backward()
    return counter.get_total_flops() / 2


# The sample's students -----------------------------------------------------------------------


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
    settings = {"network": "resnet18", "stem": "auto", "width": 16, "weights": "none"}
    settings |= {"loss": "hinton", "temperature": 2.0, "alpha": 0.8, "epochs": 30, "batch": 32}
    settings |= {"epoch": "last", "learning_rate": 0.003, "weight_decay": 0.05, "shift": 2}
    settings |= {"flip": True, "precision": "float32"}
    settings |= {"epochs": 2, "width": 8} if quick else {}
    return training, evaluation, targets, settings


_sample = None  # of a worker process


def _start_worker(quick):
    global _sample
    torch.set_num_threads(1)
    _sample = sample_of(quick)


def _train_one(number, device, epochs=None):
    training, evaluation, targets, settings = _sample
    settings = settings if epochs is None else settings | {"epochs": epochs}
    return train_student(
        *training,
        targets[number % TEACHERS],
        evaluation=evaluation,
        n_classes=SAMPLE["classes"],
        recipe=Recipe(**settings),
        seed=number // TEACHERS,
        device=device,
    ).log_probs["test"]


def small_students(quick, device):
    """All students of the sample: one after another, in processes side by side, as one network."""
    _start_worker(quick)
    training, evaluation, targets, settings = _sample
    total = 4 if quick else TEACHERS * SEEDS
    numbers = range(total)
    sampled = 2 if quick else TEACHERS
    found = {}

    def together(precision, replay):
        # Hard labels first, as `train_together` wants them.
        order = sorted(numbers, key=lambda number: targets[number % TEACHERS] is not None)
        answers, _ = train_together(
            *training,
            [targets[number % TEACHERS] for number in order],
            evaluation=evaluation,
            n_classes=SAMPLE["classes"],
            recipe=Recipe(**settings | {"precision": precision}),
            seeds=[number // TEACHERS for number in order],
            device=device,
            replay=replay,
        )
        found[precision] = dict(zip(order, answers["test"], strict=True))

    def alone():
        found["alone"] = [_train_one(number, device) for number in range(sampled)]

    _train_one(0, device, epochs=1)
    together("float32", True)
    what = f"{total} students of the sample"
    peer = f"one after another, {sampled} of {total} timed"
    lines = []
    for precision, replay in (("float32", True), ("float32", False), ("bfloat16", True)):
        how = "CUDA graphs" if replay else "no graphs"
        lines.append(
            in_turns(
                f"{what} as one network, {precision}, {how}",
                partial(seconds, partial(together, precision, replay), device),
                peer,
                partial(seconds, alone, device),
                1 if quick else 2,
                peer_times=total / sampled,
            )
        )
    truth = evaluation["test"][1]
    for name in ("float32", "bfloat16"):
        hits = top1([found[name][number] for number in range(sampled)], [truth] * sampled)
        lines.append(line(f"test accuracy of {sampled}, as one network, {name}", hits, ""))
    hits = top1(found["alone"], [truth] * sampled)
    lines.append(line(f"test accuracy of {sampled}, one after another", hits, ""))
    for processes in (2,) if quick else (2, 4, 8):
        lines += side_by_side(processes, total, quick, device)
    return lines


def side_by_side(processes, total, quick, device):
    """Students in processes that share the card."""
    # Enough for each process to train several; the rest by proportion.
    count = min(total, 8 * processes)
    start = time.perf_counter()
    with ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=_start_worker, initargs=(quick,)
    ) as pool:
        list(pool.map(partial(_warm, device), range(processes)))
        started = time.perf_counter() - start
        start = time.perf_counter()
        list(pool.map(partial(_train_one, device=device), range(count)))
        trained = (time.perf_counter() - start) * total / count
    what = f"{total} students of the sample, {processes} processes"
    part = "" if count == total else f", {count} timed"
    return [line(f"{what}{part}", trained), line(f"start of {processes} processes", started)]


def _warm(device, number):
    _train_one(number, device, epochs=1)
    time.sleep(0.5)  # so that another process takes the next


# What else could pay -------------------------------------------------------------------------


def convolutions(quick, device):
    """A layer of many networks, forward and back: our matrix products against cuDNN's groups."""
    lines = []
    cases = {
        "`resnet1d` layer1, 400 networks": (400, 16, (1, 250), 60, (1, 3)),
        "`resnet1d` layer4, 400 networks": (400, 128, (1, 32), 60, (1, 3)),
        "students' layer1, 56 networks": (56, 16, (24, 24), 32, (3, 3)),
        "students' layer4, 56 networks": (56, 128, (3, 3), 32, (3, 3)),
    }
    for name, (count, channels, sides, trials, kernel) in cases.items():
        if quick:
            count, trials = 2, 2
        padding = tuple(k // 2 for k in kernel)
        convs = [
            torch.nn.Conv2d(channels, channels, kernel, padding=padding, bias=False)
            for _ in range(count)
        ]
        ours = stack([torch.nn.Sequential(conv) for conv in convs]).to(device)
        grouped = torch.nn.Conv2d(
            count * channels, count * channels, kernel, padding=padding, groups=count, bias=False
        ).to(device)
        dtypes = (torch.float32, torch.bfloat16)
        for dtype in dtypes:
            ours, grouped = ours.to(dtype), grouped.to(dtype)
            mine = torch.randn(count, channels, *sides, trials, device=device, dtype=dtype)
            theirs = torch.randn(trials, count * channels, *sides, device=device, dtype=dtype)
            timings = []
            for layer, signal in ((ours, mine), (grouped, theirs)):
                signal.requires_grad_()

                def both(layer=layer, signal=signal):
                    answer = layer(signal)
                    answer.backward(answer.detach())

                both()
                timings.append(
                    partial(seconds, lambda both=both: [both() for _ in range(3)], device)
                )
            kind = str(dtype).removeprefix("torch.")
            lines.append(
                in_turns(
                    f"{name}, {kind}, a convolution forward and back, 3 times", timings[0],
                    "cuDNN, groups", timings[1], 1 if quick else 3,
                )
            )  # fmt: skip
    return lines


def replayed_step(quick, device):
    """Whether recording pays for one network at a time: a student's step as it is, and replayed."""
    _start_worker(quick)
    (images, labels), _, targets, settings = _sample
    training = Training(
        images, labels, targets[1], SAMPLE["classes"], Recipe(**settings), 0, device
    )
    network = training.network.train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=1e-3, fused=True, capturable=device == "cuda"
    )
    pixels = torch.randn(32, 3, *[SAMPLE["size"]] * 2, device=device)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    named = torch.arange(32, device=device) % SAMPLE["classes"]

    def step(pixels, named):
        loss = F.cross_entropy(network(pixels), named)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    replayed = Replayed(step, device)
    for _ in range(3):
        step(pixels, named)
    for _ in range(3):
        replayed(pixels, named)
    count = 2 if quick else 50

    def repeat(function):
        return partial(seconds, lambda: [function(pixels, named) for _ in range(count)], device)

    return [
        in_turns(
            f"one student's network, {count} steps, replayed", repeat(replayed),
            "as it is", repeat(step), 1 if quick else 5,
        )
    ]  # fmt: skip


ROWS = {
    "ceilings": ceilings,
    "resnet1d": decoder,
    "students-224": large_students,
    "students-56": small_students,
    "convolutions": convolutions,
    "replayed-step": replayed_step,
}
