"""Training one student: repeatable, paired, blind to the test images, at ease with faults."""

import copy
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax

from brain_teacher.distillation import engine
from brain_teacher.distillation.engine import Recipe, Training, predict, train_student
from brain_teacher.distillation.losses import LOSSES, Loss
from brain_teacher.networks.classifiers import build_network, normalise
from brain_teacher.seeds import named_rng

RECIPE = Recipe(
    loss="hinton", temperature=2.0, alpha=0.8, epochs=3, epoch="last", network="resnet18",
    stem="auto", width=8, weights="none", batch=8, learning_rate=0.01, weight_decay=0.01, shift=1,
    flip=True, precision="float32",
)  # fmt: skip
COLOURS = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]])


@pytest.fixture(autouse=True)
def one_thread():
    # Another number of threads gives other bits.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def coloured(n, name, size=8, n_classes=3):
    """Noisy pictures in the colour of their class."""
    rng = named_rng("coloured", name)
    labels = np.arange(n) % n_classes
    noise = rng.normal(0, 40, (n, size, size, 3))
    pixels = np.clip(COLOURS[labels][:, None, None] + noise, 0, 255).astype(np.uint8)
    return pixels, labels


TRAINING = coloured(24, "training")
EVALUATION = {"validation": coloured(12, "validation"), "test": coloured(15, "test")}
PROBS = np.float32(softmax(named_rng("probs").normal(0, 1, (24, 3)), axis=1))


def train(recipe=RECIPE, *, images=None, labels=None, probs=None, evaluation=EVALUATION, seed=0):
    return train_student(
        TRAINING[0] if images is None else images,
        TRAINING[1] if labels is None else labels,
        probs,
        evaluation=evaluation,
        n_classes=3,
        recipe=recipe,
        seed=seed,
    )


def same_bits(one, other):
    assert one.curves == other.curves and one.epoch == other.epoch
    assert one.weights.keys() == other.weights.keys()
    for name in one.weights:
        assert one.weights[name].tobytes() == other.weights[name].tobytes(), name
    for split in one.log_probs:
        np.testing.assert_array_equal(one.log_probs[split], other.log_probs[split])


def test_the_same_seed_gives_the_same_bits_whatever_the_global_state():
    torch.manual_seed(1)
    first = train(probs=PROBS)
    torch.manual_seed(2)
    same_bits(first, train(probs=PROBS))


def test_a_loss_that_is_not_soft_never_sees_the_teacher(monkeypatch):
    def spy(logits, labels, probs, *, temperature, alpha, weight):
        seen.append(probs is None)
        return weight * LOSSES["hinton"].of(logits, labels, probs, temperature=1.0, alpha=0.0)

    for soft in (True, False):
        seen = []
        monkeypatch.setitem(LOSSES, "spy", Loss("of this test", spy, soft=soft))
        train(replace(RECIPE, loss="spy", epochs=1, loss_settings={"weight": 2.0}), probs=PROBS)
        assert seen == [not soft] * 3


def test_another_seed_is_another_student():
    first, second = train(seed=0), train(seed=1)
    assert not np.array_equal(first.log_probs["test"], second.log_probs["test"])


def test_an_easy_task_is_learnt():
    student = train(replace(RECIPE, epochs=16))
    assert not student.diverged and student.epoch == 16
    losses = student.curves["train_loss"]
    assert losses[-1] < losses[0] / 2
    for split, (_, labels) in EVALUATION.items():
        log_probs = student.log_probs[split]
        assert log_probs.shape == (len(labels), 3) and log_probs.dtype == np.float32
        np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1, atol=1e-5)
        # Chance is a third; six seeds gave 1.0 each.
        assert (log_probs.argmax(axis=1) == labels).mean() > 0.6


def test_a_teacher_is_heeded_image_by_image():
    # Hard labels say nothing; the targets say the truth, row by row.
    probs = np.float32(0.9 * np.eye(3)[TRAINING[1]] + 0.1 / 3)
    recipe = replace(RECIPE, epochs=16, alpha=1.0, temperature=1.0)
    student = train(recipe, labels=np.zeros(24, dtype=int), probs=probs)
    found = student.log_probs["test"].argmax(axis=1)
    assert (found == EVALUATION["test"][1]).mean() > 0.6


def test_alpha_0_with_targets_is_the_student_of_hard_labels_to_the_bit():
    same_bits(train(probs=None), train(replace(RECIPE, alpha=0.0), probs=PROBS))


