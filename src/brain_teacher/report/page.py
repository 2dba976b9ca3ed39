"""One page that holds everything: its blocks, and how they become HTML without a network."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from brain_teacher.report.methods import Part, as_html, cited
from brain_teacher.report.references import REFERENCES

TEMPLATE = "page.html.j2"
# Beyond, a mail would not carry it: pictures are left out rather than the page be larger.
MOST_BYTES = 5_000_000


@dataclass(frozen=True)
class Text:
    """A paragraph; with a `tone` it stands out."""

    kind: ClassVar[str] = "text"
    words: str
    tone: str = ""  # lead, warning or quote


@dataclass(frozen=True)
class Items:
    """A list."""

    kind: ClassVar[str] = "items"
    items: Sequence[str]
    ordered: bool = False


@dataclass(frozen=True)
class Terms:
    """Terms, and what is said of each."""

    kind: ClassVar[str] = "terms"
    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Code:
    """Lines for a terminal."""

    kind: ClassVar[str] = "code"
    lines: str


@dataclass(frozen=True)
class Interval:
    """A cell with a mean and its interval, which is drawn as well."""

    mean: float
    low: float
    high: float
    words: str


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | Interval]]
    note: str = ""

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends of the scale of its intervals, which holds 0 and a little more than all."""
        cells = [cell for row in self.rows for cell in row if isinstance(cell, Interval)]
        low = min([0.0, *(cell.low for cell in cells)])
        high = max([0.0, *(cell.high for cell in cells)])
        room = 0.04 * (high - low) or 1.0
        return low - room, high + room


@dataclass(frozen=True)
class Figure:
    """A picture that is drawn already, and what it shows for who cannot see it."""

    kind: ClassVar[str] = "figure"
    caption: str
    alt: str
    png: bytes = field(repr=False)


@dataclass(frozen=True)
class Cards:
    """Pictures with guesses: see `brain_teacher.chain.telling.pictures`."""

    kind: ClassVar[str] = "cards"
    title: str
    cards: Sequence[dict[str, Any]]


Block = Text | Items | Terms | Code | Table | Figure | Cards


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading; `name` is its address on the page."""

    name: str
    title: str
    blocks: Sequence[Block]


def page(
    title: str, *, subtitle: str, simulated: bool, sections: Sequence[Section], methods: list[Part]
) -> str:
    """The whole page as HTML; what people named is escaped."""
    html = _environment().get_template(TEMPLATE)
    references = [(key, REFERENCES[key]) for key in cited(methods)]
    return html.render(
        title=title,
        subtitle=subtitle,
        simulated=simulated,
        sections=sections,
        methods=methods,
        references=references,
    )


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent)
    made = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters["inline"] = lambda png: b64encode(png).decode("ascii")
    made.filters["words"] = as_html
    made.filters["whole_percent"] = lambda share: f"{100 * share:.0f}%"
    made.tests["interval"] = lambda value: isinstance(value, Interval)
    return made
