"""One clone in which the chain has run, for all tests that only look at it."""

import pytest

from helpers.cloning import dvc, make_clone


@pytest.fixture(scope="session")
def chain(tmp_path_factory):
    """A clone in which the whole chain has run once, ``promote`` included; do not break it."""
    clone = make_clone(tmp_path_factory.mktemp("chain") / "clone")
    clone.said = clone.run(*dvc(), "repro") + clone.brain_teacher("promote")
    clone.run("git", "add", "-A")
    clone.run("git", "commit", "-qm", "the chain has run")
    return clone
