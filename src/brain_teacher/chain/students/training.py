"""Training what is new of some students."""

from tqdm import tqdm

from brain_teacher.cells.engine import run_cells
from brain_teacher.chain.provenance import plan_digest
from brain_teacher.chain.students.cells import arrays_of, train_cell
from brain_teacher.chain.students.cost import estimate, in_words, processes_for

SOURCE = (
    "dataset",
    "seeds.py",
    "devices.py",
    "decoding/calibration.py",
    "decoding/folds.py",
    "decoding/soft_labels.py",
    "distillation",
    "commands/material.py",
    "commands/rival_files.py",
    "commands/setting.py",
    "commands/student_cells.py",
    "commands/student_cost.py",
    "commands/student_device.py",
    "commands/student_folder.py",
    "commands/distill.py",
)


def train(command, setting, cells, writer, *, say, quiet):
    """Train what is new of the cells; says beforehand how much that is."""
    material, params = setting.material, setting.params
    new = writer.new_cells(cells)
    processes = processes_for(params.distill.processes, material.device)
    teachers = len({cell["teacher"] for cell in cells})
    text = f"{command}: {len(cells)} students of {teachers} teachers, {len(new)} new, "
    text += f"{len(cells) - len(new)} kept"
    if new:
        seconds, size = estimate(material, new, processes)
        text += f"; about {in_words(seconds)} of training on {material.device} ({processes} side "
        text += f"by side), about {size / 2**20:.0f} MiB"
    say(text)
    bar = tqdm(total=len(new), unit="student", disable=True if quiet else None)
    plan = plan_digest(params)
    for cell, (student, seconds) in run_cells(
        train_cell, new, shared=material, processes=processes
    ):
        arrays = arrays_of(student, cell, material, cell.get("origin", setting.origin), plan)
        writer.write(cell, student, arrays, seconds)
        bar.update()
    bar.close()
