"""What DVC shows of a stage: a few numbers for ``dvc metrics``, a small table for ``dvc plots``."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from brain_teacher.dataset.formulas import quoted_table
from brain_teacher.files import write_json, write_text

# `metrics.json` beside it says everything; `dvc metrics show` has a column for each number.
SUMMARY, PLOT = "summary.json", "plot.csv"


def write_summary(out: Path, numbers: Mapping[str, object], *, simulated: bool) -> Path:
    """Write the few numbers that two revisions are compared by."""
    write_json(out / SUMMARY, {"simulated": simulated, **numbers})
    return out / SUMMARY


def write_plot(out: Path, table: pd.DataFrame, *, simulated: bool) -> Path:
    """Write the table that ``dvc plots diff`` draws one over the other."""
    table = quoted_table(table.assign(simulated=simulated))
    write_text(out / PLOT, table.to_csv(index=False, float_format="%.6g"))
    return out / PLOT
