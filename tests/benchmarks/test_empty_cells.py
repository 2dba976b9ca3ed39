"""The benchmark of cells of no work runs through every engine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.full
def test_a_few_cells(tmp_path):
    pytest.importorskip("distributed")
    file = tmp_path / "rows.json"
    command = [sys.executable, ROOT / "benchmarks" / "empty_cells.py", "--cells", "4"]
    subprocess.run([*command, "--json", file], check=True, cwd=tmp_path)
    found = json.loads(file.read_text())
    assert len(found["engines"]) == 3 and found["mlflow_students_a_second"] > 0
    assert all(row["cell_ms"] > 0 and row["driver_mib"] > 10 for row in found["engines"])
