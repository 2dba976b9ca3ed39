"""Whether subjects agree about single images: the tables of one ROI and decoder, held together."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from brain_teacher.analysis.reliability import between_subjects
from brain_teacher.chain.dataset import DataSet
from brain_teacher.chain.decodings.cells import DecodeCell
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.errors import about
from brain_teacher.seeds import named_rng


def agreement_of_subjects(
    out: Path, cells: Sequence[DecodeCell], dataset: DataSet
) -> tuple[list[dict[str, Any]], list[str]]:
    """A row a decoder and ROI for ``metrics.json``, and lines for a person (DESIGN, rule 12).

    Where nothing can be measured (one subject, say), there is a line that says why, and no row.
    """
    groups: dict[tuple[str, str], list[DecodeCell]] = {}
    for cell in cells:
        groups.setdefault((cell.decoder, cell.roi), []).append(cell)
    rows: list[dict[str, Any]] = []
    lacking: dict[str, list[str]] = {}
    for (decoder, roi), each in groups.items():
        tables = []
        for cell in each:
            with about(out / cell.name):
                tables.append(read_soft_labels(out / cell.name))
        rng = named_rng("between-subjects", decoder, roi)
        try:
            found = between_subjects(tables, dataset.category_of, rng=rng)
        except ValueError as reason:
            lacking.setdefault(str(reason), []).append(roi)
            continue
        rows.append({"decoder": decoder, "roi": roi} | asdict(found))
    lines = [
        f"between subjects, {', '.join(dict.fromkeys(rois))}: not measured, since {reason}"
        for reason, rois in lacking.items()
    ]
    return rows, (_said(rows) if rows else []) + lines


def _said(rows: list[dict[str, Any]]) -> list[str]:
    """The rows as a table."""
    table = pd.DataFrame(rows)
    shown = table[["decoder", "roi", "mean"]].rename(columns={"mean": "r"})
    shown["95%"] = [f"{low:.2f} to {high:.2f}" for low, high in table[["low", "high"]].to_numpy()]
    shown["p"] = [f"{p:.3f}" for p in table["p"]]
    first = rows[0]
    return [
        "between subjects: what soft labels say of single images beyond class and fold, correlated "
        f"between {first['subjects']} subjects over {first['images']} images (chance 0; p by "
        "exchanging images within classes)",
        shown.to_string(index=False, float_format=lambda value: f"{value:.2f}"),
    ]
