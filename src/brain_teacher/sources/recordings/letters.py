"""Printed letters, drawn like Miyawaki's patterns: what his students are judged on.

The fonts are those that matplotlib carries, the strokes FreeType's through PIL: other versions of
the two may draw single pixels otherwise (here matplotlib 3.11 and PIL 13 with FreeType 2.14).
"""

from importlib.metadata import distribution

# Fonts that matplotlib carries and whose letters are letters (looked at, on a sheet). Left out: the
# STIX symbol fonts, DejaVu's Display fonts, cmex10, cmsy10 and LastResort, which have none.
FONTS = {
    "validation": ["STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"],
    "test": [
        f"DejaVu{family}"
        for family in (
            *("Sans", "Sans-Bold", "Sans-Oblique", "Sans-BoldOblique"),
            *("SansMono", "SansMono-Bold", "SansMono-Oblique", "SansMono-BoldOblique"),
            *("Serif", "Serif-Bold", "Serif-Italic", "Serif-BoldItalic"),
        )
    ]
    + ["cmb10", "cmmi10", "cmr10", "cmss10", "cmti10", "cmtt10"],
}
LETTERS = ("e", "n", "o", "r", "u")
# Side of a picture, and the heights of the letters in it, in pixels: 2 to a cell of the 12x12
# patterns, whose letters are 5 (thin), 6 (normal) and 8 (long) cells high.
SIDE, CELL, HEIGHTS = 24, 2, (10, 12, 16)


def write_letters(folder):
    """Write letters white on black, upright, centred, as high as the patterns'.

    Gives the rows of ``unseen.csv``: image id, category, split.
    """
    rows = []
    for split, fonts in FONTS.items():
        for font in fonts:
            for letter in LETTERS:
                (folder / letter).mkdir(parents=True, exist_ok=True)
                for height in HEIGHTS:
                    name = f"{font}_{letter}_{height}"
                    draw_letter(font, letter, height).save(folder / letter / f"{name}.png")
                    rows.append((name, letter, split))
    return rows


def draw_letter(font, letter, height):
    """One letter of a font of matplotlib's, its ink `height` pixels high, in the middle.

    Raises
    ------
    ValueError
        If this version of matplotlib has no such font.
    """
    from PIL import Image, ImageDraw, ImageFont

    # Found, not imported: only `report` draws with matplotlib.
    matplotlib = distribution("matplotlib")
    file = matplotlib.locate_file(f"matplotlib/mpl-data/fonts/ttf/{font}.ttf")
    try:
        type_face = ImageFont.truetype(str(file), 300)
    except OSError as error:
        raise ValueError(
            f"matplotlib {matplotlib.version} has no font {font}; install the one of "
            "requirements.txt"
        ) from error
    large = Image.new("L", (600, 600))
    ImageDraw.Draw(large).text((150, 100), letter, fill=255, font=type_face)
    ink = large.crop(large.getbbox())
    width = round(height * ink.width / ink.height)
    small = ink.resize((width, height), Image.Resampling.BOX)
    picture = Image.new("L", (SIDE, SIDE))
    picture.paste(small, ((SIDE - width) // 2, (SIDE - height) // 2))
    return picture
