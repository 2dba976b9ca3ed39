"""``dataset.yaml``: what stands at the top of every data set folder."""

from os import PathLike
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, field_validator, model_validator

from brain_teacher.dataset.ids import NAME
from brain_teacher.dataset.places import check_relative, inside
from brain_teacher.files import atomic_write
from brain_teacher.reading.text import read_yaml, validated

FILE = "dataset.yaml"


def _file_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(f"{value!r} may hold only letters, digits and '-'")
    return value


# What becomes a part of a file's name.
FileName = Annotated[str, AfterValidator(_file_name)]


class Description(BaseModel):
    """The content of ``dataset.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # What the data set is called in tables, figures and MLflow runs.
    name: FileName
    # Whether its recordings are; said wherever numbers from it appear.
    simulated: bool
    # Subject -> BData file, below the folder. None: pictures that a table of others teaches.
    subjects: dict[str, Annotated[str, AfterValidator(check_relative)]]
    # BData key ``ROI_<name>``.
    roi: list[str]
    # Category id -> a name for people. Empty: the ids serve.
    categories: dict[str, str] = {}
    # Category id -> superclass, where known.
    superclasses: dict[str, str] = {}
    # Whether the folder has images. Without them everything up to ``decode`` works.
    pictures: bool = True
    # Where it comes from and how to cite it.
    source: str = ""
    # The settings it was simulated with.
    simulation: dict[str, str | int | float | list[float]] = {}

    @field_validator("subjects", "roi")
    @classmethod
    def _names(cls, values):
        for value in values:
            _file_name(value)
        if len(set(values)) < len(values):
            raise ValueError("a name stands twice")
        return values

    @model_validator(mode="after")
    def _has_something(self):
        if bool(self.subjects) != bool(self.roi):
            raise ValueError(f"{'roi' if self.subjects else 'subjects'} is empty")
        if not self.subjects and not self.pictures:
            raise ValueError("subjects is empty, and there are no pictures")
        return self

    @model_validator(mode="after")
    def _said(self):
        if self.simulation and not self.simulated:
            raise ValueError("'simulation' says how it was simulated, so 'simulated' is true")
        return self

    def write(self, folder: str | PathLike) -> None:
        """Write ``dataset.yaml``."""
        content = self.model_dump(exclude_defaults=True)
        with atomic_write(Path(folder) / FILE) as temporary:
            text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
            temporary.write_text(text, encoding="utf-8")


def read_description(folder: str | PathLike) -> Description:
    """Read and check ``dataset.yaml``.

    Raises
    ------
    FileNotFoundError
        If the folder or the file is not there.
    ValueError
        If the file is no YAML, a key stands twice, or is missing, unknown or of the wrong kind, or
        a file lies outside the folder.

    In the methods
    --------------
    The data set was {{ dataset.name }}{% if made.simulated %}, which is simulated: a program drew
    the pictures and made up the brains that look at them, so that nothing here speaks of real
    brains{% endif %}.
    {% if made.source %}Its description says: {{ made.source }}.{% endif %}
    """
    folder = Path(folder)
    description = validated(Description, read_yaml(inside(folder, folder / FILE)))
    for file in description.subjects.values():
        inside(folder, folder / file)
    return description
