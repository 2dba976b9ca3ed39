"""The device of the tests that compare one with the CPU."""

import os

import pytest
import torch

# "cpu" compares the CPU with itself: so that these tests can be tried, and fail, where no GPU is.
DEVICE = os.environ.get("BRAIN_TEACHER_GPU_TESTS", "cuda")

needs_gpu = pytest.mark.skipif(
    DEVICE == "cuda" and not torch.cuda.is_available(), reason="torch finds no CUDA device"
)
only_a_gpu = pytest.mark.skipif(DEVICE == "cpu", reason="says nothing of a CPU")
