"""Commands started here track into a store of their own, and write nothing into the repository."""

import pytest


@pytest.fixture(scope="session")
def _store(tmp_path_factory):
    # One for all modules: making MLflow's schema takes seconds.
    return tmp_path_factory.mktemp("mlflow") / "mlflow.db"


@pytest.fixture(scope="module")
def work(tmp_path_factory, _store):
    """An empty folder, which is the working directory, with an MLflow store outside it."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DVC_ROOT", "DVC_STAGE", "MLFLOW_RUN_ID"):
            patch.delenv(name, raising=False)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{_store}")
        patch.chdir(folder)
        yield folder
