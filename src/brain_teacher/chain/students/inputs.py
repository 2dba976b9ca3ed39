"""What students learn from, as inputs of MLflow runs."""

from pathlib import Path

from brain_teacher.chain.students.rivals import LIVE
from brain_teacher.chain.students.setting import Setting
from brain_teacher.chain.students.soft_labels import folder_of
from brain_teacher.distillation.teachers import (
    OWN_TABLE,
    PERMUTED_TRIALS,
    RIVAL,
    TEACHERS,
    table_of,
)
from brain_teacher.tracking import Input

IMAGES, SOFT, CONTROLS, RIVALS = "images", "teacher", "controls", "rivals"
VOXELS = "voxels"  # where a command decodes for itself
# Teachers whose students are the same whatever the brain said (a test holds them to it).
WITHOUT_BRAIN = {"none", "smooth", "centre-map", "own-map", PERMUTED_TRIALS, LIVE, RIVAL}


def inputs_of(setting: Setting, soft_labels: str | Path) -> list[Input]:
    """The folders and tables that these teachers' students learn from."""
    folder = folder_of(setting.params.distill.decoder, setting.dataset, Path(soft_labels))
    there = {IMAGES: setting.dataset.folder, SOFT: folder}
    there |= {CONTROLS: setting.controls, RIVALS: setting.rivals}
    asked = {context for teacher in setting.teachers for context in contexts_of(teacher)}
    tables = setting.params.distill.tables
    return [Input(path, context) for context, path in there.items() if context in asked] + [
        Input(file, OWN_TABLE + name)
        for name, files in tables.items()
        if OWN_TABLE + name in asked
        for file in files
    ]


def contexts_of(teacher: str) -> set[str]:
    """As what a teacher's students have read what they learnt from."""
    if teacher.startswith(OWN_TABLE):
        return {IMAGES, teacher}
    found = {IMAGES} if teacher in WITHOUT_BRAIN else {IMAGES, SOFT, VOXELS}
    # A part of the brain's rows is none of the table's teachers, and reads nothing else.
    table = table_of(teacher) if teacher in TEACHERS else None
    if teacher == LIVE or table == RIVAL:
        found.add(RIVALS)
    return found | {CONTROLS} if table == PERMUTED_TRIALS else found
