"""The students' benchmark: that both sides do the same work, and that it runs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from brain_teacher.distillation.augmentation import mirror_edges, to_batch
from brain_teacher.seeds import named_rng
from usual_loop import training_loader

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "students.py"


def test_the_usual_loop_augments_as_ours_does(tmp_path):
    n, size, shift = 1800, 6, 1
    pixels = named_rng("usual loop", 0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    paths = [tmp_path / "a.png"] * n
    torch.manual_seed(0)
    loader = training_loader(paths, np.zeros(n), size=size, shift=shift, batch=n)
    usual = next(iter(loader))[0]
    mirrored = mirror_edges(torch.from_numpy(pixels)[None].expand(n, -1, -1, -1), shift)
    ours = to_batch(
        mirrored,
        shift=shift,
        flip=True,
        generator=torch.Generator().manual_seed(0),
    )
    both = torch.cat([usual, ours]).reshape(2 * n, -1).mul(1000).round().to(torch.int64)
    _, kind = both.unique(dim=0, return_inverse=True)
    counts = torch.stack([part.bincount(minlength=18) for part in kind.split(n)])
    # 9 shifts, flipped or not: 100 of each expected on both sides, standard deviation 10.
    assert counts.shape == (2, 18) and counts.min() > 60 and counts.max() < 140


@pytest.mark.full
@pytest.mark.alone
def test_it_runs_quickly_and_says_what_it_could_not_measure(tmp_path):
    file = tmp_path / "rows.json"
    subprocess.run([sys.executable, BENCHMARK, "--quick", "--json", file], check=True, timeout=300)
    rows = {row["name"]: row for row in json.loads(file.read_text())}
    assert set(rows) >= {"batch-64", "step-64", "step-64-float32", "gpu-64"}
    assert rows["batch-64"]["ratio"] > 5
    assert rows["gpu-64"]["measured"] is torch.cuda.is_available()
