"""Students on a GPU: as on the CPU, resumed to the bit, the same again, two processes on a card."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from brain_teacher.cells import run_cells
from brain_teacher.devices import choose_device, choose_precision, has_bfloat16
from brain_teacher.distillation.augmentation import mirror_edges, to_batch
from brain_teacher.distillation.engine import Recipe, train_student
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.distillation.networks import build_network
from brain_teacher.distillation.timing import faster_precision
from brain_teacher.seeds import named_rng
from gpu_here import needs_gpu
from stacked_students import train_together

pytestmark = [pytest.mark.gpu, needs_gpu]

SIZE, CLASSES = 32, 3
RECIPE = Recipe(
    loss="hinton", temperature=2.0, alpha=0.5, epochs=3, epoch="last", network="resnet18",
    stem="auto", width=8, weights="none", batch=8, learning_rate=3e-4, weight_decay=0.05, shift=2,
    flip=True, precision="float32",
)  # fmt: skip


def pictures(count, seed):
    rng = named_rng("gpu", seed)
    return rng.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8), np.arange(count) % CLASSES


TRAINING = pictures(24, 0)
EVALUATION = {"validation": pictures(9, 1), "test": pictures(12, 2)}
PROBS = named_rng("gpu", "probs").dirichlet(np.ones(CLASSES), 24).astype(np.float32)


def live():
    return build_network(n_classes=CLASSES, image_size=SIZE, seed=9, network="resnet34", width=8)


TEACHERS = {"table": lambda: PROBS, "live network": live, "none": lambda: None}


def train(recipe=RECIPE, targets=PROBS, *, device="cuda", seed=0, checkpoint=None):
    return train_student(
        *TRAINING, targets, evaluation=EVALUATION, n_classes=CLASSES, recipe=recipe, seed=seed,
        device=device, checkpoint=checkpoint,
    )  # fmt: skip


def same_bits(one, two):
    assert one.curves == two.curves and one.epoch == two.epoch
    for name, value in one.weights.items():
        np.testing.assert_array_equal(value, two.weights[name], err_msg=name)
    for split, value in one.log_probs.items():
        np.testing.assert_array_equal(value, two.log_probs[split])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("teacher", TEACHERS)
def test_every_teacher_and_loss_teaches_as_on_the_cpu(teacher, loss):
    recipe = replace(RECIPE, loss=loss)
    expected = train(recipe, TEACHERS[teacher](), device="cpu")
    found = train(recipe, TEACHERS[teacher](), device="cuda")
    for split, log_probs in expected.log_probs.items():
        np.testing.assert_allclose(found.log_probs[split], log_probs, atol=0.01)
    np.testing.assert_allclose(found.curves["train_loss"], expected.curves["train_loss"], atol=2e-3)
    # And bfloat16 is the same student, roughly.
    rough = train(replace(recipe, precision="bfloat16"), TEACHERS[teacher](), device="cuda")
    np.testing.assert_allclose(rough.curves["train_loss"], expected.curves["train_loss"], rtol=0.1)


@pytest.mark.parametrize("network", ["resnet18", "resnet34", "shufflenet_v2_x0_5", "resnet50"])
def test_networks_learn_as_on_the_cpu(network):
    width = {"resnet18": 64, "resnet34": 16}.get(network, 64)
    recipe = replace(RECIPE, network=network, width=width, epochs=1, learning_rate=1e-4)
    expected, found = (train(recipe, device=device) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(found.curves["train_loss"], expected.curves["train_loss"], rtol=5e-3)
    for split, log_probs in expected.log_probs.items():
        np.testing.assert_allclose(found.log_probs[split], log_probs, atol=0.05)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_and_their_gradients_are_those_of_the_cpu(loss):
    torch.manual_seed(0)
    logits, labels = torch.randn(16, CLASSES), torch.arange(16) % CLASSES
    found = []
    for device in ("cpu", "cuda"):
        given = logits.to(device).requires_grad_()
        probs = torch.from_numpy(PROBS[:16]).to(device)
        value = LOSSES[loss](given, labels.to(device), probs, temperature=2.0, alpha=0.7)
        value.backward()
        found.append((value.detach().cpu(), given.grad.cpu()))
    torch.testing.assert_close(found[1], found[0], atol=1e-6, rtol=1e-5)


def test_a_batch_is_cut_as_on_the_cpu():
    batches = []
    for device in ("cpu", "cuda"):
        generator = torch.Generator().manual_seed(0)
        mirrored = mirror_edges(torch.from_numpy(TRAINING[0]).to(device), 2)
        rows = torch.arange(24)
        batches.append(to_batch(mirrored, rows, shift=2, flip=True, generator=generator).cpu())
    torch.testing.assert_close(batches[1], batches[0], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("teacher", TEACHERS)
def test_the_same_seed_gives_the_same_bits(teacher, precision):
    recipe = replace(RECIPE, precision=precision, width=16)
    same_bits(train(recipe, TEACHERS[teacher]()), train(recipe, TEACHERS[teacher]()))
    other = train(recipe, TEACHERS[teacher](), seed=1)
    assert other.curves != train(recipe, TEACHERS[teacher]()).curves


class Interrupted(Exception):
    pass


class Checkpoint:
    """Keeps the state after the first epoch, and stops there, as if killed."""

    def __init__(self, tmp_path):
        self._file, self._due = tmp_path / "state", True

    def load(self):
        if not self._file.exists():
            return None
        return torch.load(self._file, map_location="cpu", weights_only=True)

    def is_due(self):
        return self._due

    def save(self, state):
        torch.save(state, self._file)
        raise Interrupted

    def rest(self):
        self._due = False


@pytest.mark.parametrize("network", ["resnet18", "mobilenet_v3_small"])  # without and with dropout
def test_a_resumed_student_is_the_same_to_the_bit(tmp_path, network):
    recipe = replace(RECIPE, network=network, width=8 if network == "resnet18" else 64)
    whole = train(recipe)
    checkpoint = Checkpoint(tmp_path)
    with pytest.raises(Interrupted):
        train(recipe, checkpoint=checkpoint)
    checkpoint.rest()
    same_bits(train(recipe, checkpoint=checkpoint), whole)


def train_cell(shared, seed):
    return train(replace(RECIPE, precision=shared), seed=seed)


def test_two_processes_share_a_card():
    found = dict(run_cells(train_cell, [0, 1, 2, 3], shared="bfloat16", processes=2))
    assert sorted(found) == [0, 1, 2, 3]
    for seed, student in found.items():
        same_bits(student, train_cell("bfloat16", seed))


def test_precision_and_device_are_chosen():
    assert choose_device("auto") == choose_device("cuda") == "cuda"
    able = torch.cuda.get_device_capability() >= (8, 0)
    assert has_bfloat16("cuda") == able
    assert choose_precision("auto", "cuda") == ("bfloat16" if able else "float32")
    if able:
        found = faster_precision(RECIPE, image_size=SIZE, device="cuda")
        assert found in ("float32", "bfloat16")


@pytest.mark.parametrize("replay", [False, True])
def test_students_as_one_network_learn_what_they_learn_alone(replay):
    targets, seeds = [None, PROBS, PROBS[::-1].copy()], [0, 0, 1]
    answers, nll = train_together(
        *TRAINING, targets, evaluation=EVALUATION, n_classes=CLASSES, recipe=RECIPE, seeds=seeds,
        device="cuda", replay=replay,
    )  # fmt: skip
    for number, (each, seed) in enumerate(zip(targets, seeds, strict=True)):
        alone = train(targets=each, seed=seed)
        for split, log_probs in alone.log_probs.items():
            np.testing.assert_allclose(answers[split][number], log_probs, atol=0.01)
        np.testing.assert_allclose(nll[-1, number], alone.curves["validation_nll"][-1], atol=0.01)
