"""A fingerprint of the code that makes a result: of what it means, not of how it is written."""

import ast
import inspect
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from brain_teacher.files import fingerprint

PACKAGE = Path(__file__).parents[1]
# Modules (or whole packages) that a worker may import and that cannot change its result.
WITHOUT_CONSEQUENCE = {
    "brain_teacher.cells": "hands out work and keeps what comes back, as it is",
    "brain_teacher.decoding.decoders.table": "hands on functions, of which a cell names its own",
    "brain_teacher.errors": "classes of errors, and their words",
    "brain_teacher.files": "writes what is finished, whole or not at all",
    "brain_teacher.machine": "says where work runs",
    "brain_teacher.networks.memory": "keeps freed memory for the next step; no number is touched",
    "brain_teacher.reading": "reads files; what was read stands in a cell's fingerprint",
    "brain_teacher.report": "draws and words what is finished",
    "brain_teacher.settings": "checks settings; what they are stands in a cell's fingerprint",
    "brain_teacher.tracking": "tells MLflow of what is finished",
}


def source_fingerprint(*functions: Callable, package: Path = PACKAGE) -> str:
    """SHA-256 over the meaning of functions' modules and of all that they import of this package.

    The meaning is the abstract syntax tree without docstrings, comments and the annotations of
    functions. Imports inside functions count; `WITHOUT_CONSEQUENCE` does not.
    """
    modules = {inspect.unwrap(function).__module__ for function in functions}
    names = sorted({name for module in modules for name in modules_of(module, package)})
    return fingerprint([[name, _read(package, name)[0]] for name in names])


@cache
def modules_of(module: str, package: Path = PACKAGE) -> tuple[str, ...]:
    """The modules of this package that one imports, directly or not; sorted.

    Itself is included, and so is what it imports, even where it is without consequence to others.
    """
    without = tuple(f"{each}." for each in WITHOUT_CONSEQUENCE)
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found and (name == module or not f"{name}.".startswith(without)):
            found.add(name)
            waiting += _read(package, name)[1]
    return tuple(sorted(found))


@cache
def _read(package: Path, module: str) -> tuple[str, tuple[str, ...]]:
    """A module's meaning, and which of this package's it imports."""
    tree = ast.parse(_file_of(package, module).read_bytes())
    imported: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                imported.append(inner if _exists(package, inner) else str(node.module))
        elif isinstance(node, ast.Import):
            imported += [name.name for name in node.names]
    own = [name for name in imported if _exists(package, name)]
    # Importing a module runs the packages that it lies in; the outermost only hands names on.
    around = [".".join(name.split(".")[:n]) for name in own for n in range(2, name.count(".") + 1)]
    return repr(_plain(_WithoutWords().visit(tree))), tuple({*own, *around})


def _plain(node: Any) -> Any:
    """A syntax tree as lists; not `ast.dump`'s words, which differ between Python's versions."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    held = [
        [name, _plain(value)] for name, value in ast.iter_fields(node) if value not in (None, [])
    ]
    return [type(node).__name__, *held]


def _file_of(package: Path, module: str) -> Path:
    if module.split(".")[0] != package.name:  # of a study, or a test
        return Path(inspect.getsourcefile(sys.modules[module]) or "")
    place = package.joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _exists(package: Path, module: str) -> bool:
    return module.split(".")[0] == package.name and _file_of(package, module).is_file()


class _WithoutWords(ast.NodeTransformer):
    """Takes away docstrings and the annotations of functions."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                # Also of a class or function that has nothing else.
                node.body = node.body[1:] or [ast.Pass()]
        elif isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        return node
