"""How long students take, and which precision is the faster here."""

from dataclasses import replace

import pytest

from brain_teacher.distillation import timing
from brain_teacher.distillation.engine import Recipe

RECIPE = Recipe(
    loss="hinton", temperature=2.0, alpha=0.8, epochs=30, epoch="last", network="resnet18",
    stem="auto", width=8, weights="none", batch=6, learning_rate=0.01, weight_decay=0.01, shift=1,
    flip=True, precision="float32",
)  # fmt: skip


@pytest.mark.parametrize("slow", ["float32", "bfloat16"])
def test_the_faster_precision_is_found(slow, monkeypatch):
    asked = []

    def seconds(recipe, *, image_size, device):
        asked.append((recipe.width, recipe.batch, image_size, device))
        return 2.0 if recipe.precision == slow else 1.0

    monkeypatch.setattr(timing, "seconds_per_step", seconds)
    found = timing.faster_precision(RECIPE, image_size=8, device="cpu")
    assert found == ({"float32", "bfloat16"} - {slow}).pop()
    assert asked == [(8, 6, 8, "cpu")] * 8


def test_seconds_are_those_of_the_steps_after_the_first_epoch(monkeypatch):
    clock, step = [0.0], timing.Training._step

    def slowed(self, rows):
        clock[0] += 7.0 if self.epoch == 0 else 2.0  # the first epoch warms up
        assert len(rows) == 6
        return step(self, rows)

    monkeypatch.setattr(timing.Training, "_step", slowed)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    assert timing.seconds_per_step(RECIPE, image_size=8, device="cpu") == 2.0


@pytest.mark.alone
def test_a_wider_network_takes_longer():
    narrow, wide = (
        min(
            timing.seconds_per_step(replace(RECIPE, width=w), image_size=16, device="cpu")
            for _ in range(3)
        )
        for w in (8, 64)
    )
    assert wide > 2 * narrow
