"""``dataset.yaml``: what stands at the top of every data set folder."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from brain_teacher.dataset.ids import NAME
from brain_teacher.files import atomic_write

FILE = "dataset.yaml"


class Description(BaseModel):
    """The content of ``dataset.yaml``.

    Attributes
    ----------
    name : str
        What the data set is called in tables, figures and MLflow runs.
    simulated : bool
        Whether its recordings are simulated; said wherever numbers from it appear.
    subjects : dict of str to str
        Subject -> BData file, relative to the folder.
    roi : list of str
        The ROIs (BData key ``ROI_<name>``).
    categories : dict of str to str
        Category id -> a name for people. Empty: the ids serve.
    superclasses : dict of str to str
        Category id -> superclass, where known.
    pictures : bool
        Whether the folder has images. Without them everything up to ``decode`` works.
    source : str
        Where it comes from and how to cite it.
    simulation : dict
        The settings it was simulated with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    simulated: bool
    subjects: dict[str, str]
    roi: list[str]
    categories: dict[str, str] = {}
    superclasses: dict[str, str] = {}
    pictures: bool = True
    source: str = ""
    simulation: dict[str, str | int | float | list[float]] = {}

    @field_validator("name")
    @classmethod
    def _name(cls, value):
        return _file_name(value)

    @field_validator("subjects", "roi")
    @classmethod
    def _names(cls, values):
        if not values:
            raise ValueError("is empty")
        for value in values:
            _file_name(value)
        if len(set(values)) < len(values):
            raise ValueError("a name stands twice")
        return values

    def write(self, folder):
        """Write ``dataset.yaml``."""
        content = self.model_dump(exclude_defaults=True)
        with atomic_write(Path(folder) / FILE) as temporary:
            text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
            temporary.write_text(text, encoding="utf-8")


def _file_name(value):
    if not NAME.fullmatch(value):
        raise ValueError(f"{value!r} may hold only letters, digits and '-'")
    return value


def read_description(folder):
    """Read and check ``dataset.yaml``.

    Raises
    ------
    FileNotFoundError
        If the folder or the file is not there.
    ValueError
        If the file is no YAML, or a key is missing, unknown or of the wrong kind.
    """
    text = (Path(folder) / FILE).read_text(encoding="utf-8")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"is not YAML: {' '.join(str(error).split())}") from error
    try:
        return Description.model_validate(content)
    except ValidationError as error:
        raise ValueError(wrong_keys(error)[0]) from error


def wrong_keys(error):
    """Every key that a pydantic ``ValidationError`` is about, and what is wrong with it."""
    return [
        f"{'.'.join(map(str, each['loc'])) or 'top level'}: "
        f"{each['msg'].removeprefix('Value error, ')}"
        for each in error.errors()
    ]
