"""The model card of a promoted student."""

from brain_teacher.analysis.outcomes import outcome_of
from brain_teacher.report.kinds import called, kind_notes, kind_of, whose
from brain_teacher.report.words import named, said_categories


def model_card_text(best, evidence, reason, looks):
    """The model card: what it is, what stands behind it, what it must not be used for."""
    meta, outcome = best.meta, outcome_of(evidence)
    kind = kind_of(meta)
    origin = "Simulated recordings: says nothing of real brains. " if meta["simulated"] else ""
    rows = [
        f"| {called(d['b'], kind)} | {outcome.signed(d['mean'])} | "
        f"[{outcome.signed(d['low'])}, {outcome.signed(d['high'])}] "
        f"| {'<0.001' if d['p_corrected'] < 0.001 else format(d['p_corrected'], '.3f')} |"
        for d in evidence["differences"]
    ]
    return "\n".join(
        [
            f"**A student taught by {whose(meta)}** ({named(meta['decoder'])}, "
            f"data set {named(meta['dataset'])}{said_categories(meta)}), seed {meta['seed']}, its "
            f"teacher's best on validation ({100 * best.accuracy('validation'):.1f}%). {origin}",
            "",
            " ".join([f"**Verdict.** {evidence['sentences'][0]} {reason}", *kind_notes(meta)]),
            "",
            f"| {called('brain', kind)} minus | {outcome.differ} | 95% interval | p (Holm) |",
            "|---|---|---|---|",
            *rows,
            "",
            f"**Looks at the test set.** {_looks(looks)}",
            "",
            "Input: pictures of any size (base64 or bytes of a PNG or JPEG file, or arrays). "
            "Output: class ids, names and log-probabilities, the most probable first. The network "
            "alone is the model's PyTorch flavour: float32 pixels from 0 to 255 of "
            "(n, 3, size, size) in, log-probabilities out, classes as `class_id` in the metadata.",
        ]
    )


def _looks(count):
    if count is None:
        return "Not counted: the MLflow store does not know the comparisons."
    results = "1 result" if count == 1 else f"{count} results"
    return f"{results} of `compare` on these test images, in this MLflow store."
