"""``decode``: voxel files to out-of-fold soft labels, one file per subject, ROI and decoder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from brain_teacher.cells.folder import run_folder
from brain_teacher.chain.dataset import METRICS
from brain_teacher.chain.decodings.between_subjects import agreement_of_subjects
from brain_teacher.chain.decodings.noise import decoded_noise, said_of_noise
from brain_teacher.chain.decodings.planning import measured, nested_cells, open_decodings
from brain_teacher.chain.params import Params
from brain_teacher.chain.students.family import settled
from brain_teacher.chain.summary import write_plot, write_summary
from brain_teacher.commands import Given, Place, Say
from brain_teacher.files import write_json
from brain_teacher.machine import HERE, RunTime
from brain_teacher.report.words import said_categories, said_simulated

# Of a cell, what MLflow shows the mean of.
MEASURES = ("top1", "nll", "ece")
PAIRWISE = ("seen_pairwise", "imagined_pairwise")


def decode(
    params: Params,
    *,
    data: Place,
    voxels: Place,
    out: Place | None,
    subject: Sequence[str] = (),
    roi: Sequence[str] = (),
    run_time: RunTime = HERE,
    say: Say = print,
    quiet: bool = False,
) -> Path:
    """Decode every cell of the voxel folder, or those of some subjects and ROIs."""
    decodings = open_decodings(params, data=data, voxels=voxels)
    cells = decodings.cells(subject=subject, roi=roi, decoder=params.decode.decoder)
    nested = nested_cells(cells) if params.decode.nested else []
    out = run_folder("decode", out)
    dataset = decodings.dataset
    for text in settled(params, dataset):
        say(text)
    settings = params.decode.model_dump()
    how: Given = {"run_time": run_time, "say": say, "quiet": quiet}
    noise = decoded_noise(cells, params.decode.noise_above_chance)
    with decodings.made("decode", cells + nested, settings=settings, out=out, **how) as tracker:
        rows = measured(out, cells, dataset)
        table = pd.DataFrame(rows)
        top1 = table.groupby("roi", sort=False)["top1"].mean().to_dict()
        agreed, says = agreement_of_subjects(out, cells, dataset)
        content = {"cells": rows, "top1": top1, "noise": noise, "between_subjects": agreed}
        write_json(out / METRICS, dataset.origin | content)
        simulated, ours = dataset.origin["simulated"], {"top1": float(table["top1"].mean())}
        ours["chance"] = float(table["chance"].mean())
        write_summary(out, ours, simulated=simulated)
        by_roi = pd.DataFrame({"roi": top1.keys(), "top1": top1.values()})
        write_plot(out, by_roi, simulated=simulated)
        from brain_teacher.chain.decodings.figures import write_figures

        origin = dataset.origin | {"dataset": dataset.name + said_categories(rows[0])}
        files = write_figures(out, table, agreed, dataset, origin, said_of_noise(noise))
        text = "\n".join([_summary(table, **origin), said_of_noise(noise), *says])
        tracker.log(
            metrics=ours | _compared(table, agreed, noise),
            artifacts=[out / METRICS, *files],
            note=f"```\n{text}\n```",
        )
    say(text)
    return out


def _compared(table: pd.DataFrame, agreed: list[dict], noise: list[dict]) -> dict[str, float]:
    """What two decodes are compared by in MLflow: means over subjects, by ROI and decoder.

    What each cell measured, a thousand numbers and more, stands in ``metrics.json``.
    """
    several = table["decoder"].nunique() > 1
    table = table.assign(place=table["roi"] + ("_" + table["decoder"] if several else ""))
    if "identification" in table:  # of some decoders alone
        told = [each if isinstance(each, dict) else {} for each in table["identification"]]
        table = table.assign(**{key: [each.get(key) for each in told] for key in PAIRWISE})
        table = table.astype(dict.fromkeys(PAIRWISE, float))
    kept = [key for key in (*MEASURES, *PAIRWISE) if key in table]
    means = table.groupby("place", sort=False)[kept].mean()
    found = {
        f"{measure}/{place}": float(value)
        for measure in kept
        for place, value in means[measure].dropna().items()
    }
    found |= {
        f"between_subjects/{r['roi']}" + (f"_{r['decoder']}" if several else ""): r["mean"]
        for r in agreed
    }
    return found | {"noise": float(np.mean([row["top1"] for row in noise]))} if noise else found


def _summary(table: pd.DataFrame, dataset: str, simulated: bool) -> str:
    """Accuracy of every ROI and subject in percent, for the terminal."""
    grid = table.pivot(index=["decoder", "roi"], columns="subject", values="top1")
    grid = grid.reindex(table[["decoder", "roi"]].drop_duplicates().itertuples(index=False))
    lines = [
        f"top-1 accuracy in %, out of fold, {dataset} ({said_simulated(simulated)}); "
        f"{', '.join(table['folds'].unique())}; chance {100 * table['chance'].iloc[0]:.1f}, "
        f"{table['images'].iloc[0]} images",
        (100 * grid).to_string(float_format=lambda value: f"{value:.1f}"),
    ]
    at_bound = table[table["temperatures_at_bound"] > 0]
    if len(at_bound):
        cells = at_bound["subject"] + " " + at_bound["roi"]
        lines.append(
            f"{len(at_bound)} of {len(table)} cells have a fold whose temperature ran into a bound "
            f"(nothing to decode there, or too much): {', '.join(cells)}"
        )
    if "identification" in table:
        lines += _identified(table)
    return "\n".join(lines)


def _identified(table: pd.DataFrame) -> list[str]:
    """What the ``features`` decoder says of categories that it was not trained on."""
    lines = []
    for _, row in table.dropna(subset=["identification"]).iterrows():
        found = row["identification"]
        for kind in ("seen", "imagined"):
            if f"{kind}_pairwise" not in found:
                continue
            low, mean, high, halves = (
                100 * found.get(f"{kind}_{key}", float("nan"))
                for key in ("pairwise_low", "pairwise", "pairwise_high", "split_half_pairwise")
            )
            lines.append(
                f"{row['subject']} {row['roi']}: {found[f'{kind}_categories']} {kind} categories "
                f"never trained on, {mean:.1f}% of pairs identified ({low:.1f} to {high:.1f}; "
                f"chance 50, split-half reliability {halves:.1f})"
            )
    return lines
