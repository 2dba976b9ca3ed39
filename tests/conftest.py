"""What holds for every test: one thread a process, and a folder that all processes share."""

import os
import shutil
import tempfile

# One thread repeats to the bit, and tests run side by side (pytest-xdist). Read when numpy and
# torch are loaded, so said before any test module loads them.
for _library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

# Where the first process that needs something costly leaves it for the others (helpers.stores).
SHARED = "BRAIN_TEACHER_TESTS_SHARED"


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # the process that was started, not one of its workers
        os.environ[SHARED] = tempfile.mkdtemp(prefix="brain-teacher-tests-")


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(SHARED), ignore_errors=True)
