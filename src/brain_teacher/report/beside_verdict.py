"""What is said beside a verdict: looks at the test images, what was to be learnt and was."""

from brain_teacher.report.words import BRAIN

# Whose rows students are held against: the brain's that taught, or other subjects'.
TAUGHT, OTHERS = "taught", "others"


def looks_sentence(plans, plan):
    """How often these test images were looked at before; `plans` are those looks' plans, or None.

    `plan` is the plan of this look. All are digests.
    """
    if plans is None:
        return (
            "Looks at these test images: not counted, since the MLflow store that counts them "
            "cannot be reached."
        )
    if not plans:
        return "Looks at these test images: the first that this MLflow store knows of."
    others = len({*plans, plan})
    under = "1 plan" if others == 1 else f"{others} plans"
    return (
        f"Looks at these test images: number {len(plans) + 1} in this MLflow store, under {under} "
        "in all; the more looks, and above all plans, the less one small p says."
    )


def looks_so_far(plans):
    """The same for who only tells of a result, which is no look."""
    if plans is None:
        return looks_sentence(None, "")
    if not plans:
        return "Looks at these test images: this MLflow store knows of none."
    under = "1 plan" if len({*plans}) == 1 else f"{len({*plans})} plans"
    return (
        f"Looks at these test images: {len(plans)} in this MLflow store, under {under}; the more "
        "looks, and above all plans, the less one small p says."
    )


def between_sentence(rows):
    """Whether there was anything to teach about single images: `decode`'s rows of these ROIs."""
    if not rows:
        return (
            "Between subjects: how well they agree about single images was not measured; `decode` "
            "measures it where two subjects saw the same pictures, and `distill` keeps it."
        )
    first = rows[0]
    texts = [
        f"{row['roi']} {row['mean']:.2f} [{row['low']:.2f}, {row['high']:.2f}], p = {row['p']:.3f}"
        for row in rows
    ]
    return (
        "Between subjects (correlation of what soft labels say of single images, means of class "
        f"and fold taken away; 95% interval over images, chance 0): {'; '.join(texts)}, "
        f"{first['subjects']} subjects, {first['images']} images."
    )


def agreement_sentence(found, control):
    """What students learnt of single images, of the agreements with `TAUGHT` and `OTHERS`."""
    if TAUGHT not in found:
        return (
            "Learnt of single images: not measured, since every shown image taught; `decode "
            "--nested true` and `distill --split folds` hold some back."
        )
    first = found[TAUGHT]
    texts = [f"with the brain that taught {_agrees(first, control)}"]
    if OTHERS in found:
        texts.append(f"with other subjects' {_agrees(found[OTHERS], control)}")
    else:
        texts.append("no subject is left who did not teach")
    return (
        f"Learnt of single images (correlation with rows of {first.images} shown images held out, "
        f"means of class and fold taken away; mean and 95% interval over {first.seeds} seeds): "
        f"{'; '.join(texts)}."
    )


def _agrees(found, control):
    parts = {BRAIN: found.teacher, control: found.control, "difference": found.difference}
    return ", ".join(
        f"{k} {mean:+.3f} [{low:+.3f}, {high:+.3f}]" for k, (mean, low, high) in parts.items()
    )
