"""What a remote gives is put in place only if it is what git names."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo

from helpers.running import run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # DVC's own

REFUSED = (
    "Error: the remote holds other files than git names, and nothing was put in place; ask who "
    "keeps it, or pull from another:\n"
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two subjects' files under DVC, which only the remote has."""
    monkeypatch.chdir(tmp_path)
    Path("data/bdata").mkdir(parents=True)
    for name in ("S1", "S2"):
        Path(f"data/bdata/{name}.h5").write_text(name)
    with Repo.init(no_scm=True) as repo:
        with repo.config.edit() as config:
            config["remote"]["lab"] = {"url": str(tmp_path / "lab"), "verify": True}
            config["core"] |= {"remote": "lab", "analytics": False}
        repo.add("data")
        repo.push()
    lose()
    return tmp_path


def lose():
    shutil.rmtree("data")
    shutil.rmtree(".dvc/cache", ignore_errors=True)


def listing():
    """The remote's listing of the folder."""
    (found,) = Path("lab").rglob("*.dir")
    found.chmod(0o644)
    return found


def test_what_is_as_git_names_it_is_put_in_place(project):
    assert run("pull", "data.dvc").endswith("data: as git names it\n")
    assert Path("data/bdata/S1.h5").read_text() == "S1"
    lose()
    run("pull", "data", "--remote", "lab")
    assert Path("data/bdata/S2.h5").read_text() == "S2"


def test_an_output_may_name_its_own_remote(project):
    with Repo() as repo, repo.config.edit() as config:
        del config["core"]["remote"]
    tracked = Path("data.dvc")
    tracked.write_text(f"{tracked.read_text().rstrip()}\n  remote: lab\n")
    run("pull", "data.dvc")
    assert Path("data/bdata/S1.h5").read_text() == "S1"


def exchange(entries):
    one, two = entries
    one["md5"], two["md5"] = two["md5"], one["md5"]


def lead_out(entries):
    entries[0]["relpath"] = "../../owned"


@pytest.mark.parametrize("change", [exchange, lead_out])
def test_a_listing_that_was_changed_puts_nothing_in_place(change, project):
    file = listing()
    good = file.read_text()
    entries = json.loads(good)
    change(entries)
    file.write_text(json.dumps(entries))
    name = f"{file.parent.name}{file.name}"
    for _ in range(2):  # nor is what came the first time believed the second
        said = run("pull", "data.dvc", code=1)
        assert said.endswith(f"{REFUSED}  data: its listing is not {name}\n")
    assert not Path("data").exists() and not (project.parent / "owned").exists()
    file.write_text(good)
    run("pull", "data.dvc")
    assert Path("data/bdata/S1.h5").read_text() == "S1"


def test_a_listing_that_leads_out_is_refused_even_where_git_names_it(project):
    file = listing()
    entries = json.loads(file.read_text())
    lead_out(entries)
    text = json.dumps(entries)
    digest = f"{hashlib.md5(text.encode()).hexdigest()}.dir"
    before = f"{file.parent.name}{file.name}"
    new = Path("lab/files/md5") / digest[:2] / digest[2:]
    new.parent.mkdir(exist_ok=True)
    new.write_text(text)
    Path("data.dvc").write_text(Path("data.dvc").read_text().replace(before, digest))
    said = run("pull", "data.dvc", code=1)
    assert "'../../owned' leads out of the data set" in said
    assert not Path("data").exists()


def test_what_dvc_does_not_know_is_a_line(project):
    said = run("pull", "nothing", code=1)
    assert said.startswith("Error: 'nothing' does not exist") and said.count("\n") == 1


def test_what_dvc_believed_before_is_not_believed(project):
    file = listing()
    good = file.read_text()
    entries = json.loads(good)
    exchange(entries)
    file.write_text(json.dumps(entries))
    with Repo() as repo:
        repo.pull("data.dvc")
    assert Path("data/bdata/S1.h5").read_text() == "S2"  # the day this fails, DVC verifies
    file.write_text(good)
    shutil.rmtree("data")
    run("pull", "data.dvc")
    assert Path("data/bdata/S1.h5").read_text() == "S1"


def test_a_damaged_file_is_named(project):
    (damaged,) = (
        path for path in Path("lab").rglob("*") if path.is_file() and path.read_text() == "S2"
    )
    damaged.chmod(0o644)
    damaged.write_text("S?")
    said = run("pull", "data.dvc", code=1)
    name = f"{damaged.parent.name}{damaged.name}"
    assert said.endswith(f"{REFUSED}  data/bdata/S2.h5: it is not {name}\n")
    assert not Path("data").exists()
