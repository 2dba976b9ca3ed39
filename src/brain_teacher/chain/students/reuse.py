"""Students that another folder has: taken over where they are those that would be trained."""

from collections.abc import Sequence
from pathlib import Path

from brain_teacher.cells.folder import OutputFolder
from brain_teacher.cells.making import made_from
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.cells import Material, StudentCell
from brain_teacher.chain.students.precision import PRECISION
from brain_teacher.files import atomic_write, regular


def take_precision(folder: Path, students: Path) -> None:
    """Train as the others were trained: what ``auto`` found for them holds here, too."""
    if (students / PRECISION).is_file() and not (folder / PRECISION).exists():
        _copy(students / PRECISION, folder / PRECISION)


def take_students(
    cells: Sequence[StudentCell], folder: OutputFolder, students: Path, material: Material
) -> int:
    """Copy the finished students of another folder that were made from the same, by the same code.

    Only their answers; of those of another device or card none. Gives their number.
    """
    taken, other = 0, OutputFolder(students)
    for cell in cells:
        (file,), made = cell.files, made_from(cell)
        if folder.is_kept(file, made) or not other.is_kept(file, made):
            continue
        meta = student_folder.read(students, cell.name).meta
        if (meta["device"], meta.get("card")) == (material.device, material.card):
            _copy(students / file, folder.path / file)
            folder.remember(file, made)
            taken += 1
    return taken


def _copy(source: Path, place: Path) -> None:
    with atomic_write(place) as temporary:
        temporary.write_bytes(regular(source).read_bytes())
