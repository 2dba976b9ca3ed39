"""What every loss of ``LOSSES`` owes: one suite over all of them."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import softmax

from brain_teacher.distillation.losses import LOSSES
from brain_teacher.seeds import named_rng

N, K = 8, 5


def of(name):
    """The loss with its own settings as they are by default."""
    entry = LOSSES[name]
    own = {} if entry.settings is None else entry.settings().model_dump()
    if not entry.features:
        return partial(entry.of, **own)
    # The last layer's input: of one that passes on what it is given.
    return lambda logits, *rest, **more: entry.of(logits, *rest, features=logits, **own, **more)


@pytest.fixture(params=LOSSES)
def loss(request):
    return of(request.param)


@pytest.fixture
def batch():
    rng = named_rng("contract", "losses")
    logits = torch.tensor(rng.normal(0, 2, (N, K)), dtype=torch.float32, requires_grad=True)
    probs = torch.tensor(softmax(rng.normal(0, 1, (N, K)), axis=1), dtype=torch.float32)
    return logits, torch.tensor(rng.integers(0, K, N)), probs


@pytest.mark.parametrize("name", LOSSES)
def test_the_entry_says_what_it_is(name):
    entry = LOSSES[name]
    assert entry.label and entry.of.__doc__
    if entry.settings is not None:
        assert entry.settings().model_dump().keys() == entry.settings.model_fields.keys()


def test_it_gives_one_finite_number_and_gradients(loss, batch):
    logits, labels, probs = batch
    value = loss(logits, labels, probs, temperature=2.0, alpha=0.5)
    value.backward()
    assert value.shape == () and value.isfinite()
    assert logits.grad.isfinite().all() and logits.grad.abs().sum() > 0


def test_without_targets_it_is_the_cross_entropy(loss, batch):
    logits, labels, _ = batch
    found = loss(logits, labels, None, temperature=3.0, alpha=0.7)
    assert found.item() == F.cross_entropy(logits, labels).item()


def test_alpha_0_teaches_hard_labels_only(loss, batch):
    logits, labels, probs = batch
    found = loss(logits, labels, probs, temperature=3.0, alpha=0.0)
    assert found.item() == F.cross_entropy(logits, labels).item()


def test_its_arguments_stay_as_they_are(loss, batch):
    before = [part.detach().clone() for part in batch]
    loss(*batch, temperature=2.0, alpha=0.5).backward()
    for part, old in zip(batch, before, strict=True):
        assert torch.equal(part, old)


def test_the_order_of_the_images_does_not_matter(loss, batch):
    order = torch.tensor(named_rng("order").permutation(N))
    first = loss(*batch, temperature=2.0, alpha=0.5)
    second = loss(*[part[order] for part in batch], temperature=2.0, alpha=0.5)
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize(
    "name", [name for name, each in LOSSES.items() if each.soft and not each.features]
)
@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_targets_are_already_soft_and_are_best_met_as_they_are(name, batch, temperature):
    # A student who says the target cannot do better: targets are softened no second time.
    loss, (_, labels, probs) = of(name), batch
    own = dict.fromkeys(("hinton", "dkd", "dist"), temperature).get(name, 1.0)  # T of the student
    chosen = {"temperature": temperature, "alpha": 1.0}
    met = (own * probs.log()).requires_grad_()
    value = loss(met, labels, probs, **chosen)
    value.backward()
    np.testing.assert_allclose(met.grad, 0, atol=1e-6)
    for factor in (0.5, 2.0) if name != "standardised" else ():  # which knows no scale
        assert loss(factor * met, labels, probs, **chosen) > value + 1e-4


@pytest.mark.parametrize("logits", [60.0, 1e4])
@pytest.mark.parametrize("name", LOSSES)
def test_a_target_of_zero_and_a_sure_student_stay_finite(name, logits):
    sure = torch.tensor([[logits, -logits, 0.0]], requires_grad=True)
    targets = torch.tensor([[0.0, 1.0, 0.0]])
    value = of(name)(sure, torch.tensor([1]), targets, temperature=1.0, alpha=1)
    value.backward()
    assert value.isfinite() and sure.grad.isfinite().all()
    # A correlation and a z-score have an end, however sure the wrong answer.
    if name == "relational":  # one image is like no other
        assert value == 1
    elif name == "attention":  # a map has a length of 1
        assert 1 < value <= 2
    else:
        assert value > (1.0 if name in ("dist", "standardised") else logits)
