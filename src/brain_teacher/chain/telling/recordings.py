"""The report's sections on data, decoders and soft labels."""

from collections.abc import Sequence

from brain_teacher.chain.telling.left import Left
from brain_teacher.chain.telling.pictures import Card
from brain_teacher.dataset.images import SPLITS
from brain_teacher.decoding.noise import LEVEL
from brain_teacher.files import regular
from brain_teacher.report.beside_verdict import between_sentence
from brain_teacher.report.page import Block, Cards, Figure, Section, Table, Terms, Text
from brain_teacher.report.words import said_simulated

# Figures of `decode`: what they show, and what is there for who cannot see them.
DRAWN = {
    "accuracy": (
        "How well each region tells the categories, out of fold",
        "Top-1 accuracy of every region, a point a subject; the numbers are in the table above.",
    ),
    "between_subjects": (
        "How well subjects agree about single pictures, by region",
        "The correlation between subjects for each region, with 95% intervals; numbers in the "
        "table of decoders.",
    ),
    "reliability": (
        "Whether the decoder is as often right as it is sure, for the best region and subject",
        "Share that is right against the probability that the decoder gave; a calibrated decoder "
        "lies on the diagonal.",
    ),
    "similarity": (
        "Which categories the decoder takes for one another, for the best region and subject",
        "A matrix of categories by categories; bright cells are categories that are taken for "
        "one another.",
    ),
}


def figure(left: Left, name: str, drawn: dict[str, tuple[str, str]]) -> list[Block]:
    """The figure of that name, if a stage left it."""
    if name not in left.figures:
        return []
    caption, alt = drawn[name]
    return [Figure(caption, alt, regular(left.figures[name]).read_bytes())]


def percent(share: float) -> str:
    """A fraction in per cent, with one digit."""
    return f"{100 * share:.1f}"


def data_section(left: Left) -> Section:
    """Subjects, trials, pictures; and where they come from."""
    pairs: list[tuple[str, str]] = []
    if left.dataset is not None:
        about = left.dataset.description
        pairs.append(("Data set", f"{about.name} ({said_simulated(about.simulated)})"))
        if about.source:
            pairs.append(("Source", about.source))
        pairs.append(("Categories", _categories(left)))
        if about.simulation:
            told = ", ".join(
                f"{key.replace('_', ' ')} {value}" for key, value in about.simulation.items()
            )
            pairs.append(("Simulated with", told))
    if left.decoded is not None and left.decoded.cells:
        counts = sorted({cell.images for cell in left.decoded.cells})
        where = "in the simulated scanner" if left.decoded.simulated else "in the scanner"
        pairs.append(("Pictures shown", f"{_span(counts)}, {where}"))
    trained = [each for each in left.students.values() if not each.diverged]
    if trained:
        sizes = {s: len({i for each in trained for i in each.image_id.get(s, ())}) for s in SPLITS}
        which = "shown, out of fold" if "fold" in trained[0].meta else "never shown in the scanner"
        pairs.append(
            (
                "Pictures for students",
                f"{sizes['validation']:,} for validation and {sizes['test']:,} for the test, "
                f"{which}",
            )
        )
    blocks: list[Block] = [Terms(pairs)] if pairs else []
    if left.voxels is not None:
        blocks.append(_voxels(left))
    if not blocks:
        blocks.append(Text("Neither the data set nor its voxel files are here."))
    return Section("data", "Data", blocks)


def _categories(left: Left) -> str:
    if left.dataset is None:
        return ""
    called = left.dataset.description.categories
    # A description may name more than were shown.
    ids = next(iter(left.students.values())).class_id.tolist() if left.students else list(called)
    if not ids:
        return "named by their ids"
    shown = "; ".join(called.get(name, name) for name in ids[:20])
    return f"{len(ids)}: {shown}" + (f"; and {len(ids) - 20} more" if len(ids) > 20 else "")


def _span(values: Sequence[int]) -> str:
    values = sorted(set(values))
    return f"{values[0]:,}" if len(values) == 1 else f"{values[0]:,} to {values[-1]:,}"


def _voxels(left: Left) -> Table:
    cells = left.voxels.cells if left.voxels is not None else []
    subjects = list(dict.fromkeys(cell.subject for cell in cells))
    rois = list(dict.fromkeys(cell.roi for cell in cells))
    of = {(cell.roi, cell.subject): cell.voxels for cell in cells}
    trials = _span([cell.trials for cell in cells])
    return Table(
        caption=f"Voxels of each region and subject; {trials} trials a subject",
        columns=["region", *subjects],
        rows=[[roi, *(f"{of.get((roi, who), '–')}" for who in subjects)] for roi in rois],
    )


