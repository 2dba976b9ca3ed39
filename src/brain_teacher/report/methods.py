"""The text of a methods section, made of sentences that stand beside the code that does the thing.

A function whose work belongs into a paper has a section ``In the methods`` in its docstring: a
Jinja template of the settings and of what was made. So whoever changes the code sees its sentence;
and a changed sentence makes nothing anew, since docstrings count in no fingerprint.
"""

import ast
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from brain_teacher.reading.text import read_text
from brain_teacher.report.references import REFERENCES

PACKAGE = Path(__file__).parents[1]
_SECTION = re.compile(r"(?ms)^In the methods\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)")
_CITED = re.compile(r"\[(@[a-z0-9]+(?:; @[a-z0-9]+)*)\]")
LICENCE = (
    "This text was made by brain-teacher from the settings and the files of this run. It is given "
    "under CC0: copy it unchanged into a paper, with its references."
)

# A heading and its paragraphs.
Part = tuple[str, list[str]]
# A function, or where one stands (``room.module:name``): so torch is not loaded for a sentence.
Place = str | Callable


def sentences(place: Place, known: Mapping[str, Any]) -> str:
    """What a function says of itself, of what is `known`; empty where it has nothing to say."""
    template = _template(place)
    return " ".join(_environment().from_string(template).render(known).split()) if template else ""


def paragraph(places: Sequence[Place], known: Mapping[str, Any]) -> str:
    """What several functions say, one after the other."""
    return " ".join(filter(None, (sentences(place, known) for place in places)))


@cache
def _template(place: Place) -> str:
    if isinstance(place, str):
        module, _, name = place.partition(":")
        tree = ast.parse(read_text(PACKAGE / f"{module.replace('.', '/')}.py"))
        kinds = (ast.FunctionDef, ast.ClassDef)
        text = next(
            ast.get_docstring(node) or ""
            for node in tree.body
            if isinstance(node, kinds) and node.name == name
        )
    else:
        text = inspect.getdoc(place) or ""
    found = _SECTION.search(text)
    return " ".join(found[1].split()) if found else ""


@cache
def _environment() -> Environment:
    # Not for HTML: the page escapes what it shows.
    made = Environment(undefined=StrictUndefined, finalize=_shown, autoescape=False)
    made.filters["percent"] = lambda share: f"{100 * share:g}%"
    return made


def _shown(value: Any) -> Any:
    """Numbers with the digits that they have, several things as people list them."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        names = [str(_shown(each)) for each in value]
        return " and ".join(filter(None, (", ".join(names[:-1]), "".join(names[-1:]))))
    return value


def cited(parts: Sequence[Part]) -> list[str]:
    """The keys of all works that a text cites and that are known, sorted."""
    found = {key for _, each in parts for text in each for key in _keys(text)}
    return sorted(found & REFERENCES.keys())


def _keys(text: str) -> list[str]:
    return [key.lstrip("@") for match in _CITED.findall(text) for key in match.split("; ")]


def as_markdown(parts: Sequence[Part]) -> str:
    """``methods.md``, whose citations pandoc resolves in ``references.bib``."""
    texts = [f"# Methods\n\n{LICENCE}"]
    texts += [f"## {heading}\n\n" + "\n\n".join(each) for heading, each in parts]
    return "\n\n".join(texts) + "\n"


def as_html(text: str) -> Markup:
    """A text for the page: escaped, with names of code and links to the works that it cites."""
    html = re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(_CITED.sub(_linked, html))  # everything that a person named was escaped before


def _linked(match: re.Match) -> str:
    known = [key for key in _keys(match[0]) if key in REFERENCES]
    links = [f'<a href="#ref-{key}">{escape(REFERENCES[key].short)}</a>' for key in known]
    return f"({'; '.join(links)})" if links else match[0]
