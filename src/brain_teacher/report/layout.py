"""What the decoders' figures share: size, title, caption, colours, short names."""

import textwrap

from matplotlib.figure import Figure

# Its lightness rises evenly: it reads in grey, and for colour-blind eyes.
COLOUR_MAP = "cividis"


def new_figure(width, height):
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06)
    return figure


def write_title(figure, text):
    # 12 pt bold: about 10 letters an inch; 8 pt: about 17.
    text = textwrap.fill(text, int(9.5 * figure.get_figwidth()), break_on_hyphens=False)
    figure.suptitle(text, x=0.01, ha="left", fontsize=12, fontweight="bold")


def write_caption(figure, text):
    text = textwrap.fill(text, int(16 * figure.get_figwidth()), break_on_hyphens=False)
    figure.supxlabel(text, x=0.01, ha="left", fontsize=8, color="0.25")


def shorten(name, letters=29):
    return name if len(name) <= letters else name[: letters - 1].rstrip() + "…"
