"""Words that stand beside numbers, wherever they are shown."""

import re

import numpy as np

from brain_teacher.analysis.outcomes import ACCURACY

# In the brain's meta and the students': how many shown images have no picture.
WITHOUT_PICTURE = "images_without_picture"
# In tables, and in the students' meta: ``59 of 150``, where not all categories have pictures.
CATEGORIES = "categories"
# The teacher that controls are held against, whatever is behind its table.
BRAIN = "brain"


def said_simulated(simulated, kind=BRAIN):
    """The word that stands wherever numbers of a simulated data set appear.

    `kind` is of `KINDS`: what is no brain was not recorded.
    """
    return "simulated" if simulated else f"real {'recordings' if kind == BRAIN else 'data'}"


def said_categories(origin):
    """``, 59 of 150 categories``, to stand after a data set's name; nothing where all count.

    Examples
    --------
    >>> said_categories({"categories": "59 of 150"}), said_categories({})
    (', 59 of 150 categories', '')
    """
    return f", {origin[CATEGORIES]} categories" if origin.get(CATEGORIES) else ""


def named(name):
    """A name within Markdown and HTML: what would mark it up, or end the line, is its code.

    Examples
    --------
    >>> print(named("S1+S2"), named("<b>|"))
    S1+S2 \\x3cb\\x3e\\x7c
    """
    return re.sub(r"[\\`*#&<>|\[\]\r\n]", lambda each: f"\\x{ord(each[0]):02x}", str(name))


def audit_sentence(table, *, teacher, control, weights, outcome=ACCURACY):
    """The two groups of `audit` in a sentence; `weights` are what the students began with."""
    parts = []
    for _, row in table[table["teacher"] == control].iterrows():
        text = f"{row['classes']} ({row['n classes']} classes, {row['images']:,} images)"
        if not np.isnan(row["95% low"]):
            shown = row[["95% low", "95% high", outcome.minus(teacher)]]
            low, high, mean = (format(value, outcome.sign) for value in shown)
            text += f" {mean} {outcome.differ} (95% interval {low} to {high})"
        parts.append(text)
    return (
        f"Pretraining: the students began with {weights}, which may have seen some of the classes; "
        f"{teacher} minus {control}: {'; '.join(parts)}. Not corrected."
    )


def classes_sentence(differences, outcome=ACCURACY):
    """The intervals with classes random as well, by control; None where classes are not known."""
    known = {name: each for name, each in differences.items() if each.classes > 1}
    if not known:
        return None
    parts = [
        f"{name} {outcome.signed(each.low_classes)} to {outcome.signed(each.high_classes)}"
        for name, each in known.items()
    ]
    classes = max(each.classes for each in known.values())
    return (
        f"Classes: the 95% intervals above are for these {classes} classes, and p is theirs: a "
        f"verdict is about what was tested. With classes random as well, for others like them: "
        f"{', '.join(parts)}."
    )


def describe_network(settings):
    """What the network of a recipe is called in tables: a narrow one is never ResNet18 alone."""
    proper = {"resnet18": "ResNet18", "resnet34": "ResNet34"}
    name = proper.get(settings["network"], named(settings["network"]))
    width = settings["width"]
    words = {64: name, 32: f"half-width {name}", 16: f"quarter-width {name}"}
    return words.get(width, f"{name} of width {width}")
