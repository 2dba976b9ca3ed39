"""What to type next, and where the figure lies: how a command that was started by hand ends."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# The command's folder is {made}, what it was given {data} and {students}; {on} is --data and
# --params, where they were given.
NEXT = {
    "simulate": "brain-teacher check {made}",
    "check": "brain-teacher preprocess --data {data}",
    "use": "dvc repro",
    "preprocess": "brain-teacher decode{on} --voxels {made}",
    "decode": "brain-teacher distill{on} --soft-labels {made}",
    "controls": "brain-teacher distill{on} --controls {made} --teacher all",
    "rivals": "brain-teacher distill{on} --rivals {made} --teacher all",
    "distill": "brain-teacher compare{params} --students {made}",
    "compare": "brain-teacher promote{params} --students {students} --comparison {made} --dry-run",
    "promote": "make ui",
}
FIGURES = {
    "decode": "accuracy.png",
    "explore": "rois.png",
    "multiverse": "specifications.png",
    "dissect": "contributions.png",
    "compare": "comparison.png",
    "outcomes": "outcomes.png",
}


def following(
    command: str, made: Path | None, given: dict[str, Any], typed: dict[str, str | None]
) -> Iterator[str]:
    """The last lines of a command; none under DVC, which goes on by itself.

    `made` is the folder that it wrote, `given` are its arguments, `typed` those of ``--data`` and
    ``--params`` that a person gave.
    """
    if "DVC_STAGE" in os.environ:
        return
    if made is not None and command in FIGURES:
        yield f"figure: {made / 'figures' / FIGURES[command]}"
    template = NEXT.get(command, "")
    only_listed = command == "use" and given["name"] is None
    if not template or only_listed or ("{made}" in template and made is None):
        return
    options = {
        name: f" --{name} {shlex.quote(str(value))}" if value else ""
        for name, value in typed.items()
    }
    places = {name: shlex.quote(str(given.get(name))) for name in ("data", "students")}
    places |= {"made": shlex.quote(str(made)), "params": options["params"]}
    yield "next: " + template.format(on=options["data"] + options["params"], **places)
