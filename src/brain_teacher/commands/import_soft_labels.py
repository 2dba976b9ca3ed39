"""``import-soft-labels``: anybody's table of class probabilities, for ``distill`` to teach with."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from brain_teacher.chain.dataset import DataSet, open_dataset
from brain_teacher.commands import Place, Say
from brain_teacher.dataset.description import read_description
from brain_teacher.dataset.ids import NAME
from brain_teacher.dataset.images import find_shown
from brain_teacher.dataset.places import inside
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.decoding.soft_labels import (
    FOREIGN,
    IMPORTED,
    KINDS,
    SoftLabels,
    read_soft_labels,
)
from brain_teacher.errors import BrainTeacherError, UsageError, about, cut, flat
from brain_teacher.files import file_digest, write_npz
from brain_teacher.sources.formats.soft_label_tables import (
    is_simulated,
    read_table,
    to_soft_labels,
)


def import_soft_labels(
    file: Place,
    *,
    data: Place,
    kind: str,
    decoder: str,
    subject: str | None = None,
    roi: str = "choices",
    values: str | None = None,
    prior: float | None = None,
    image_ids: Place | None = None,
    class_ids: Place | None = None,
    say: Say = print,
) -> Path:
    """Make a table (see `read_table`) a soft-label file, a part of the data set; give its path.

    The data set's shown images are joined by id. `kind` says what is behind it (a key of `KINDS`);
    `decoder`, `subject` (None: the kind) and `roi` are what the table is called. `values` are what
    its numbers are; None: as the file says, else probabilities. `prior` is of counts
    (`to_soft_labels`).
    """
    if kind not in KINDS:
        raise UsageError(f"--kind: {kind!r} is none of {', '.join(KINDS)}")
    subject = subject or kind
    called = {"subject": subject, "roi": roi, "decoder": decoder}
    for option, name in called.items():
        if not NAME.fullmatch(name):
            raise UsageError(f"--{option}: {name!r} may hold only letters, digits and '-'")
    if decoder in DECODERS:
        raise UsageError(f"--decoder: {decoder!r} is a decoder of this project; choose another")
    file, data = Path(file), Path(data)
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    with about(file):
        dataset = open_dataset(data).with_said(simulated=is_simulated(file))
    imported = {"file": file.name, "sha256": file_digest(file)}
    meta = called | {"kind": kind, "calibrated": False} | dataset.origin | {IMPORTED: imported}
    with about(file):
        table, said = read_table(file, image_ids=image_ids, class_ids=class_ids)
        values = values or said or "probabilities"
        if prior is not None and values != "counts":
            raise UsageError(f"--prior belongs to counts, and these are {values} (--values)")
        given = {} if prior is None else {"prior": prior}
        labels = to_soft_labels(table, values=values, meta=meta, **given)
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
    out = data / FOREIGN / f"{subject}_{roi}_{decoder}.npz"
    with about(data):
        inside(data, out)
    odd = [*_odd(file, dataset, labels, category), *_not_counts(values, table)]
    odd += [f"{out} was a table of other numbers, which is lost"] * _is_another(out, imported)
    write_npz(out, **labels.arrays())
    say(
        f"{out}: a table of {KINDS[kind]}; {len(kept)} of its {len(table)} images, "
        f"{len(labels.class_id)} classes; "
        f"the class with most is the right one in {100 * right:.1f}%; "
        f"{len(shown) - len(kept)} shown images have no row"
    )
    for line in odd:
        say(flat(line))
    say(
        f"teach with it: brain-teacher distill --data {shlex.quote(str(data))} --decoder {decoder} "
        f"--subject {subject} --roi {roi}"
    )
    return out


def _not_counts(values: str, table: pd.DataFrame) -> Iterator[str]:
    """Shares that are called counts would have as few votes as they add up to."""
    if values == "counts" and (table.to_numpy() % 1 != 0).any():
        total = table.sum(axis=1)
        yield (
            f"its counts are no whole numbers: {total.min():g} to {total.max():g} votes an image "
            "are meant? Of shares, give --values probabilities"
        )


def _is_another(out: Path, imported: dict[str, str]) -> bool:
    """Whether a table of another file lies there already."""
    try:
        return read_soft_labels(out).meta.get(IMPORTED, {}).get("sha256") != imported["sha256"]
    except (OSError, ValueError):
        return out.exists()


def _odd(file: Path, dataset: DataSet, labels: SoftLabels, category: np.ndarray) -> Iterator[str]:
    """What a person may not expect of the table."""
    if dataset.description.simulated and not read_description(dataset.folder).simulated:
        yield f"{file} says that it is simulated: so will every result that it is in"
    if unseen := sorted(set(labels.class_id.tolist()) - set(category)):
        names = f"'{cut(unseen[0])}'" + (f" and {len(unseen) - 1} more" if unseen[1:] else "")
        yield f"no shown image is of its class {names}: renamed, or of other images?"
