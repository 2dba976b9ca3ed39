"""``import-soft-labels``: anybody's table of class probabilities, for ``distill`` to teach with."""

from pathlib import Path

from brain_teacher.chain.dataset import open_dataset
from brain_teacher.chain.students.soft_labels import IMPORTED
from brain_teacher.dataset.ids import NAME
from brain_teacher.dataset.images import find_shown
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.files import file_digest, write_npz
from brain_teacher.sources.formats.soft_label_tables import FLOOR, read_table, to_soft_labels


def import_soft_labels(
    file, *, data, decoder, subject, roi, values=None, image_ids=None, class_ids=None, say=print
):
    """Make a table a soft-label file of a data set.

    Parameters
    ----------
    file : path-like
        See `read_table`.
    data : path-like
        The data set, whose shown images are joined by id; the file becomes part of it.
    decoder, subject, roi : str
        What the table is called; none of this project's decoders.
    values : str, optional
        What its numbers are; None: as the file says, else probabilities.
    image_ids, class_ids : path-like, optional
        Names for a ``.npy`` array.
    say : callable

    Returns
    -------
    Path
        The soft-label file.
    """
    for option, name in (("decoder", decoder), ("subject", subject), ("roi", roi)):
        if not NAME.fullmatch(name):
            raise UsageError(f"--{option}: {name!r} may hold only letters, digits and '-'")
    if decoder in DECODERS:
        raise UsageError(f"--decoder: {decoder!r} is a decoder of this project; choose another")
    file, data = Path(file), Path(data)
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    dataset = open_dataset(data)
    meta = {"subject": subject, "roi": roi, "decoder": decoder, "calibrated": False}
    meta |= dataset.origin
    meta["imported"] = {"file": file.name, "sha256": file_digest(file), "floor": FLOOR}
    with about(file):
        table, kind = read_table(file, image_ids=image_ids, class_ids=class_ids)
        labels = to_soft_labels(table, values=values or kind or "probabilities", meta=meta)
    with about(data):
        shown = find_shown(data)
        kept = [image for image in labels.image_id if image in shown]
    if not kept:
        raise BrainTeacherError(
            f"{file}: none of its {len(labels.image_id)} images ('{labels.image_id[0]}' for one) "
            f"lies in {data / 'images' / 'shown'}; its ids must be the file names without ending"
        )
    labels = labels.take(kept)
    category = dataset.category_of(kept)
    with about(file):
        truth = labels.truth(category)
    out = data / IMPORTED / f"{subject}_{roi}_{decoder}.npz"
    write_npz(out, **labels.arrays())
    right = (labels.log_probs.argmax(axis=1) == truth).mean()
    lacking = len(shown) - len(kept)
    say(
        f"{out}: {len(kept)} of the table's {len(table)} images, {len(labels.class_id)} classes; "
        f"the class with most is the right one in {100 * right:.1f}%; "
        f"{lacking} shown images have no row"
    )
    say(f"teach with it: brain-teacher distill --decoder {decoder} --subject {subject} --roi {roi}")
    return out
