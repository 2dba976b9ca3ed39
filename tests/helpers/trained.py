"""Whether the tests that train have passed on this code: ``.ci/trained.json`` says on which.

``python tests/helpers/trained.py`` runs them, and writes the file if they pass; with ``--check`` it
only compares, and exits with 1 where they are to be run. CONTRIBUTING.md says who writes it when.
"""

import ast
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import yaml

ROOT = Path(__file__).parents[2]
STAMP = Path(".ci", "trained.json")
MARK = "trains"
WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def digests(root=ROOT):
    """SHA-256 of each kind of thing that the result of such a test depends on, by its name."""
    root = Path(root)
    tests = {str(file.relative_to(root)): meaning(file) for file in files_of(root)}
    lock = yaml.safe_load((root / "dvc.lock").read_text("utf-8"))["stages"]
    found = {
        "code": code(root),
        "tests": tests,
        # What code a stage ran is "code": here it stands with its comments.
        "lock": {
            name: {
                place["path"]: place["md5"]
                for place in [*stage.get("deps", []), *stage["outs"]]
                if not place["path"].startswith("src/")
            }
            for name, stage in lock.items()
        },
        "metrics": json.loads((root / "outputs/comparison/metrics.json").read_text("utf-8")),
        "params": yaml.safe_load((root / "params.yaml").read_text("utf-8")),
        "data": yaml.safe_load((root / "data.dvc").read_text("utf-8")),
        "requirements": (root / "requirements.txt").read_text("utf-8"),
    }
    return {name: sha256(json.dumps(value, sort_keys=True)) for name, value in found.items()}


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def files_of(root):
    """The files of tests with that mark, and all of ours beside the package that they import."""
    places = [root / name for name in ("tests", "studies", "benchmarks")]
    marked = (file for file in places[0].rglob("test_*.py") if f"mark.{MARK}" in file.read_text())
    waiting, found = [*marked, places[0] / "conftest.py"], set()
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            names = (name.replace(".", "/") for name in imports(file))
            waiting += [p / f"{n}.py" for n in names for p in places if (p / f"{n}.py").is_file()]
    return sorted(found)


def imports(file):
    """What a file imports: modules, and names that may be modules."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module, *(f"{node.module}.{name.name}" for name in node.names))


def meaning(file):
    """A file's syntax tree without docstrings and comments."""
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, WITH_DOCSTRING) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def code(root):
    """The fingerprint of each module of the package that these files import."""
    from brain_teacher.cells.source import source_fingerprint

    package = root / "src" / "brain_teacher"
    found = {}
    for name in sorted({name for file in files_of(root) for name in imports(file)}):
        place = root / "src" / name.replace(".", "/")
        if name.startswith("brain_teacher.") and place.with_suffix(".py").is_file():
            # Of a function, its module is all that is asked.
            found[name] = source_fingerprint(SimpleNamespace(__module__=name), package=package)
    return found


def changed(root=ROOT):
    """The names of what differs from the committed stamp."""
    stamp = json.loads((root / STAMP).read_text("utf-8")) if (root / STAMP).is_file() else {}
    return [name for name, value in digests(root).items() if stamp.get(name) != value]


def main(arguments):
    if arguments == ["--check"]:
        names = changed()
        print(
            f"not trained on this {', '.join(names)}: `make trained` runs what trains, and writes "
            f"{STAMP}, which is then to be committed"
            if names
            else f"what trains has passed on this code, lock and data ({STAMP})"
        )
        return int(bool(names))
    before = digests()
    files = [file for file in files_of(ROOT) if f"mark.{MARK}" in file.read_text()]
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", "-m", MARK]
    if code := subprocess.run([*command, *map(str, files)], check=False, cwd=ROOT).returncode:
        return code
    if digests() != before:
        print(f"{STAMP} is not written: code, params or lock were changed meanwhile")
        return 1
    (ROOT / STAMP).write_text(json.dumps(before, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
