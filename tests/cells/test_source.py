"""The fingerprint of code: what it means and what it imports, not how it is written."""

import ast
import importlib
import sys
from pathlib import Path

import pytest

from brain_teacher.cells import source
from brain_teacher.cells.cell import FileInput
from brain_teacher.cells.source import PACKAGE, WITHOUT_CONSEQUENCE, modules_of, source_fingerprint
from brain_teacher.chain.decodings.cells import DecodeCell
from brain_teacher.decoding.decoders.table import DECODERS

FILES = {
    "__init__.py": "from toy.loose import x\n",
    "work.py": (
        "from toy import helper\nimport toy.other\n\n"
        "def work(a):\n    from toy.late import z\n    return a + helper.y + z\n"
    ),
    "helper.py": "y = 1\n",
    "other.py": "",
    "late.py": "from toy.room.inner import w\nz = w\n",
    "room/__init__.py": "",
    "room/inner.py": "w = 3\n",
    "loose.py": "x = 1\n",
    "errors.py": "",
}


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A package, and a function that gives the fingerprint of its ``work``, files changed first."""
    package = tmp_path / "toy"
    for name, text in FILES.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(source, "WITHOUT_CONSEQUENCE", {"toy.errors": "words"})
    work = importlib.import_module("toy.work").work

    def found(**changed):
        for name, text in changed.items():
            (package / f"{name}.py").write_text(text)
        source._read.cache_clear()
        modules_of.cache_clear()
        return source_fingerprint(work, package=package)

    yield found
    source._read.cache_clear()
    modules_of.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "toy"]:
        del sys.modules[name]


def test_words_do_not_change_it(toy):
    before = toy()
    after = toy(
        helper='"""A docstring."""\n\n# And a comment.\n\n\ny = (  # here, too\n    1\n)\n',
        work=(
            "from toy import helper\nimport toy.other\n\n"
            'def work(a: int) -> int:\n    """Says what it does."""\n'
            "    from toy.late import z\n\n    return a + helper.y + z\n"
        ),
    )
    assert after == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("helper", "y = 2\n"),
        ("work", FILES["work.py"].replace("a +", "a -")),
        ("late", "from toy.room.inner import w\nz = 2 * w\n"),  # imported inside the function
        ("room/inner", "w = 4\n"),  # by way of another
        ("room/__init__", "import os\n"),  # run on the way
        ("other", "1\n"),
    ],
)
def test_a_changed_meaning_changes_it(toy, name, text):
    before = toy()
    assert toy(**{name: text}) != before


def test_what_is_not_imported_or_listed_does_not(toy):
    before = toy()
    # The outermost package only hands names on.
    assert toy(loose="x = 2\n", __init__="z = 3\n", errors="1\n") == before


def test_a_new_import_counts(toy):
    before = toy()
    assert toy(other="from toy import loose\n") != before


def test_what_is_said_to_be_without_consequence_exists_and_says_why():
    for name, reason in WITHOUT_CONSEQUENCE.items():
        place = PACKAGE.joinpath(*name.split(".")[1:])
        assert place.is_dir() or place.with_suffix(".py").is_file(), name
        assert len(reason.split()) > 3


def test_a_worker_of_students_reads_no_command_line_no_settings_no_report():
    from brain_teacher.chain.students.cells import StudentCell

    found = modules_of(StudentCell.run.__module__)
    assert "brain_teacher.distillation.losses" in found and "brain_teacher.seeds" in found
    rooms = {name.split(".")[1] for name in found}
    assert rooms.isdisjoint({"cli", "commands", "report", "analysis", "settings", "tracking"})
    # Of the decoding, what log-probabilities are; how they came about stands in the targets.
    own = {name for name in found if name.startswith("brain_teacher.decoding.")}
    assert own == {"brain_teacher.decoding.log_probs"}
    assert "brain_teacher.dataset.bdata" not in found
    assert Path(PACKAGE).name == "brain_teacher"


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_decoded_cell_is_made_by_its_own_decoder_alone(decoder):
    cell = DecodeCell(
        name="", subject="S1", roi="V1", decoder=decoder, settings={}, superclass={},
        voxels=FileInput(path=Path("S1_V1.npz"), sha256=""),
    )  # fmt: skip
    room = "brain_teacher.decoding.decoders"
    found = {name for made in cell.makers for name in modules_of(made.__module__)}
    inside = {name for name in found if name.startswith(f"{room}.")}
    assert inside == {f"{room}.decoder", f"{room}.{decoder}"}
    assert {"brain_teacher.decoding.out_of_fold", "brain_teacher.seeds"} <= found
    networks = {"mlp": {"mlp", "mlp_training"}, "resnet1d": {"resnet1d", "resnet1d_training"}}
    for name, modules in networks.items():
        there = {module for module in modules if f"brain_teacher.networks.{module}" in found}
        assert there == (modules if name == decoder else set())
    # Who asks for the table itself, a test for instance, hears of all of them.
    assert f"{room}.{decoder}" in modules_of(f"{room}.table")


def test_what_several_functions_import_counts(toy):
    package = Path(importlib.import_module("toy").__file__).parent
    work = importlib.import_module("toy.work").work
    loose = importlib.import_module("toy.loose")
    loose.work = type(work)(work.__code__, {"__name__": "toy.loose"})
    both = source_fingerprint(work, loose.work, package=package)
    assert both != toy()
    (package / "loose.py").write_text("x = 2\n")
    source._read.cache_clear()
    assert source_fingerprint(work, loose.work, package=package) != both


def test_the_fingerprint_is_the_same_on_every_python():
    # `ast.dump` of this differs between 3.11, 3.12 (type_params) and 3.13 (empty lists left out).
    tree = source._plain(source._WithoutWords().visit(ast.parse("def f(a=[]):\n    return a")))
    assert repr(tree) == (
        "['Module', ['body', [['FunctionDef', ['name', \"'f'\"], ['args', ['arguments', ['args', "
        "[['arg', ['arg', \"'a'\"]]]], ['defaults', [['List', ['ctx', ['Load']]]]]]], ['body', "
        "[['Return', ['value', ['Name', ['id', \"'a'\"], ['ctx', ['Load']]]]]]]]]]]"
    )
