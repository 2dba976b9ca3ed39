"""``export``: a soft-label file in a format that anybody reads."""

from pathlib import Path

from brain_teacher.commands import Place, Say
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.errors import UsageError, about
from brain_teacher.sources.formats.soft_label_tables import files_of, write_table


def export(
    file: Place, *, format: str, out: Place | None = None, overwrite: bool = False, say: Say = print
) -> list[Path]:
    """Write the probabilities of a soft-label file as npy, csv or parquet; give what was written.

    Without `out` it is the file's name with the format's ending, in the working folder. What is
    there already is refused, unless to `overwrite` is asked for.
    """
    file = Path(file)
    out = Path(out or f"{file.stem}.{format}")
    if not file.is_file():
        raise UsageError(f"there is no soft-label file {file}")
    with about(file):
        labels = read_soft_labels(file)
    for path in files_of(out, format):
        if path.exists() and not overwrite:
            raise UsageError(f"{path} is there already; choose another --out, or give --overwrite")
    with about(file):
        written = write_table(out, labels, format=format)
    for path in written:
        say(f"{path}")
    say(
        f"out-of-fold probabilities, {len(labels.image_id)} images x {len(labels.class_id)} "
        "classes, joined by image_id" + (" (simulated)" if labels.meta.get("simulated") else "")
    )
    return written
