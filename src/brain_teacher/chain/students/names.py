"""What students' classes are called, kept beside them: served students say it."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import write_json
from brain_teacher.reading.text import read_json

# Category id -> a name for people, as the data set has them; none, where the ids serve.
NAMES = "categories.json"


def write_names(folder: Path, names: Mapping[str, str]) -> None:
    """Keep beside the students what their classes are called."""
    if names:
        write_json(folder / NAMES, dict(names))
    else:
        (folder / NAMES).unlink(missing_ok=True)


def read_names(folder: str | Path) -> dict[str, str]:
    """What `write_names` kept; of students from before it did, nothing."""
    file = Path(folder) / NAMES
    content = read_json(file) if file.is_file() else {}
    try:
        return TypeAdapter(dict[str, str]).validate_python(content)
    except ValidationError as error:
        raise BrainTeacherError(
            f"{file} does not say what the categories are called: distill again"
        ) from error
