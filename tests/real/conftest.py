"""Commands started here track into a store of their own, and write nothing into the repository."""

import pytest

from helpers.running import work_in


@pytest.fixture(scope="session")
def _store(tmp_path_factory):
    # One for all modules: opening one takes MLflow a second.
    return tmp_path_factory.mktemp("mlflow") / "mlflow.db"


@pytest.fixture(scope="module")
def work(tmp_path_factory, _store):
    """An empty folder, which is the working directory, with an MLflow store outside it."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        work_in(patch, folder, _store)
        yield folder