def decoders_section(left: Left) -> Section:
    """The map, reliability, noise of the same design."""
    title = "Decoders: what can be read out of the recordings"
    if left.decoded is None or not left.decoded.cells:
        said = "No recordings were decoded here: the soft labels were brought as a table."
        return Section("decoders", title, [Text(said)])
    cells = left.decoded.cells
    first = cells[0]
    blocks: list[Block] = [
        Text(
            f"The share of {first.images} pictures whose category is the decoder's first answer; "
            f"chance is {percent(first.chance)}%. Every answer is to a picture whose trials the "
            f"decoder never saw ({', '.join(dict.fromkeys(cell.folds for cell in cells))})."
        ),
        *[_map(left, decoder) for decoder in dict.fromkeys(cell.decoder for cell in cells)],
        *figure(left, "accuracy", DRAWN),
    ]
    if taught := _taught(left):
        blocks.append(taught)
    blocks.append(_noise(left))
    for name in ("reliability", "similarity"):
        blocks += figure(left, name, DRAWN)
    return Section("decoders", title, blocks)


def _map(left: Left, decoder: str) -> Table:
    cells = [cell for cell in left.decoded.cells if cell.decoder == decoder] if left.decoded else []
    subjects = list(dict.fromkeys(cell.subject for cell in cells))
    of = {(cell.roi, cell.subject): percent(cell.top1) for cell in cells}
    rois = list(dict.fromkeys(cell.roi for cell in cells))
    return Table(
        caption=f"Top-1 accuracy in %, decoder {decoder}",
        columns=["region", *subjects],
        rows=[[roi, *(of.get((roi, who), "–") for who in subjects)] for roi in rois],
    )


def _taught(left: Left) -> Table | None:
    """The cells that taught, from near."""
    meta = left.meta
    if not meta or left.decoded is None:
        return None
    chosen = [
        cell
        for cell in left.decoded.cells
        if cell.subject in meta["subject"].split("+")
        and cell.roi in meta["roi"].split("+")
        and cell.decoder == meta["decoder"]
    ]
    if not chosen:
        return None
    return Table(
        caption="The decoders that taught",
        columns=["subject and region", "top-1 in %, 95% interval", "bits above chance", "ECE in %"],
        rows=[
            [
                f"{cell.subject} {cell.roi}",
                f"{percent(cell.top1)} [{percent(cell.top1_low)}, {percent(cell.top1_high)}]",
                f"{cell.bits:.2f}",
                percent(cell.ece),
            ]
            for cell in chosen
        ],
        note=(
            "Bits: what an answer tells beyond how frequent categories are. ECE: by how much the "
            "decoder is surer, or less sure, than it is right; 0 is perfect."
        ),
    )


def _noise(left: Left) -> Block:
    rows = left.decoded.noise if left.decoded is not None else []
    if not rows:
        return Text("That noise in the voxels' place is at chance was not measured here.")
    return Table(
        caption="Noise in the voxels' place, decoded with the same trials, folds and scaling",
        columns=["subject", "top-1 in %", "chance in %", "p of being above it"],
        rows=[
            [row.subject, percent(row.top1), percent(row.chance), f"{row.p:.3f}"] for row in rows
        ],
        note=(
            "It must be at chance: otherwise the order of the trials would tell categories. Of "
            "many subjects one is below 0.05 by accident; a design counts as leaking below "
            f"{LEVEL:g} over the number of subjects."
        ),
    )


def soft_labels_section(left: Left, groups: dict[str, list[Card]], *, taught: bool) -> Section:
    """Pictures with the guesses, and what agreement between subjects says."""
    several = "+" in f"{left.meta.get('subject', '')}{left.meta.get('roi', '')}"
    said = "The soft labels of the best region and subject. "
    if taught:
        said = f"The soft labels that taught{', of several tables combined' * several}. "
    blocks: list[Block] = []
    if groups:
        said += (
            "Beside each picture stand the three likeliest categories and their probabilities; "
            "where the right one is not among them, it follows with its rank."
        )
        blocks.append(Text(said))
        blocks += [Cards(title, cards) for title, cards in groups.items()]
    else:
        blocks.append(Text("The tables of soft labels are not here, so none is shown."))
    blocks.append(Text(_agreement(left)))
    if rows := (left.decoded.between_subjects if left.decoded is not None else []):
        blocks.append(
            Table(
                caption="Agreement between subjects about single pictures",
                columns=["region", "decoder", "correlation, 95% interval", "p"],
                rows=[
                    [
                        row.roi,
                        row.decoder,
                        f"{row.mean:.2f} [{row.low:.2f}, {row.high:.2f}]",
                        f"{row.p:.3f}",
                    ]
                    for row in rows
                ],
            )
        )
    blocks += figure(left, "between_subjects", DRAWN)
    return Section("soft-labels", "Soft labels: what students were taught", blocks)


def _agreement(left: Left) -> str:
    """Whether there was anything to teach of single pictures."""
    if left.evidence is not None:
        rows = left.evidence.get("between_subjects", [])
    else:
        rows = [row.model_dump() for row in left.decoded.between_subjects] if left.decoded else []
    told = between_sentence(rows)
    if not rows:
        return told
    if all(row["low"] > 0 for row in rows):
        means = "Subjects agree, so there is something in single pictures that could be taught."
    elif any(row["low"] > 0 for row in rows):
        means = "Subjects agree in some regions about single pictures."
    else:
        means = "That subjects agree about single pictures was not shown."
    return f"{means} {told}"
