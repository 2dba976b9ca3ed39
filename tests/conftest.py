"""What holds for every test: one thread a process, the same drawn examples."""

import os

from hypothesis import settings

# One thread repeats to the bit, and tests run side by side (pytest-xdist). Read when numpy and
# torch are loaded, so said before any test module loads them.
for _library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

# The same drawn examples every time, so that a landing is judged on what its author saw. Others:
# `make strangers`, or pytest --hypothesis-profile=default.
settings.register_profile("the-same", derandomize=True)
settings.load_profile("the-same")
