"""How it was tested, for who never heard of it: the steps, the controls, the words."""

import re

from brain_teacher.chain.telling.left import Left
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.distillation.teachers import OWN_TABLE, TEACHERS
from brain_teacher.report.kinds import BRAIN, called, kind_of, whose
from brain_teacher.report.methods import sentences
from brain_teacher.report.page import Block, Items, Section, Table, Terms

# What the brain shows by being above a control, for who never saw the family.
SHOWS = {
    "none": "that the soft labels are of any use",
    "weighted": "that more than weights of the pictures is learnt",
    "smooth": "that more than softening is learnt",
    "smooth-matched": "that more than softening, as sure or unsure as the brain, is learnt",
    "permuted-classes": "that which categories the brain finds alike matters",
    "semantic": "that the brain tells more than words do of which categories are alike",
    "brain-class": "that the single picture matters, beyond its category",
    "brain-confidence": "that more matters than how sure the brain is of each picture",
    "permuted-images": "that the answer must be to this very picture",
    "permuted-all": "that the answer must be to a picture of the category, at least",
    "matched-spectrum": "that more matters than how many ways of being alike there are",
    "centre-map": "that more matters than looking at the middle",
    "own-map": "that the brain's map is better than the picture's own",
    "permuted-trials": "that the recording matters, beyond the procedure",
}

# The names that the field has for the regions of the GOD data set.
REGIONS = {
    "V1": "the first visual area",
    "LOC": "the lateral occipital complex, which answers to objects",
    "FFA": "the fusiform face area",
    "PPA": "the parahippocampal place area",
    "LVC": "lower visual cortex: V1 to V3",
    "HVC": "higher visual cortex: LOC, FFA and PPA",
    "VC": "all of visual cortex",
}


def tested_section(left: Left) -> Section:
    """How it was tested: the steps, the controls, and the words."""
    kind = (left.evidence or {}).get("kind", BRAIN)
    steps = [
        "Somebody looks at pictures in a scanner. A decoder learns to tell, from the activity of "
        "one region of the brain, which category was seen, and is asked about pictures whose "
        "trials it never saw. Its answers are probabilities over all categories: the soft labels.",
        "Networks, the students, learn to name pictures from the names (hard labels) and the soft "
        "labels. Others learn from the names alone, or from a control: soft labels from which "
        "something of the brain was taken away.",
        "Students come in pairs: those of one seed begin alike and see the same pictures in the "
        "same order, whoever teaches them.",
        "All are tested on pictures that they did not learn from. The difference between the "
        "brain's students and each control's is the result.",
    ]
    blocks: list[Block] = [Items([called(step, kind) for step in steps], ordered=True)]
    if left.evidence is not None:
        names = [each["b"] for each in left.evidence["differences"]]
        planned = left.evidence["compare"]["family"]
        rows = [
            [name, called(_given(plain, left), kind), called(_shows(plain), kind)]
            for name, plain in zip(names, planned, strict=False)
        ]
        columns = ["control", "what its students were taught with", "the brain above it shows"]
        caption = "The controls, fixed before the result"
        blocks.append(Table(caption, [columns[0], columns[1], called(columns[2], kind)], rows))
    blocks.append(Terms(_words(left)))
    return Section("tested", "How it was tested", blocks)


def _given(name: str, left: Left) -> str:
    """What a teacher's students were taught with: by its own sentence in the methods."""
    if name.startswith(OWN_TABLE):
        return "another table, softened"
    loss = left.meta.get("settings", {}).get("loss", "hinton")
    entry, made = TEACHERS[name], {"relates": LOSSES[loss].features, "maps": LOSSES[loss].maps}
    text = re.sub(r" \[@.*?\]", "", sentences(entry.teach, {"made": made})) or entry.label
    return re.sub(r"^`[\w-]+` (gave|was) ", "", text).rstrip(".")


def _shows(name: str) -> str:
    return SHOWS.get(name, "that another table does not do as well")


def _words(left: Left) -> list[tuple[str, str]]:
    roi = (
        "A region of interest: a part of the brain whose voxels (small cubes) are decoded together."
    )
    rois = {name for cell in (left.voxels.cells if left.voxels else []) for name in [cell.roi]}
    known = [f"{name} is {REGIONS[name]}" for name in REGIONS if name in rois]
    pairs = [
        ("ROI", roi + (f" {'; '.join(known)}." if known else "")),
        ("Seed", "What fixes everything that is drawn at random for a student."),
        ("Points", "Percentage points: from 40% to 45% are 5 points."),
        (
            "95% interval",
            "Made so that in 95 of 100 such experiments it holds the true difference.",
        ),
        (
            "p (Holm)",
            "How often chance alone would give such a difference, corrected for the number of "
            "controls. Below 0.05 a difference counts as shown.",
        ),
    ]
    if left.meta:
        what = f"In this report the soft labels of {whose(left.meta)}."
        pairs.insert(0, (called("The brain", kind_of(left.meta)), what))
    return pairs