def test_images_of_no_weight_teach_nothing_and_even_weights_are_hard_labels():
    weights = np.float32(2 * (np.arange(24) % 2))
    light = weights == 0
    relabelled = np.where(light, (TRAINING[1] + 1) % 3, TRAINING[1])
    one = train(probs=weights)
    same_bits(one, train(probs=weights, labels=relabelled))
    assert not np.array_equal(one.log_probs["test"], train().log_probs["test"])
    even = train(probs=np.ones(24, np.float32))
    np.testing.assert_allclose(even.log_probs["test"], train().log_probs["test"], atol=1e-3)


def test_two_teachers_of_a_seed_share_start_order_and_augmentation(monkeypatch):
    seen, starts = [], []
    to_batch, build = engine.to_batch, engine.build_network

    def spy_batch(images, **settings):
        pixels = to_batch(images, **settings)
        seen[-1].append(pixels.numpy().copy())
        return pixels

    def spy_build(**settings):
        network = build(**settings)
        starts.append({key: value.clone() for key, value in network.state_dict().items()})
        return network

    monkeypatch.setattr(engine, "to_batch", spy_batch)
    monkeypatch.setattr(engine, "build_network", spy_build)
    for probs, seed in ((None, 0), (PROBS, 0), (PROBS, 1)):
        seen.append([])
        train(probs=probs, seed=seed)
    hard, soft, other = seen
    assert len(hard) == len(soft) == 9
    for one, two in zip(hard, soft, strict=True):
        np.testing.assert_array_equal(one, two)
    assert all(torch.equal(starts[0][name], starts[1][name]) for name in starts[0])
    assert not np.array_equal(hard[0], other[0])
    assert not torch.equal(starts[0]["conv1.weight"], starts[2]["conv1.weight"])


