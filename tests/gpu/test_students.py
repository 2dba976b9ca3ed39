"""Students on a GPU: as on the CPU, resumed to the bit, the same again, two processes on a card."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import log_softmax

from brain_teacher.cells.cell import Cell
from brain_teacher.cells.engine import run_cells
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.distillation.augmentation import mirror_edges, to_batch
from brain_teacher.distillation.checkpoint import Checkpoint
from brain_teacher.distillation.drawing import draw_targets
from brain_teacher.distillation.engine import Recipe, train_student
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.distillation.targets import Live
from brain_teacher.distillation.teachers import TEACHERS
from brain_teacher.distillation.timing import faster_precision
from brain_teacher.networks.classifiers import build_network
from brain_teacher.networks.devices import choose_precision, has_bfloat16
from brain_teacher.seeds import named_rng
from helpers.gpu_here import DEVICE, needs_gpu, only_a_gpu
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


CLASS_IDS = np.array([f"c{k}" for k in range(CLASSES)])
IMAGE_IDS = np.array([f"image{n:02}" for n in range(24)])


def soft_labels(name, sure):
    log_probs = named_rng("gpu", name).normal(0, 1, (24, CLASSES))
    log_probs += sure * np.eye(CLASSES)[TRAINING[1]]
    log_probs = log_softmax(log_probs, axis=1).astype(np.float32)
    return SoftLabels(log_probs, IMAGE_IDS, CLASS_IDS, np.zeros(24))


def taught_by(teacher):
    """What the engine gets: probabilities, a network, or None."""
    similarity = pd.DataFrame(np.eye(CLASSES), index=CLASS_IDS, columns=CLASS_IDS)
    names = filter(None, (each.table for each in TEACHERS.values()))
    tables = {name: soft_labels(name, 6) for name in names}
    found = draw_targets(
        teacher, soft_labels("brain", 1), CLASS_IDS[TRAINING[1]], temperature=2.0, seed=0,
        similarity=similarity, tables=tables,
    )  # fmt: skip
    if isinstance(found, Live):
        return build_network(
            n_classes=CLASSES, image_size=SIZE, seed=9, network="resnet34", width=8
        )
    return None if found is None else found.join(IMAGE_IDS, CLASS_IDS)


# One of each kind that the engine can be given.
KINDS = ["brain", "resnet34-live", "none"]


def train(recipe=RECIPE, targets=PROBS, *, device=DEVICE, seed=0, checkpoint=None):
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


@pytest.mark.parametrize("teacher", TEACHERS)
def test_every_teacher_teaches_as_on_the_cpu(teacher):
    expected, found = (train(targets=taught_by(teacher), device=each) for each in ("cpu", DEVICE))
    alike(found, expected)


# Those that compare images by features teach rows of another shape (tests/distillation).
OF_ANSWERS = [name for name, each in LOSSES.items() if not each.features]


def settings_of(loss):
    own = LOSSES[loss].settings
    return {} if own is None else own().model_dump()


@pytest.mark.parametrize("loss", OF_ANSWERS)
@pytest.mark.parametrize("teacher", KINDS)
def test_every_loss_teaches_as_on_the_cpu(teacher, loss):
    recipe, targets = (
        replace(RECIPE, loss=loss, loss_settings=settings_of(loss)),
        taught_by(teacher),
    )
    expected = train(recipe, targets, device="cpu")
    alike(train(recipe, targets), expected)
    # And bfloat16 is the same student, roughly.
    rough = train(replace(recipe, precision="bfloat16"), targets)
    np.testing.assert_allclose(rough.curves["train_loss"], expected.curves["train_loss"], rtol=0.1)


def alike(found, expected):
    for split, log_probs in expected.log_probs.items():
        np.testing.assert_allclose(found.log_probs[split], log_probs, atol=0.01)
    np.testing.assert_allclose(found.curves["train_loss"], expected.curves["train_loss"], atol=2e-3)


@pytest.mark.parametrize("network", ["resnet18", "resnet34", "shufflenet_v2_x0_5", "resnet50"])
def test_networks_learn_as_on_the_cpu_and_repeat(network):
    width = {"resnet18": 64, "resnet34": 16}.get(network, 64)
    recipe = replace(RECIPE, network=network, width=width, epochs=1, learning_rate=1e-4)
    expected, found = (train(recipe, device=device) for device in ("cpu", DEVICE))
    np.testing.assert_allclose(found.curves["train_loss"], expected.curves["train_loss"], rtol=5e-3)
    for split, log_probs in expected.log_probs.items():
        np.testing.assert_allclose(found.log_probs[split], log_probs, atol=0.05)
    same_bits(train(recipe), found)


@pytest.mark.parametrize("loss", OF_ANSWERS)
def test_losses_and_their_gradients_are_those_of_the_cpu(loss):
    torch.manual_seed(0)
    logits, labels = torch.randn(16, CLASSES), torch.arange(16) % CLASSES
    found = []
    for device in ("cpu", DEVICE):
        given = logits.to(device, copy=True).requires_grad_()
        probs = torch.from_numpy(PROBS[:16]).to(device)
        chosen = settings_of(loss) | {"temperature": 2.0, "alpha": 0.7}
        value = LOSSES[loss].of(given, labels.to(device), probs, **chosen)
        value.backward()
        found.append((value.detach().cpu(), given.grad.cpu()))
    torch.testing.assert_close(found[1], found[0], atol=1e-6, rtol=1e-5)


def test_a_batch_is_cut_as_on_the_cpu():
    batches = []
    for device in ("cpu", DEVICE):
        generator = torch.Generator().manual_seed(0)
        mirrored = mirror_edges(torch.from_numpy(TRAINING[0]).to(device), 2)
        batches.append(to_batch(mirrored, shift=2, flip=True, generator=generator).cpu())
    torch.testing.assert_close(batches[1], batches[0], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("teacher", KINDS)
def test_the_same_seed_gives_the_same_bits(teacher, precision):
    recipe, targets = replace(RECIPE, precision=precision, width=16), taught_by(teacher)
    first = train(recipe, targets)
    same_bits(train(recipe, targets), first)
    assert train(recipe, targets, seed=1).curves != first.curves


class Killed(Checkpoint):
    """Written after the first epoch; then the work ends, as if killed."""

    def save(self, state):
        super().save(state)
        raise KeyboardInterrupt


@pytest.mark.parametrize("network", ["resnet18", "mobilenet_v3_small"])  # without and with dropout
def test_a_resumed_student_is_the_same_to_the_bit(tmp_path, network):
    recipe = replace(RECIPE, network=network, width=8 if network == "resnet18" else 64)
    whole = train(recipe)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, checkpoint=Killed(tmp_path / "state.pt", "one", every=0))
    resumed = Checkpoint(tmp_path / "state.pt", "one", every=np.inf)
    assert resumed.load()["training"]["epoch"] == 1
    same_bits(train(recipe, checkpoint=resumed), whole)


@dataclass(frozen=True, eq=False, kw_only=True)
class OneStudent(Cell):
    seed: int

    def run(self, shared):
        return train(replace(RECIPE, precision=shared), seed=self.seed)


def test_two_processes_share_a_card():
    cells = [OneStudent(name=f"seed {seed}", seed=seed) for seed in range(4)]
    found = list(run_cells(cells, shared="bfloat16", workers=2))
    assert sorted(cell.seed for cell, _ in found) == [0, 1, 2, 3]
    for cell, student in found:
        same_bits(student, cell.run("bfloat16"))


@only_a_gpu
def test_precision_is_chosen():
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
        device=DEVICE, replay=replay,
    )  # fmt: skip
    for number, (each, seed) in enumerate(zip(targets, seeds, strict=True)):
        alone = train(targets=each, seed=seed)
        for split, log_probs in alone.log_probs.items():
            np.testing.assert_allclose(answers[split][number], log_probs, atol=0.01)
        np.testing.assert_allclose(nll[-1, number], alone.curves["validation_nll"][-1], atol=0.01)
