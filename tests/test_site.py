"""The pages as a site: what `make docs` takes for an error, and that no page is left out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
BESIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "mkdocs.yml")


def in_nav(part):
    """The pages of a navigation."""
    if isinstance(part, str):
        return [part]
    return [page for each in (part.values() if isinstance(part, dict) else part)
            for page in in_nav(each)]  # fmt: skip


def test_every_page_stands_in_the_navigation_once():
    nav = in_nav(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"])
    pages = [path.name for path in (ROOT / "docs").glob("*.md")]
    assert sorted(nav) == sorted([*pages, "index.md", "contributing.md", "changelog.md"])


@pytest.mark.full
def test_a_link_that_leads_nowhere_is_an_error(tmp_path):
    pytest.importorskip("mkdocs")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        shutil.copy(ROOT / name, tmp_path)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    assert "mkdocs build --strict\n" in (ROOT / "Makefile").read_text("utf-8")
    options = {"cwd": tmp_path, "env": os.environ | {"NO_MKDOCS_2_WARNING": "1"}}
    done = subprocess.run(command, **options, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "runs" / "site" / "index.html").read_text("utf-8")
    assert 'href="glossary.html"' in index and 'href="contributing.html"' in index
    with (tmp_path / "docs" / "glossary.md").open("a") as page:
        page.write("\n[nowhere](nowhere.md)\n")
    done = subprocess.run(command, **options, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "'nowhere.md'" in done.stderr