def test_every_image_is_seen_once_an_epoch_and_in_another_order(monkeypatch):
    seen, take = [], engine.Pictures.take

    def spy(pictures, rows):
        if len(pictures) == 24 and torch.is_grad_enabled():  # not while it answers
            seen.append(rows.tolist())
        return take(pictures, rows)

    monkeypatch.setattr(engine.Pictures, "take", spy)
    train()
    epochs = [list(itertools.chain(*seen[start : start + 3])) for start in (0, 3, 6)]
    assert all(sorted(epoch) == list(range(24)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def overfitting():
    """Validation labels that training makes ever less likely: its NLL must rise in the end."""
    images, labels = EVALUATION["validation"]
    wrong = np.where(np.arange(12) < 4, labels, (labels + 1) % 3)
    return EVALUATION | {"validation": (images, wrong)}


BEST = replace(RECIPE, epoch="best", epochs=6, learning_rate=1e-3)


def test_the_best_epoch_is_that_of_the_lowest_validation_nll():
    labels, epochs = overfitting()["validation"][1], set()
    for seed in range(8):
        student = train(BEST, evaluation=overfitting(), seed=seed)
        curve = student.curves["validation_nll"]
        assert len(curve) == 6 and student.epoch == np.argmin(curve) + 1
        nll = -student.log_probs["validation"][np.arange(12), labels].mean()
        assert nll == pytest.approx(min(curve), abs=1e-5)
        last = train(replace(BEST, epoch="last"), evaluation=overfitting(), seed=seed)
        assert last.epoch == 6 and last.curves["train_loss"] == student.curves["train_loss"]
        looks = [v for v in last.curves["validation_nll"] if v is not None]
        assert looks == [curve[1], curve[3], curve[5]]
        assert not np.array_equal(last.log_probs["test"], student.log_probs["test"])
        epochs.add(student.epoch)
    # Else "always the first" or "always the last" would pass. Which seed, depends on the processor.
    assert len(epochs) > 1 and 6 not in epochs


def test_the_test_images_choose_nothing():
    # Poisoned: other pictures, other labels, even labels that cannot be.
    poison = (np.full((4, 8, 8, 3), 255, dtype=np.uint8), np.array([-1, 99, 7, -5]))
    clean = train(BEST, evaluation=overfitting())
    poisoned = train(BEST, evaluation=overfitting() | {"test": poison})
    assert poisoned.log_probs.pop("test").shape == (4, 3)
    clean.log_probs.pop("test")
    same_bits(clean, poisoned)


def test_the_validation_labels_choose_the_epoch_but_teach_nothing():
    clean, other = train(), train(evaluation=overfitting())
    assert clean.curves["train_loss"] == other.curves["train_loss"]
    assert clean.curves["validation_nll"] != other.curves["validation_nll"]
    np.testing.assert_array_equal(clean.log_probs["test"], other.log_probs["test"])


def test_weights_are_those_that_gave_the_answers():
    student = train(BEST, evaluation=overfitting())
    network = build_network(n_classes=3, width=8, image_size=8, seed=99)
    network.load_state_dict({name: torch.from_numpy(w) for name, w in student.weights.items()})
    images = torch.from_numpy(EVALUATION["test"][0])
    np.testing.assert_array_equal(predict(network, images, "float32"), student.log_probs["test"])


def test_predictions_do_not_depend_on_the_batches(monkeypatch):
    network = build_network(n_classes=3, width=8, image_size=8, seed=0)
    images = torch.from_numpy(EVALUATION["test"][0])
    whole = predict(network, images, "float32")
    monkeypatch.setattr(engine, "EVALUATION_BATCH", 4)
    torch.testing.assert_close(predict(network, images, "float32"), whole)
    # In evaluation mode, by torch alone.
    network.eval()
    with torch.inference_mode():
        logits = network(normalise(images.permute(0, 3, 1, 2).float()))
    torch.testing.assert_close(whole, torch.log_softmax(logits, dim=1))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_student_that_diverges_is_recorded_as_such(precision):
    student = train(replace(RECIPE, learning_rate=1e30, precision=precision), probs=PROBS)
    assert student.diverged and student.log_probs == {} and student.weights == {}
    losses = student.curves["train_loss"]
    assert student.epoch == len(losses) <= 3
    read = json.loads(json.dumps(student.curves, allow_nan=False))
    assert read == student.curves
    assert losses[-1] is None or student.curves["validation_nll"][-1] is None


@pytest.mark.parametrize(
    ("n", "batch", "expected"),
    [
        (9, 8, [5, 4]),  # not 8 and 1: one image has no variance
        (17, 8, [6, 6, 5]),
        (16, 8, [8, 8]),
        (3, 8, [3]),
        (5, 2, [3, 2]),
    ],
)
def test_batches_are_nearly_equal_and_never_of_one(n, batch, expected, monkeypatch):
    sizes, to_batch = [], engine.to_batch

    def spy(images, **settings):
        sizes.append(len(images))
        return to_batch(images, **settings)

    monkeypatch.setattr(engine, "to_batch", spy)
    images, labels = TRAINING
    student = train(replace(RECIPE, batch=batch, epochs=1), images=images[:n], labels=labels[:n])
    assert sizes == expected and not student.diverged


@pytest.mark.parametrize(("batches", "epochs"), [(1, 1), (1, 2), (2, 2), (1, 4), (1, 5), (4, 1)])
def test_few_steps_are_enough(batches, epochs):
    # 4 steps in all once made torch's OneCycleLR divide by zero.
    student = train(replace(RECIPE, batch=24 // batches, epochs=epochs))
    assert len(student.curves["train_loss"]) == epochs and not student.diverged


def test_curves_have_a_value_an_epoch_and_the_rate_ends_near_zero():
    curves = train(replace(RECIPE, epochs=5)).curves
    assert set(curves) == {"train_loss", "learning_rate", "validation_accuracy", "validation_nll"}
    assert {len(values) for values in curves.values()} == {5}
    rates = curves["learning_rate"]
    assert max(rates) <= RECIPE.learning_rate and rates[-1] < 1e-4 * RECIPE.learning_rate
    assert rates[0] > rates[1] > rates[2] > rates[3] > rates[4]


def test_a_long_student_validates_five_times_and_where_it_chooses_always():
    recipe = replace(RECIPE, epochs=25)
    often = train(replace(recipe, epoch="best"))
    assert len(often.curves["validation_nll"]) == 25 and None not in often.curves["validation_nll"]
    seldom = train(recipe)
    epochs = {5, 10, 15, 20, 25}
    for name in ("validation_nll", "validation_accuracy"):
        expected = [v if n in epochs else None for n, v in enumerate(often.curves[name], start=1)]
        assert seldom.curves[name] == expected
    # Looking changes nothing.
    assert seldom.curves["train_loss"] == often.curves["train_loss"]


def test_without_validation_images_the_same_network_is_trained():
    looked, alone = train(), train(evaluation={"test": EVALUATION["test"]})
    assert alone.curves["validation_nll"] == [None] * 3 and set(alone.log_probs) == {"test"}
    np.testing.assert_array_equal(alone.log_probs["test"], looked.log_probs["test"])
    with pytest.raises(ValueError, match="epoch: best takes validation images"):
        train(replace(RECIPE, epoch="best"), evaluation={"test": EVALUATION["test"]})


def test_bfloat16_trains_in_bfloat16_and_answers_in_float32():
    half, full = (train(replace(RECIPE, precision=p, epochs=16)) for p in ("bfloat16", "float32"))
    assert half.curves["train_loss"] != full.curves["train_loss"]
    # 8 bits of mantissa, not another computation.
    assert half.curves["train_loss"][0] == pytest.approx(full.curves["train_loss"][0], rel=0.05)
    assert all(value.dtype != np.float16 for value in half.weights.values())
    log_probs = half.log_probs["test"]
    assert log_probs.dtype == np.float32 and half.weights["conv1.weight"].dtype == np.float32
    assert (log_probs.argmax(axis=1) == EVALUATION["test"][1]).mean() > 0.6


class Memory:
    """A checkpoint that is due after every epoch, and can end the work as a kill would."""

    def __init__(self, kill_at=None):
        self.saved, self.kill_at = [], kill_at

    def load(self):
        return self.saved[-1] if self.saved else None

    def is_due(self):
        return True

    def save(self, state):
        self.saved.append(copy.deepcopy(state))
        if state["training"]["epoch"] == self.kill_at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("epoch", ["last", "best"])
@pytest.mark.parametrize("network", ["resnet18", "mobilenet_v3_small"])
def test_a_killed_student_goes_on_to_the_same_bits(epoch, network):
    # MobileNet has dropout: what it draws goes on as well.
    width = 8 if network == "resnet18" else 64
    recipe = replace(RECIPE, epochs=4, epoch=epoch, network=network, width=width)
    given = {"evaluation": EVALUATION, "n_classes": 3, "recipe": recipe, "seed": 1}
    whole = train_student(*TRAINING, PROBS, **given)
    memory = Memory(kill_at=2)
    with pytest.raises(KeyboardInterrupt):
        train_student(*TRAINING, PROBS, **given, checkpoint=memory)
    torch.manual_seed(99)
    memory.kill_at = None
    same_bits(whole, train_student(*TRAINING, PROBS, **given, checkpoint=memory))
    assert [state["training"]["epoch"] for state in memory.saved] == [1, 2, 3]


def test_dropout_is_drawn_from_the_seed_and_the_global_state_is_left():
    recipe = replace(RECIPE, epochs=1, network="mobilenet_v3_small", width=64)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = train(recipe)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    same_bits(first, train(recipe))


def test_a_live_teacher_answers_for_each_augmented_batch():
    # It answers by the colour of what it is shown; its rows say the class, hard labels say nothing.
    class Colour(torch.nn.Module):
        def forward(self, pixels):
            assert not self.training and not torch.is_grad_enabled()
            return 6.0 * pixels.mean(dim=(2, 3))

    recipe = replace(RECIPE, epochs=16, alpha=1.0, temperature=1.0)
    student = train(recipe, labels=np.zeros(24, dtype=int), probs=Colour())
    found = student.log_probs["test"].argmax(axis=1)
    assert (found == EVALUATION["test"][1]).mean() > 0.6


def test_a_live_teachers_answers_are_softened_by_the_temperature():
    class Fixed(torch.nn.Module):
        def forward(self, pixels):
            return torch.tensor([[2.0, 0.0, -2.0]]).expand(len(pixels), 3)

    recipe = replace(RECIPE, temperature=4.0, epochs=1)
    row = np.exp([0.5, 0.0, -0.5])
    table = np.tile(np.float32(row / row.sum()), (24, 1))
    live, fixed = train(recipe, probs=Fixed()), train(recipe, probs=table)
    assert live.curves["train_loss"] == pytest.approx(fixed.curves["train_loss"], rel=1e-5)


@pytest.mark.parametrize(
    "wrong", [np.log(PROBS), 3 * PROBS, PROBS - 0.2], ids=["logits", "scaled", "negative"]
)
def test_targets_that_are_no_probabilities_are_an_error(wrong):
    with pytest.raises(ValueError, match="is no probability distribution"):
        train(probs=np.float32(wrong))


def test_the_steps_are_those_of_the_recipe():
    training = Training(*TRAINING, None, 3, replace(RECIPE, epochs=2), 0, "cpu")
    assert [training.epoch for _ in training.epochs()] == [1, 2]
    assert training.state_dict()["schedule"]["last_epoch"] == 2 * 3
