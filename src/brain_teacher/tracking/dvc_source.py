"""Data that DVC keeps, as a source of MLflow's data sets (entry point ``mlflow.dataset_source``).

``mlflow.data.get_source`` of an MLflow run's input gives one, and its ``load`` the files.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from mlflow.data.dataset_source import DatasetSource

from brain_teacher.errors import BrainTeacherError
from brain_teacher.tracking.inputs import dvc_digest
from brain_teacher.tracking.store import git, repository_root


class DvcSource(DatasetSource):
    """A path under DVC, and the hash that it had.

    Parameters
    ----------
    path : str
        In the repository.
    digest : str
        DVC's hash: an MD5, of a folder with ``.dir`` after it.
    repository : str, optional
        Where the repository can be cloned from; else it is the one of the working folder.
    commit : str, optional
        Of the code that read the data: the data's own may be a later one.
    """

    def __init__(
        self, path: str, digest: str, repository: str | None = None, commit: str | None = None
    ) -> None:
        self.path, self.digest = path, digest
        self.repository, self.commit = repository, commit

    @staticmethod
    def _get_source_type() -> str:
        return "dvc"

    def load(self, dst_path: str | None = None) -> str:
        """The path of the data as they were read: in the working folder, or a copy of DVC's.

        Without `dst_path`, what lies at its place unchanged is not copied. Whatever comes back has
        the hash, or it is an error.
        """
        here = repository_root() / self.path
        if dst_path is None and here.exists() and dvc_digest(here) == self.digest:
            return str(here)
        target = Path(dst_path or mkdtemp(prefix="dvc-")) / Path(self.path).name
        if target.exists():
            raise BrainTeacherError(f"{target} is there already; name another folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        tried = []
        for repository, revision in self._places():
            try:
                return str(self._copied(repository, revision, target))
            except Exception as error:  # noqa: BLE001 - of DVC, git and the remote: the next may do
                tried.append(f"{revision or 'HEAD'}: {str(error) or type(error).__name__}")
        raise BrainTeacherError(
            f"{self.path} with DVC's hash {self.digest} is in no commit that could be read "
            f"({'; '.join(tried)[:300] or 'none names it'}); commit dvc.lock, and `dvc push` it"
        )

    def _copied(self, repository: str, revision: str | None, target: Path) -> Path:
        from dvc.api import DVCFileSystem

        files = DVCFileSystem(repository, rev=revision)
        with TemporaryDirectory(dir=target.parent) as folder:
            copy = Path(folder) / target.name
            files.get(self.path, str(copy), recursive=files.isdir(self.path))
            if (found := dvc_digest(copy)) != self.digest:
                raise ValueError(f"there it is {found}")
            return copy.rename(target)

    def _places(self) -> Iterator[tuple[str, str | None]]:
        """Where it may be: commits of this repository that name the hash, then the address."""
        named = ["--all", "--format=%H", f"-S{self.digest.removesuffix('.dir')}"]
        try:
            found = git("log", *named, "--", "*dvc.lock", "*.dvc").split()
        except (OSError, subprocess.CalledProcessError):
            found = []
        yield from ((str(repository_root()), revision) for revision in reversed(found))
        if self.repository is not None and "://" in self.repository:
            yield self.repository, None
            if self.commit is not None:
                yield self.repository, self.commit

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:  # noqa: ARG004 - no address is DVC's by its looks
        return False

    @classmethod
    def _resolve(cls, raw_source: Any) -> "DvcSource":
        raise NotImplementedError(f"{raw_source}: name path and digest")

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` takes."""
        told = vars(self)
        return {key: value for key, value in told.items() if value is not None}

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> "DvcSource":
        """The source that an MLflow run names."""
        return cls(**source_dict)
