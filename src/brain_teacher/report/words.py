"""Words that stand beside numbers, wherever they are shown."""

import numpy as np

from brain_teacher.analysis.outcomes import ACCURACY

# In the brain's meta and the students': how many shown images have no picture.
WITHOUT_PICTURE = "images_without_picture"
# In the students' meta: the trained network by whose image features the brain was decoded.
BY_WAY_OF = "features_of"
# The teacher that controls are held against.
BRAIN = "brain"


def features_note(meta):
    """What to say of students whose brain was decoded by way of a trained network; else nothing."""
    if BY_WAY_OF not in meta:
        return []
    return [
        f"Image features: the brain was decoded by way of {meta[BY_WAY_OF]}. What that was trained "
        "on is in the soft labels, too; the other decoders (logistic, ridge, resnet1d) are without."
    ]


def said_simulated(simulated):
    """The word that stands wherever numbers of a simulated data set appear."""
    return "simulated" if simulated else "real recordings"


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


def describe_network(settings):
    """What the network of a recipe is called in tables: a narrow one is never ResNet18 alone."""
    proper = {"resnet18": "ResNet18", "resnet34": "ResNet34"}
    name = proper.get(settings["network"], settings["network"])
    width = settings["width"]
    words = {64: name, 32: f"half-width {name}", 16: f"quarter-width {name}"}
    return words.get(width, f"{name} of width {width}")
