"""``export``: a soft-label file in a format that anybody reads."""

from pathlib import Path

from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.errors import UsageError, about
from brain_teacher.sources.formats.soft_label_tables import write_table


def export(file, *, format, out=None, say=print):
    """Write the probabilities of a soft-label file.

    Parameters
    ----------
    file : path-like
    format : {"npy", "csv", "parquet"}
    out : path-like or None
        None: the file's name with the format's ending, in the working folder.
    say : callable

    Returns
    -------
    list of Path
        What was written.
    """
    file = Path(file)
    if not file.is_file():
        raise UsageError(f"there is no soft-label file {file}")
    with about(file):
        labels = read_soft_labels(file)
    written = write_table(Path(out or f"{file.stem}.{format}"), labels, format=format)
    for path in written:
        say(f"{path}")
    say(
        f"out-of-fold probabilities, {len(labels.image_id)} images x {len(labels.class_id)} "
        "classes, joined by image_id" + (" (simulated)" if labels.meta.get("simulated") else "")
    )
    return written
