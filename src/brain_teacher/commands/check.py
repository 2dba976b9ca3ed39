"""``check``: all that is wrong with a data set folder, at once."""

from pathlib import Path

from brain_teacher.chain.dataset import open_dataset
from brain_teacher.chain.params import Params
from brain_teacher.chain.student_view import write_student_view
from brain_teacher.chain.students.family import settled
from brain_teacher.commands import Place, Say
from brain_teacher.errors import BrainTeacherError, UsageError, flat
from brain_teacher.sources.checks.dataset import check_dataset


def check(params: Params, *, data: Place, say: Say = print) -> None:
    """Say what is there, and what is wrong; fail if anything is, when all of it has been said.

    Where nothing is, twenty pictures are drawn as students see them, in ``runs/check``.
    """
    if not Path(data).is_dir():
        raise UsageError(f"there is no data set folder {data}")
    share, side = params.dataset.validation_share, params.distill.image_size
    found = check_dataset(Path(data), validation_share=share, side=side)
    told = [] if found.problems else settled(params, open_dataset(data))
    for line in [*found.facts, *told, *(f"caution: {line}" for line in found.cautions)]:
        say(flat(line))
    if count := len(found.problems):
        raise BrainTeacherError(f"{count} problem{'s' * (count > 1)} in {data}:", found.problems)
    dataset, sheet = open_dataset(data), Path("runs") / "check"
    sheet /= f"{dataset.name}.png"
    if dataset.description.pictures and write_student_view(dataset, side, sheet):
        say(f"{sheet}: twenty pictures as students see them")
    say(f"{data}: nothing is wrong")
