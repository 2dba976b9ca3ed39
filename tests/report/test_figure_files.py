"""Names of people in figures: as they are spelt, whatever they hold."""

import xml.etree.ElementTree as ET

import pytest

from brain_teacher.report.figure_files import write_figure
from brain_teacher.report.layout import new_figure, write_caption, write_title

# The first ended `decode` at its last step: matplotlib took it for a formula.
NAMES = [r"$\frac{1$", "$x$ and $y$", r"a\$b", "costs $5", "\x1b[31mred", "a\tb\0c", "日本 cat"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("error:Glyph")
def test_a_name_is_no_formula_and_an_svg_is_read_again(tmp_path, name):
    figure = new_figure(3, 2)
    ax = figure.add_subplot(label="x")
    ax.plot([1, 2], [3, 4], label=name)
    ax.set_xticks([1, 2], [name, "b"])
    ax.set_title(name)
    ax.annotate(name, (1, 3))
    ax.legend()
    write_title(figure, name)
    write_caption(figure, name)
    png, svg = write_figure(tmp_path / "a", figure)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert ET.parse(svg).getroot().tag.endswith("svg")
    told = {text.get_text() for text in figure.findobj(lambda each: hasattr(each, "get_text"))}
    assert "".join(letter if letter >= " " else " " for letter in name) in told
