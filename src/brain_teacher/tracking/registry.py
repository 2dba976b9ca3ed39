"""The registered model: its versions, what stands behind them, and the aliases."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from brain_teacher.errors import BrainTeacherError
from brain_teacher.tracking.models import Card, Make, find_mlflow_run, has_files, model_of
from brain_teacher.tracking.store import (
    ALREADY_THERE,
    find_looks,
    first_line,
    import_mlflow,
    prepare_store,
    within,
)

MODEL = "brain-teacher-student"
DESCRIPTION = (
    "Networks that a brain taught: knowledge distillation from fMRI decoders. Every version says "
    "which brain, on what evidence, and whether the recordings were simulated."
)
MOST_DESCRIPTION = 5000  # characters; Postgres holds a description to it, SQLite does not
WHY = "why."  # the registered model's tags that say it of an alias
REST = "\n\n... The whole card is README.md among this version's artifacts."


@dataclass(frozen=True)
class Version:
    """A version of the registered model."""

    number: str
    aliases: tuple[str, ...]
    tags: dict[str, str]
    has_files: bool


def _reached(method: Callable) -> Callable:
    """A method of the `Registry` whose store may be away, or of another schema: in one line."""

    @wraps(method)
    def call(*arguments: Any) -> Any:
        try:
            return method(*arguments)
        except BrainTeacherError:
            raise
        except Exception as error:  # whatever the store raises
            reason = first_line(error)
            raise BrainTeacherError(f"the MLflow registry cannot be reached ({reason})") from error

    return call


class Registry:
    """The registered model's versions and aliases. Its failures are errors: it is the output."""

    @_reached
    def __init__(self) -> None:
        self._mlflow = import_mlflow()
        self._client = self._mlflow.MlflowClient()
        self._experiment = prepare_store(self._mlflow, "promote")

    @_reached
    def find_version(self, fingerprint: str) -> str | None:
        """The version of the student with this fingerprint, or None; loads no torch.

        One whose artifacts are gone is none (`lost_versions`).
        """
        whole = (number for number, there in self._versions(fingerprint) if there)
        return next(whole, None)

    def lost_versions(self, fingerprint: str) -> list[str]:
        """The versions of a student whose artifacts are gone."""
        return [number for number, there in self._versions(fingerprint) if not there]

    def _versions(self, fingerprint: str) -> list[tuple[str, bool]]:
        found = self._client.search_model_versions(
            f"name='{MODEL}' and tags.fingerprint='{fingerprint}'"
        )
        models = {each.version: each.source.removeprefix("models:/") for each in found}
        return [(number, has_files(self._client, model)) for number, model in models.items()]

    @_reached
    def student_model(self, fingerprint: str, name: str, make_model: Make, card: Card) -> str:
        """The URI of the student's MLflow model; logged again where the store lacks it."""
        mlflow_run = find_mlflow_run(self._mlflow, fingerprint)
        if mlflow_run is None:
            tags = {"fingerprint": fingerprint}
            made = self._client.create_run(self._experiment, run_name=name, tags=tags)
            self._client.set_terminated(made.info.run_id)
            mlflow_run = self._client.get_run(made.info.run_id)
        return model_of(self._mlflow, mlflow_run, make_model, card)

    @_reached
    def register(self, uri: str, tags: dict[str, str]) -> str:
        """Make a version of a logged model."""
        try:
            self._client.create_registered_model(MODEL, description=DESCRIPTION)
        except self._mlflow.exceptions.MlflowException as error:
            if error.error_code != ALREADY_THERE:
                raise
        model_id = uri.removeprefix("models:/")
        source = self._client.get_logged_model(model_id)
        return self._client.create_model_version(
            MODEL, uri, run_id=source.source_run_id, tags=tags, model_id=model_id
        ).version

    def looks(self, test_images: str) -> int | None:
        """How many comparisons were made on some test images; None where the store cannot say."""
        try:
            return len(find_looks(self._mlflow, test_images)) or None
        except Exception:  # noqa: BLE001 - a card without the count is still a card
            return None

    @_reached
    def lineage(self, fingerprint: str) -> dict[str, str]:
        """What the student with this fingerprint learnt from: DVC's hashes, by context."""
        mlflow_run = find_mlflow_run(self._mlflow, fingerprint)
        inputs = mlflow_run.inputs.dataset_inputs if mlflow_run is not None else ()
        return {each.tags[0].value: each.dataset.digest for each in inputs if each.tags}

    @_reached
    def attach(self, version: str, folder: Path) -> None:
        """Put a folder's files (card, evidence) beside the model of a version."""
        source = self._client.get_model_version(MODEL, str(version)).source
        self._client.log_model_artifacts(source.removeprefix("models:/"), str(folder))

    @_reached
    def describe(self, version: str, card: str, tags: dict[str, Any]) -> None:
        """Put the model card, as much as a description bears, and tags on a version."""
        if len(card) > MOST_DESCRIPTION:
            card = within(card, MOST_DESCRIPTION - len(REST)) + REST
        self._client.update_model_version(MODEL, str(version), card)
        for key, value in tags.items():
            self._client.set_model_version_tag(MODEL, str(version), key, str(value))

    @_reached
    def alias(self, alias: str) -> str | None:
        """The version behind an alias, as text, or None."""
        found = self._client.search_registered_models(f"name = '{MODEL}'")
        version = found[0].aliases.get(alias) if found else None
        return None if version is None else str(version)

    @_reached
    def set_alias(self, alias: str, version: str, why: str = "") -> None:
        """Point an alias at a version, and say why; never at one whose artifacts are gone."""
        source = self._client.get_model_version(MODEL, str(version)).source
        if not has_files(self._client, source.removeprefix("models:/")):
            raise BrainTeacherError(
                f"the files of version {version} are gone: it cannot be {alias}; promote again"
            )
        self._client.set_registered_model_alias(MODEL, alias, str(version))
        self._client.set_registered_model_tag(MODEL, f"{WHY}{alias}", why)

    @_reached
    def remove_alias(self, alias: str, why: str = "") -> None:
        """Take an alias away, and say why."""
        self._client.delete_registered_model_alias(MODEL, alias)
        self._client.set_registered_model_tag(MODEL, f"{WHY}{alias}", why)

    @_reached
    def tags(self, version: str) -> dict[str, str]:
        """What is said of a version."""
        return dict(self._client.get_model_version(MODEL, str(version)).tags)

    @_reached
    def versions(self) -> list[Version]:
        """All versions, the oldest first."""
        held: dict[str, list[str]] = {}
        for model in self._client.search_registered_models(f"name = '{MODEL}'"):
            for alias, version in model.aliases.items():
                held.setdefault(str(version), []).append(alias)
        found = self._client.search_model_versions(f"name='{MODEL}'")
        return [
            Version(
                number=str(each.version),
                aliases=tuple(sorted(held.get(str(each.version), ()))),
                tags=dict(each.tags),
                has_files=has_files(self._client, each.source.removeprefix("models:/")),
            )
            for each in sorted(found, key=lambda each: int(each.version))
        ]

    @_reached
    def reasons(self) -> dict[str, str]:
        """Why each alias is where it is, or nowhere any more."""
        found = self._client.search_registered_models(f"name = '{MODEL}'")
        tags = found[0].tags if found else {}
        return {key.removeprefix(WHY): text for key, text in tags.items() if key.startswith(WHY)}
