"""``controls``: what the primary decoder gives without a brain's help, as soft-label files.

``permuted-trials``: the recordings exchanged between the trials of a run, the decoder refitted, one
draw per seed. ``time-only``: run and position in place of the recording; not above chance, or time
explains what the voxels seemed to say.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from brain_teacher.cells.folder import run_folder
from brain_teacher.chain.dataset import METRICS
from brain_teacher.chain.decodings.cells import PERMUTED, TIME, DecodeCell
from brain_teacher.chain.decodings.planning import Decodings, measured, open_decodings
from brain_teacher.chain.params import Params
from brain_teacher.chain.summary import write_plot, write_summary
from brain_teacher.commands import Given, Place, Say
from brain_teacher.errors import UsageError
from brain_teacher.files import write_json
from brain_teacher.machine import HERE, RunTime
from brain_teacher.report.words import said_categories, said_simulated

# One-sided, of guesses as frequent as a control's own: who names the largest category is right more
# often than once in as many as there are, and knows nothing. Of several subjects, divided by them.
LEVEL = 0.025


def controls(
    params: Params,
    *,
    data: Place,
    voxels: Place,
    out: Place | None,
    run_time: RunTime = HERE,
    say: Say = print,
    quiet: bool = False,
) -> Path:
    """Decode the controls of the primary subjects, ROI and decoder (params.yaml: distill)."""
    decodings = open_decodings(params, data=data, voxels=voxels)
    cells = _plan(params, decodings)
    out = run_folder("controls", out)
    origin = decodings.dataset.origin
    settings = params.decode.settings(params.distill.decoder)
    how: Given = {"run_time": run_time, "say": say, "quiet": quiet}
    with decodings.made("controls", cells, settings=settings, out=out, **how) as tracker:
        rows = measured(out, cells, decodings.dataset)
        write_json(out / METRICS, origin | {"cells": rows})
        table = pd.DataFrame(rows)
        by_control = table.groupby("control")["top1"].mean()
        simulated = {"simulated": origin["simulated"]}
        ours = {key: float(table[key].mean()) for key in ("top1", "chance")}
        write_summary(out, ours, **simulated)
        write_plot(out, by_control.reset_index(), **simulated)
        means = by_control.add_prefix("top1/").to_dict()
        tracker.log(metrics=ours | means, artifacts=[out / METRICS])
    said = origin | {"dataset": origin["dataset"] + said_categories(rows[0])}
    say(_summary(table, **said))
    return out


def _plan(params: Params, decodings: Decodings) -> list[DecodeCell]:
    """One cell a draw of exchanged trials, and one of time a subject."""
    primary = params.distill
    if primary.decoder not in params.decode.decoder:
        raise UsageError(
            f"distill.decoder: {primary.decoder!r} is not among decode.decoder "
            f"({', '.join(params.decode.decoder)})"
        )
    subject, roi = ((v if v != "all" else ()) for v in (primary.subject, primary.roi))
    cells = decodings.cells(subject=subject, roi=roi, decoder=[primary.decoder])
    planned, timed = [], set()
    for cell in cells:
        stem = cell.name.removesuffix(".npz")
        planned += [
            replace(cell, control=PERMUTED, seed=seed, name=f"{stem}_{PERMUTED}_{seed}.npz")
            for seed in range(primary.seeds)
        ]
        if cell.subject not in timed:  # no ROI's voxels are in it
            timed.add(cell.subject)
            name = f"{cell.subject}_{TIME}_{cell.decoder}.npz"
            planned.append(replace(cell, control=TIME, roi=TIME, name=name))
    return planned


def _summary(table: pd.DataFrame, dataset: str, simulated: bool) -> str:
    """Each control's accuracy by subject, for the terminal."""
    lines = [
        f"controls of the decoder, {dataset} ({said_simulated(simulated)}): top-1 in %, chance "
        f"{100 * table['chance'].iloc[0]:.1f}"
    ]
    for control, rows in table.groupby("control", sort=True):
        for subject, part in rows.groupby("subject", sort=False):
            values = 100 * part["top1"]
            above = (part["top1_p"] < LEVEL).sum()
            below = (part["top1_high"] < part["agreement"]).sum()
            text = f"  {control:16} {subject}  {values.mean():5.1f}"
            if len(part) > 1:
                text += f"  ({len(part)} draws, {values.min():.1f} to {values.max():.1f})"
            if above:
                text += f"  above chance in {above} of {len(part)}"
            if below:
                text += f"  below chance in {below} of {len(part)}"
            lines.append(text)
    timed = table[table["control"] == TIME]
    if (timed["top1_p"] < LEVEL / len(timed)).any():
        lines.append(
            "time alone can be decoded: what voxels seem to say may be drift; use decode.folds.by: "
            "round or run"
        )
    return "\n".join(lines)
