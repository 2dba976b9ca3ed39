"""For the site alone: README, CONTRIBUTING and CHANGELOG as pages, and links that fit there."""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
# What lies beside docs/, and the page that it becomes.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s#]*)([^)\s]*\))")


def on_files(files, config):
    """Add the pages that lie beside docs/."""
    for name, page in PAGES.items():
        text = (ROOT / name).read_text("utf-8")
        files.append(File.generated(config, page, content=LINK.sub(_from_root, text)))
    return files


def on_page_markdown(markdown, **_):
    """Links from docs/ to what lies beside it."""
    return LINK.sub(lambda link: link[1] + _page(link[2].removeprefix("../")) + link[3], markdown)


def _from_root(link):
    """A link of a page that lay beside docs/; to what is no page, its words alone."""
    before, target, after = link.groups()
    if target in PAGES or not target or "://" in target:
        return before + _page(target) + after
    if target.startswith("docs/"):
        return before + target.removeprefix("docs/") + after
    return before.removeprefix("[").removesuffix("](")


def _page(target):
    return PAGES.get(target, target)
