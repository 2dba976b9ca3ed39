"""The rules that the code quotes stand in docs/design.md, and are quoted in one form."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DESIGN = (ROOT / "docs" / "design.md").read_text("utf-8")
RULES = DESIGN.split("## The rules of the science")[1].split("\n## ")[0]
# "its rule 9", "rule 9 of ..." and the like: whatever names a rule by its number.
NUMBERED = re.compile(r"\brules? (\d+)")
QUOTED = re.compile(r"\(DESIGN, rule (\d+)\)")


def numbers():
    return [int(number) for number in re.findall(r"^(\d+)\. \*\*", RULES, re.MULTILINE)]


def sources():
    folders = ("src", "tests", "studies", "benchmarks")
    files = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in files if path != Path(__file__)]


def test_the_rules_are_numbered_from_1():
    assert numbers() == list(range(1, 13))


def test_every_rule_that_the_code_names_is_quoted_in_one_form_and_is_there():
    named, quoted = [], []
    for path in sources():
        # A sentence may go on in the next line of a docstring or comment.
        text = re.sub(r"\s*\n\s*#?\s*", " ", path.read_text("utf-8"))
        named += [(path.name, number) for number in NUMBERED.findall(text)]
        quoted += [(path.name, number) for number in QUOTED.findall(text)]
    assert named == quoted
    assert {int(number) for _, number in quoted} <= set(numbers())
    assert {name for name, _ in quoted} >= {"params.py", "provenance.py", "plan.py"}


@pytest.mark.parametrize("page", ["design.md", "architecture.md"])
def test_a_pages_links_lead_somewhere(page):
    text = (ROOT / "docs" / page).read_text("utf-8")
    for target in re.findall(r"\]\(((?!https?:)[^)]+)\)", text):
        file, _, heading = target.partition("#")
        place = ROOT / "docs" / (file or page)
        assert place.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", place.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
            assert heading in anchors, target


def test_what_is_not_done_is_said_of_rules_that_are_there():
    missing = re.findall(r"^- Rule (\d+):", DESIGN.split("## Not yet")[1], re.MULTILINE)
    assert missing and set(map(int, missing)) <= set(numbers())


def test_the_drawing_has_the_floors_that_the_contract_has():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (layers,) = (each["layers"] for each in contracts["contracts"] if each["type"] == "layers")
    drawing = (ROOT / "docs" / "architecture.svg").read_text("utf-8")
    rooms = re.findall(r'<text x="\d+" y="(\d+)" class="room">(\w+)</text>', drawing)
    floors = {}
    for height, room in rooms:
        floors.setdefault(int(height), set()).add(room)
    drawn = [floors[height] for height in sorted(floors)]
    wanted = [set(layer.split(" | ")) for layer in layers]
    assert [floor for floor in drawn if floor & set().union(*wanted)] == wanted
