"""The model card of a promoted student: a text for people, and the whole with its front matter."""

import yaml

from brain_teacher.analysis.outcomes import outcome_of
from brain_teacher.report.kinds import BRAIN, called, kind_notes, kind_of, whose
from brain_teacher.report.words import named, said_categories, said_simulated


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


def whole_card(text, best, *, model, measured, hashes):
    """A ``README.md`` as model hubs read it: front matter, the card's `text`, and the rest.

    `measured` are the student's outcomes by ``<split>_<outcome>``, `hashes` what was read and made
    by name, `model` the registered model's name.
    """
    meta = best.meta
    kind, dataset = kind_of(meta), f"{meta['dataset']}{said_categories(meta)}"
    word, classes = said_simulated(meta["simulated"], kind), len(best.class_id)
    task = {"type": "image-classification", "name": "Image classification"}
    result = {
        "task": task,
        "dataset": {"type": meta["dataset"], "name": f"{dataset} ({word}), test images"},
        "metrics": [
            {"type": name.removeprefix("test_"), "value": round(value, 6)}
            for name, value in measured.items()
            if name.startswith("test_")
        ],
    }
    front = {
        "library_name": "mlflow",
        "license": "bsd-3-clause",
        "pipeline_tag": task["type"],
        "tags": ["knowledge-distillation", "fmri", kind] + ["simulated"] * meta["simulated"],
        "datasets": [meta["dataset"]],
        "metrics": [each["type"] for each in result["metrics"]],
        "model-index": [{"name": model, "results": [result]}],
    }
    settings = "\n".join(f"| {key} | {named(value)} |" for key, value in meta["settings"].items())
    scores = "\n".join(f"| {name} | {value:.4f} |" for name, value in measured.items())
    listed = "\n".join(f"| {key} | `{value}` |" for key, value in hashes.items())
    return f"""---
{yaml.safe_dump(front, sort_keys=False, allow_unicode=True).rstrip()}
---

# {model}: {called(BRAIN, kind)}-taught, {named(dataset)} ({word})

{text}

## Use

```python
import mlflow

model = mlflow.pyfunc.load_model("models:/{model}/VERSION")
model.predict([open("cat.png", "rb").read()])  # class ids, names and log-probabilities
```

{classes} classes, and no others: a picture of anything else is named as one of them.
It was made to answer a question about teachers, not to be a good classifier.

## This student's own outcomes

| outcome | value |
|---|---|
{scores}

Test images report, validation images chose it; one student is no comparison.

## How it was trained

| setting | value |
|---|---|
{settings}

## Where it comes from

| what | digest |
|---|---|
{listed}

`evidence/` beside this file holds the comparison, the plan and the looks.
"""


def _looks(count):
    if count is None:
        return "Not counted: the MLflow store does not know the comparisons."
    results = "1 result" if count == 1 else f"{count} results"
    return f"{results} of `compare` on these test images, in this MLflow store."
