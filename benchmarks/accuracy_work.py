"""The same accuracy: students trained by our loop and by the usual one, in pairs of one seed.

Simulated pictures (`brain_teacher.simulation.pictures`) are saved as JPEG; both loops read the
files, each in its own way, train the same quarter-width ResNet18 from the same weights by the same
schedule, and answer for the same test pictures. Ours computes in bfloat16.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import stats

from brain_teacher.dataset.image_cache import image_file, open_images
from brain_teacher.distillation.engine import Training, predict
from brain_teacher.networks.classifiers import build_network
from brain_teacher.seeds import named_seed
from brain_teacher.simulation.pictures import draw_mixtures, draw_pictures
from student_work import recipe
from usual_loop import accuracy, train_epoch, training_loader

SIZE, SAVED, CLASSES, BATCH = 24, 96, 8, 32
TRAINING, TEST, EPOCHS, SEEDS = 640, 2400, 6, 16
WITHIN = 0.02  # the interval of the difference shall lie inside this


def save_pictures(folder, count, rng):
    """JPEG files four times as large as they are looked at, and what they are called."""
    labels = np.arange(count) % CLASSES
    mixtures = draw_mixtures(labels, n_categories=CLASSES, rng=rng)
    paths = []
    for number, pixels in enumerate(draw_pictures(mixtures, size=SAVED, rng=rng)):
        paths.append(folder / f"{count}-{number}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=90)
    return paths, labels


def pair(seed, train, test, folder, how):
    """Accuracy of our student and of the usual one."""
    (paths, labels), (test_paths, test_labels) = train, test
    images, test_images = (
        open_images(image_file(part, SIZE, folder)) for part in (paths, test_paths)
    )
    training = Training(images, labels, None, CLASSES, how, seed, "cpu")
    for _ in training.epochs():
        pass
    log_probs = predict(training.network, torch.from_numpy(test_images), "float32")
    ours = float((log_probs.argmax(1).numpy() == test_labels).mean())

    start = named_seed("weights", seed)
    network = build_network(n_classes=CLASSES, image_size=SIZE, seed=start, width=how.width)
    network = network.to(memory_format=torch.contiguous_format)
    loader = training_loader(
        paths, labels, size=SIZE, shift=how.shift, batch=how.batch, seed=named_seed("order", seed)
    )
    optimizer = torch.optim.AdamW(
        network.parameters(), how.learning_rate, weight_decay=how.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        how.learning_rate,
        total_steps=len(loader) * how.epochs + 1,
        pct_start=0.2,
        cycle_momentum=False,
    )
    torch.manual_seed(seed)  # of the transforms
    for _ in range(how.epochs):
        train_epoch(network, loader, optimizer, schedule=schedule)
    return ours, accuracy(network, test_paths, test_labels, size=SIZE)


def same_accuracy(say=lambda seed, pair: None):
    """The difference ours - usual over paired seeds, with its 95% interval (Student's t)."""
    rng = np.random.default_rng(0)
    how = recipe(
        SIZE, "bfloat16", epochs=EPOCHS, width=16, batch=BATCH, learning_rate=3e-3, shift=2
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train, test = (save_pictures(folder, count, rng) for count in (TRAINING, TEST))
        pairs = []
        for seed in range(SEEDS):
            pairs.append(pair(seed, train, test, folder, how))
            say(seed, pairs[-1])
    ours, usual = np.array(pairs).T
    difference = ours - usual
    low, high = stats.t.interval(
        0.95, SEEDS - 1, loc=difference.mean(), scale=stats.sem(difference)
    )
    return {
        "name": "accuracy",
        "ours": float(ours.mean()),
        "usual": float(usual.mean()),
        "chance": 1 / CLASSES,
        "difference": float(difference.mean()),
        "difference_low": float(low),
        "difference_high": float(high),
        "seeds": SEEDS,
        "bar": WITHIN,
        "met": bool(low > -WITHIN and high < WITHIN),
    }
