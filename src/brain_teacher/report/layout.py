"""What figures share: size, title, caption, colours, short names."""

import textwrap

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

# Its lightness rises evenly: it reads in grey, and for colour-blind eyes.
COLOUR_MAP = "cividis"
# Okabe & Ito's: told apart by colour-blind eyes, and by lightness in grey.
BLUE, VERMILION = "#0072B2", "#D55E00"


def new_figure(width, height):
    """An empty figure of so many inches; no pyplot, no change of matplotlib's settings."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    return Figure(figsize=(width, height), layout=layout)


def write_title(figure, text):
    """Write the text above the figure, in lines of its width."""
    # 12 pt bold: about 10 letters an inch; 8 pt: about 17.
    text = textwrap.fill(text, int(9.5 * figure.get_figwidth()), break_on_hyphens=False)
    figure.suptitle(text, x=0.01, ha="left", fontsize=12, fontweight="bold")


def write_caption(figure, text):
    """Write the text below the figure, in lines of its width."""
    text = textwrap.fill(text, int(16 * figure.get_figwidth()), break_on_hyphens=False)
    figure.supxlabel(text, x=0.01, ha="left", fontsize=8, color="0.25")


def shorten(name, letters=29):
    """The name, or as much of it as fits into so many letters."""
    return name if len(name) <= letters else name[: letters - 1].rstrip() + "…"
