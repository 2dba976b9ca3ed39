"""What holds for every test: one thread a process."""

import os

# One thread repeats to the bit, and tests run side by side (pytest-xdist). Read when numpy and
# torch are loaded, so said before any test module loads them.
for _library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"
