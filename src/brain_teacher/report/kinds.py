"""Words for the kinds of tables: what is no brain is not called one (DESIGN, rule 11)."""

import re
from dataclasses import replace

from brain_teacher.decoding.soft_labels import IMPORTED, KINDS, MODEL, kind_of
from brain_teacher.report.words import BRAIN, named

# In the students' meta: the trained network by whose image features the brain was decoded.
BY_WAY_OF = "features_of"
# Of words and people, which are many: what is said of the brain becomes plural.
_PLURAL = {"is": "are", "was": "were", "has": "have", "knows": "know"}
_SAID_OF_THE_BRAIN = re.compile(
    rf"\b(the )?brain(?![a-z]|[-_]t)('s| (?:{'|'.join(_PLURAL)})\b|)", re.IGNORECASE
)


def called(text, kind):
    """What is said of the brain, said of a table of another kind (a key of `KINDS`).

    Names of teachers, too: `brain-class` becomes `people-class`. Not those of this project:
    `brain-teacher` and `brain-taught`.

    Examples
    --------
    >>> called("taught by what only the brain knows; brain minus none is +2.0", "people")
    'taught by what only people know; people minus none is +2.0'
    """
    if kind == BRAIN:
        return text
    plural = kind != MODEL

    def renamed(match):
        article, end = match.groups()
        said = kind if plural else f"{article or ''}{kind}"
        if end == "'s" and kind.endswith("s"):
            end = "'"
        elif plural and article:
            end = " ".join(_PLURAL.get(word, word) for word in end.split(" "))
        return (said.capitalize() if match[0][0].isupper() else said) + end

    return _SAID_OF_THE_BRAIN.sub(renamed, text)


def by_called(values, kind):
    """What is held by teachers' names, at any depth, by the names that people read."""
    if not isinstance(values, dict):
        return values
    return {
        called(key, kind) if isinstance(key, str) else key: by_called(value, kind)
        for key, value in values.items()
    }


def comparison_called(result, kind):
    """A `Comparison` with its names, and its verdict, as people read them."""
    held = ("scores", "differences", "flips", "equivalence", "outcomes")
    verdict = {key: called(getattr(result.verdict, key), kind) for key in ("words", "sentence")}
    rungs = [
        replace(each, upper=called(each.upper, kind), lower=called(each.lower, kind))
        for each in result.ladder
    ]
    return replace(
        result,
        verdict=replace(result.verdict, **verdict),
        ladder=rungs,
        diverged=[(called(name, kind), seed) for name, seed in result.diverged],
        **{key: by_called(getattr(result, key), kind) for key in held},
    )


def whose(meta):
    """Whose table taught the students of this `meta`: a subject's ROI, or what is no brain."""
    names, kind = named(meta["subject"]).split("+"), kind_of(meta)
    if kind == BRAIN:
        who = f"{len(names)} subjects'" if len(names) > 1 else f"{names[0]}'s"
        return f"{who} {named(meta['roi'])}"
    tables = f"{len(names)} tables" if len(names) > 1 else "a table"
    return f"{tables} of {KINDS[kind]} ({named(meta['subject'])}, {named(meta['roi'])})"


def not_ours(meta):
    """Why students of this `meta` are not to be called taught by a brain; None if they may be."""
    kind = kind_of(meta)
    if kind != BRAIN:
        return f"taught by {KINDS[kind]}, not by a brain"
    if meta.get(IMPORTED):
        return "its soft labels were imported, and that they are out of fold was not seen here"
    if BY_WAY_OF in meta:
        return (
            f"its brain was decoded by way of {meta[BY_WAY_OF]}, and what that was trained on is "
            "in the soft labels, too"
        )
    return None


def kind_notes(meta):
    """What to say of students whose teacher is not a brain and nothing else; else nothing."""
    kind = kind_of(meta)
    if kind != BRAIN:
        return [f"Not brains: {whose(meta)} taught these students, by the name of {kind}."]
    if meta.get(IMPORTED):
        return ["Imported: that these soft labels are out of fold is their authors' word."]
    if BY_WAY_OF not in meta:
        return []
    return [
        f"Image features: the brain was decoded by way of {meta[BY_WAY_OF]}. What that was trained "
        "on is in the soft labels, too; the other decoders (logistic, ridge, resnet1d) are without."
    ]
