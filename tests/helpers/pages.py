"""A page of docs/, run as it is printed."""

import re
import shlex
import shutil
from pathlib import Path

import yaml

from helpers.running import ROOT, run

# A few students that learn nothing, in seconds: what is tried is the way.
QUICK = {
    "distill": {"epochs": 1, "width": 8, "image_size": 8, "shift": 1, "seeds": 2, "batch": 16,
                "stem": "small", "precision": "float32"},
    "decode": {"noise_above_chance": "allow"},
}  # fmt: skip


def commands_of(page):
    """Every command of the unmarked blocks of ``docs/<page>``, as lists of words."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = [line for kind, block in blocks if not kind for line in block.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines]
    assert commands and all(words[0] == "brain-teacher" for words in commands), lines
    return [words[1:] for words in commands]


def quick_presets(**changes):
    """Put the repository's presets into the working folder, for a few small students."""
    shutil.copytree(ROOT / "params", "params")
    for path in Path("params").glob("*.yaml"):
        content = yaml.safe_load(path.read_text("utf-8"))
        for block in {**QUICK, **changes}:
            content[block] = content.get(block, {}) | QUICK.get(block, {}) | changes.get(block, {})
        path.write_text(yaml.safe_dump(content, sort_keys=False))


def run_page(page, more=None, only="", without=None):
    """Run the commands of a page in the working folder; gives what each printed, by its words.

    `more` are options of a command, by its first words (``fetch deeprecon``): where its files are.
    `only` and `without` are words that the commands have, or have not.
    """
    said = {}
    for words in commands_of(page):
        named = " ".join(words)
        if only not in named or (without and without in named):
            continue
        extra = [each for start, each in (more or {}).items() if named.startswith(start)]
        said[named] = run(*words, *(word for each in extra for word in each))
    return said
