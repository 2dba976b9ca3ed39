"""``registry``: which versions of the registered model there are, and why each alias is there."""

import textwrap

from tabulate import tabulate

from brain_teacher.commands import Say
from brain_teacher.tracking import MODEL, Registry, Version

COLUMNS = ("version", "aliases", "data", "student", "verdict", "files")


def registry(*, say: Say = print) -> None:
    """List the versions with their verdicts, and say of each alias why it is where it is."""
    there = Registry()
    versions, reasons = there.versions(), there.reasons()
    if not versions:
        say(f"{MODEL} has no version yet: `brain-teacher promote` makes one")
        return
    table = [_row(each) for each in versions]
    say(tabulate(table, headers=COLUMNS, tablefmt="simple", disable_numparse=True))
    gone = {alias for each in versions if not each.has_files for alias in each.aliases}
    held = {alias: each for each in versions for alias in each.aliases}
    for alias in sorted(reasons.keys() | held.keys()):
        why = reasons.get(alias, "")
        if alias in held and not why.startswith(f"version {held[alias].number} "):
            before = (
                f"moved by hand; before that: {why}" if why else "set by hand, nobody said why."
            )
            why = f"version {held[alias].number}, {before}"
        if alias in gone:
            why += " Its files are gone: promote again."
        say("\n".join(textwrap.wrap(f"{alias}: {why}", 92, subsequent_indent="  ")))


def _row(version: Version) -> list[str]:
    tags = {key: version.tags.get(key, "?") for key in ("dataset", "kind", "seed", "verdict")}
    simulated = version.tags.get("simulated") == "True"
    return [
        version.number,
        ", ".join(version.aliases),
        tags["dataset"] + (" (simulated)" if simulated else ""),
        f"{tags['kind']} seed {tags['seed']}",
        tags["verdict"],
        "there" if version.has_files else "gone",
    ]
