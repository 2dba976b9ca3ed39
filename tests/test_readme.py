"""What the README shows is what was printed: table and verdict are the committed metrics'."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brain_teacher.report.tables import as_short

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
METRICS = json.loads((ROOT / "outputs" / "comparison" / "metrics.json").read_text("utf-8"))
SAMPLE = (ROOT / "docs" / "sample.md").read_text("utf-8")
SHORT, TABLE = (
    page.split("<!-- table")[1].split("-->\n\n")[1].split("\n<!-- end of table")[0]
    for page in (README, SAMPLE)
)


def rows():
    cells = [
        [c.strip() for c in line.split("|")[1:-1]] for line in TABLE.splitlines() if "|" in line
    ]
    return {row[0]: row for row in cells[2:]}


def test_the_full_table_is_the_committed_one():
    assert list(rows()) == [*METRICS["brain_minus"], "brain"]
    for name, mean in METRICS["accuracy"].items():
        assert rows()[name][2] == f"{100 * mean:.1f}"
    for each in METRICS["differences"]:
        row = rows()[each["b"]]
        assert row[4:7] == [f"{100 * each[key]:+.1f}" for key in ("mean", "low", "high")]


def test_the_readmes_table_is_what_compare_writes_of_the_committed_metrics():
    columns = {"mean": "brain minus this (points)", "low": "95% low", "high": "95% high"}
    found = {each["b"]: each for each in METRICS["differences"]}
    table = pd.DataFrame(
        [
            {"teacher": name, "accuracy (%)": 100 * METRICS["accuracy"][name]}
            | {to: 100 * found[name][key] for key, to in columns.items() if name in found}
            | {"p (Holm)": found.get(name, {}).get("p_corrected", np.nan)}
            for name in rows()
        ]
    )
    title = TABLE.splitlines()[0]
    assert as_short(table, title, verdict=f"Verdict: {METRICS['verdict']}.") == SHORT


def test_the_verdict_is_the_committed_one():
    assert METRICS["sentences"][0] in " ".join(TABLE.split())
    assert METRICS["verdict"] in METRICS["sentences"][0].lower()


def test_it_says_that_the_sample_is_simulated():
    assert METRICS["simulated"] is True
    assert "(simulated)" in SHORT and "(simulated)" in TABLE


def test_it_fits_two_screens_and_says_first_whom_it_is_for():
    assert len(README.splitlines()) <= 140
    assert README.index("## For whom") < README.index("<!-- table")


def test_its_table_fits_a_narrow_terminal():
    assert max(len(line) for line in README.splitlines() if line.startswith("| none")) <= 80


@pytest.mark.parametrize("page", ["README.md", "docs/sample.md", "docs/soft-labels.md"])
def test_what_people_read_first_calls_the_tables_simulated(page):
    text = (ROOT / page).read_text("utf-8")
    assert "simulated" in text[: text.index("|:---") if "|:---" in text else 300]


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def anchors(page):
    """What a link into a page may name, as GitHub and the site spell its headings."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page):
    for target in re.findall(r"\]\(((?!https?:)[^)\s]+)\)", page.read_text("utf-8")):
        file, _, heading = target.partition("#")
        place = page.parent / file if file else page
        assert place.exists(), target
        assert not heading or heading in anchors(place), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_that_a_page_names_is_there(page):
    for name in re.findall(r"\b[a-z]\w*/[\w/]+\.py\b", page.read_text("utf-8")):
        assert (ROOT / name).exists() or (ROOT / "src" / "brain_teacher" / name).exists(), name


def test_the_commands_that_it_shows_exist():
    shown = set(re.findall(r"^brain-teacher ([\w-]+)", README, re.MULTILINE))
    assert shown
    for command in shown:
        subprocess.run(
            [sys.executable, "-m", "brain_teacher", command, "--help"],
            check=True,
            capture_output=True,
        )
    targets = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?make (\w[\w-]*)", README)) <= targets


def shuffled_frame(column):
    """As pandas has it after sorting: the labels of the rows are not their places."""
    return pd.Series(column, index=np.random.default_rng(0).permutation(len(column)))


@pytest.mark.parametrize(
    "kind",
    [np.asarray, list, lambda column: np.array(column, dtype=object), shuffled_frame,
     lambda column: pd.Series(column).astype("category")],
    ids=["arrays", "lists", "objects", "pandas", "categories"],
)  # fmt: skip
def test_the_notebook_lines_run(capsys, kind):
    # Lists were an AttributeError, pandas' columns a KeyError or other rows' labels.
    from helpers.recordings import make_voxels

    made = make_voxels(categories=4, images=5, voxels=20, signal=2, seed=1)
    columns = {name: getattr(made, name) for name in ("image_id", "category", "run")}
    voxels = made.data if kind is np.asarray else pd.DataFrame(made.data).astype(object)
    known = {"voxels": voxels} | {name: kind(column) for name, column in columns.items()}
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "notebook.md").read_text(), re.S)
    exec(compile(code, "docs/notebook.md", "exec"), known)
    plan, top1, control = capsys.readouterr().out.splitlines()
    assert plan.startswith("5 folds by image")
    assert float(top1) > 0.7
    assert control.startswith("(20, 4) [")
