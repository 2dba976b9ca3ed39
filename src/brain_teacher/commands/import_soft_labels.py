"""``import-soft-labels``: anybody's table of class probabilities, for ``distill`` to teach with."""

from pathlib import Path

from brain_teacher.chain.dataset import open_dataset
from brain_teacher.chain.students.soft_labels import IMPORTED
from brain_teacher.commands import Place, Say
from brain_teacher.dataset.ids import NAME
from brain_teacher.dataset.images import find_shown
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.files import file_digest, write_npz
from brain_teacher.sources.formats.soft_label_tables import FLOOR, read_table, to_soft_labels


def import_soft_labels(
    file: Place,
    *,
    data: Place,
    decoder: str,
    subject: str,
    roi: str,
    values: str | None = None,
    image_ids: Place | None = None,
    class_ids: Place | None = None,
    say: Say = print,
) -> Path:
    """Make a table (see `read_table`) a soft-label file, a part of the data set; give its path.

    The data set's shown images are joined by id. `decoder`, `subject` and `roi` are what the table
    is called. `values` are what its numbers are; None: as the file says, else probabilities.
    """
    called = {"subject": subject, "roi": roi, "decoder": decoder}
    for option, name in called.items():
        if not NAME.fullmatch(name):
            raise UsageError(f"--{option}: {name!r} may hold only letters, digits and '-'")
    if decoder in DECODERS:
        raise UsageError(f"--decoder: {decoder!r} is a decoder of this project; choose another")
    file, data = Path(file), Path(data)
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    dataset = open_dataset(data)
    imported = {"file": file.name, "sha256": file_digest(file), "floor": FLOOR}
    meta = called | {"calibrated": False} | dataset.origin | {"imported": imported}
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
    labels, category = labels.take(kept), dataset.category_of(kept)
    with about(file):
        right = (labels.log_probs.argmax(axis=1) == labels.truth(category)).mean()
    out = data / IMPORTED / f"{subject}_{roi}_{decoder}.npz"
    write_npz(out, **labels.arrays())
    say(
        f"{out}: {len(kept)} of the table's {len(table)} images, {len(labels.class_id)} classes; "
        f"the class with most is the right one in {100 * right:.1f}%; "
        f"{len(shown) - len(kept)} shown images have no row"
    )
    say(f"teach with it: brain-teacher distill --decoder {decoder} --subject {subject} --roi {roi}")
    return out
