"""Training what is new of some students."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from brain_teacher.cells.making import made_from, make_cells
from brain_teacher.chain.device import where
from brain_teacher.chain.students.cells import StudentCell
from brain_teacher.chain.students.cost import bytes_of, in_words, seconds_of
from brain_teacher.chain.students.folder import Writer
from brain_teacher.chain.students.setting import Setting
from brain_teacher.files import fingerprint
from brain_teacher.machine import RunTime


def train(
    command: str,
    setting: Setting,
    cells: Sequence[StudentCell],
    writer: Writer,
    *,
    run_time: RunTime,
    say: Callable[[str], None],
    quiet: bool,
) -> None:
    """Train what is new of the cells; says beforehand how much that is."""
    material = setting.material
    state = writer.folder.state
    # By its name, a checkpoint of other code or of another device is not taken up.
    of = {each.name: fingerprint(*made_from(each), material.device)[:12] for each in cells}
    cells = [replace(e, checkpoint=state / f"{e.name}.{of[e.name]}.checkpoint.pt") for e in cells]
    for each in cells:
        for path in state.glob(f"{each.name}.*.checkpoint.pt"):
            if path != each.checkpoint:
                path.unlink()

    def forecast(new: Sequence[StudentCell], workers: int) -> str:
        # How fast other machines are is not known here.
        about = (
            ""
            if run_time.elsewhere
            else f"about {in_words(seconds_of(material, new, workers))} of "
        )
        return (
            f"; {about}training on {material.device} ({workers} side by side), about "
            f"{bytes_of(material, new) / 2**20:.0f} MiB"
        )

    make_cells(
        command,
        cells,
        writer.folder,
        new=writer.new_cells(cells),
        shared=material,
        write=writer.write,
        after=writer.conclude,
        what=f"{{}} students of {len({cell.teacher for cell in cells})} teachers",
        forecast=forecast,
        unit="student",
        say=say,
        quiet=quiet,
        **where(run_time, material.device),
    )
