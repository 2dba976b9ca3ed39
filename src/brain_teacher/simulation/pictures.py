"""Simulated pictures: each holds two objects, and its label names only one of them.

A category is a shape with a texture: category ``4 s + t`` is the shape number s with the texture
number t. What a picture truly shows is its *mixture*, ``w`` of the named category and ``1 - w`` of
another one. In about 30% of the pictures the object that the label does not name is the larger
one: that is what a hard label lacks, and what a brain may know.

Distances are in pixels of the large grid: pictures are drawn at twice their size (side S) and
averaged 2 x 2.
"""

import numpy as np

# Signed distance from the outline, negative inside; x to the right, y down, from the centre.
SHAPES = {
    "disc": lambda x, y, r: np.hypot(x, y) - r,
    "square": lambda x, y, r: np.maximum(abs(x), abs(y)) - 0.85 * r,
    "triangle": lambda x, y, r: np.maximum(0.866 * abs(x) - y / 2, y) - 0.55 * r,
    "cross": lambda x, y, r: (
        np.minimum(np.maximum(abs(x), 2.6 * abs(y)), np.maximum(2.6 * abs(x), abs(y))) - r
    ),
    # Of the test categories only; no decoder and no student sees a ring.
    "ring": lambda x, y, r: abs(np.hypot(x, y) - 0.65 * r) - 0.3 * r,
}

# Where a texture is bright, from two waves, sin_x of shape (n, 1, S) and sin_y of shape (n, S, 1).
TEXTURES = {
    "plain": lambda sin_x, _: np.ones((len(sin_x), 1, 1), dtype=bool),
    "horizontal stripes": lambda _, sin_y: sin_y > 0,
    "vertical stripes": lambda sin_x, _: sin_x > 0,
    "checker": lambda sin_x, sin_y: sin_x * sin_y > 0,
}

N_CATEGORIES = len(SHAPES) * len(TEXTURES)
N_TRAINING_CATEGORIES = N_CATEGORIES - len(TEXTURES)

# 64 pictures of 48 x 48 x 3 float64 are 3.5 MB: they stay near the processor.
_CHUNK = 64


def superclass(category):
    """Name of the superclass, which is the shape, of a category's number.

    Examples
    --------
    >>> superclass(6)
    'square'
    """
    return list(SHAPES)[category // len(TEXTURES)]


def category_name(category):
    """Name of a category's number, for people.

    Examples
    --------
    >>> category_name(6)
    'square, vertical stripes'
    """
    return f"{superclass(category)}, {list(TEXTURES)[category % len(TEXTURES)]}"


def draw_mixtures(named, *, n_categories, rng):
    """Draw what pictures show: the named object's weight, and which object is beside it.

    The weight of the named object is uniform in 0.35 to 0.85. The other object is of the same
    superclass with probability 0.5; where there is no category to choose from, it is any other.

    Parameters
    ----------
    named : array_like of shape (n_pictures,), int
        Number of the category that each picture's label names.
    n_categories : int
        The other object is one of the categories 0 to ``n_categories - 1``.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_pictures, N_CATEGORIES), float64
        Weights, no unit; each row has two that are not 0, and sums to 1.
    """
    named = np.asarray(named)
    rows = np.arange(len(named))
    weight = rng.uniform(0.35, 0.85, len(named))
    wants_same = rng.random(len(named)) < 0.5
    candidates = np.arange(n_categories)
    is_other = candidates != named[:, None]
    is_same = candidates // len(TEXTURES) == named[:, None] // len(TEXTURES)
    allowed = is_other & (is_same == wants_same[:, None])
    allowed = np.where(allowed.any(axis=1, keepdims=True), allowed, is_other)
    other = np.where(allowed, rng.random(allowed.shape), -1).argmax(axis=1)
    mixtures = np.zeros((len(named), N_CATEGORIES))
    mixtures[rows, named] = weight
    mixtures[rows, other] = 1 - weight
    return mixtures


def draw_pictures(mixtures, *, size, rng):
    """Draw pictures of two objects each; the heavier one is larger and in front.

    Parameters
    ----------
    mixtures : ndarray of shape (n_pictures, N_CATEGORIES)
        As of `draw_mixtures`: two weights a row.
    size : int
        Side of a picture, in pixels.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_pictures, size, size, 3), uint8
        RGB.

    Raises
    ------
    ValueError
        If a row has not two weights above 0.
    """
    if ((mixtures > 0).sum(axis=1) != 2).any():
        raise ValueError("a picture holds two objects: each row needs two weights above 0")
    # The lighter one first: objects are painted from back to front.
    category = np.argsort(mixtures, axis=1, kind="stable")[:, -2:]
    weight = np.take_along_axis(mixtures, category, axis=1)
    scene = _draw_background(len(mixtures), rng) | _draw_objects(category, weight, 2 * size, rng)
    pictures = np.empty((len(mixtures), size, size, 3), dtype=np.uint8)
    for start in range(0, len(mixtures), _CHUNK):
        part = slice(start, start + _CHUNK)
        canvas = _paint({key: values[part] for key, values in scene.items()}, 2 * size)
        canvas = canvas.reshape(-1, 3, size, 2, size, 2).mean(axis=(3, 5)).transpose(0, 2, 3, 1)
        canvas += rng.normal(0, 0.06, canvas.shape)
        pictures[part] = np.rint(canvas.clip(0, 1) * 255)
    return pictures


def low_level_features(pictures, *, grid, colour):
    """What pictures look like: fields of luminance, of its edges and, if asked for, of colour.

    Parameters
    ----------
    pictures : ndarray of shape (n, size, size, 3), uint8
        RGB; `size` is at least `grid`.
    grid : int
        Fields a side.
    colour : bool
        Whether to add red - green and blue - yellow.

    Returns
    -------
    ndarray of shape (n, (5 if colour else 3) * grid ** 2), float64
        Averages over the fields of luminance, ``|dx|`` and ``|dy|`` of luminance (differences of
        neighbouring pixels), and the colour differences; black is 0, white 1.
    """
    red, green, blue = np.moveaxis(pictures / 255, -1, 0)
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    maps = [
        luminance,
        abs(np.diff(luminance, axis=2, append=luminance[:, :, -1:])),
        abs(np.diff(luminance, axis=1, append=luminance[:, -1:])),
    ]
    if colour:
        maps += [red - green, blue - (red + green) / 2]
    maps = np.stack(maps, axis=1)
    size = maps.shape[-1]
    starts = np.arange(grid) * size // grid
    sums = np.add.reduceat(np.add.reduceat(maps, starts, axis=-1), starts, axis=-2)
    widths = np.diff(starts, append=size)
    return (sums / np.outer(widths, widths)).reshape(len(maps), -1)


def semantic_code(mixtures, *, prefers=None):
    """What pictures show, coded so that the categories of a superclass resemble one another.

    ``u = m E`` with ``E = [sqrt(0.7) identity, sqrt(0.3) superclass]``.

    Parameters
    ----------
    mixtures : ndarray of shape (n, N_CATEGORIES)
    prefers : int, optional
        Superclass that is weighed fully; the others are weighed by 0.35.

    Returns
    -------
    ndarray of shape (n, N_CATEGORIES + n_superclasses), float64
        Without preference, the codes of two categories have the inner product 1 (the same), 0.3
        (of one superclass) or 0.
    """
    shape = np.arange(N_CATEGORIES) // len(TEXTURES)
    one_hot = np.eye(shape[-1] + 1)[shape]
    codes = np.hstack([np.sqrt(0.7) * np.eye(N_CATEGORIES), np.sqrt(0.3) * one_hot])
    weight = 1.0 if prefers is None else np.where(shape == prefers, 1.0, 0.35)
    return (mixtures * weight) @ codes


def category_means(values, category):
    """Each row's category mean in its place.

    Examples
    --------
    >>> category_means(np.array([[1.0], [5.0], [3.0]]), ["a", "b", "a"]).ravel()
    array([2., 5., 2.])
    """
    _, number, counts = np.unique(category, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, number, values)
    return (sums / counts[:, None])[number]


def _draw_background(n, rng):
    return {
        "brightness": rng.uniform(0.25, 0.75, n),
        "slope": 0.15 * rng.uniform(-1, 1, (n, 2)),
        "tint": _rgb_from_hsv(rng.random(n), rng.uniform(0, 0.25, n), np.ones(n)),
    }


def _draw_objects(category, weight, side, rng):
    """Places, colours and textures of two objects a picture, each of shape (n, 2, ...)."""
    n = len(category)
    distance = 0.25 * side * (0.25 + 0.9 * (1 - weight)) + rng.normal(0, 0.02 * side, (n, 2))
    angle = rng.uniform(0, 2 * np.pi, n)[:, None] + [0, np.pi]
    # Two of the three cues (shape, texture, hue) name the category.
    shape, texture = np.divmod(category, len(TEXTURES))
    hue = ((shape + texture) % 4) / 4 + rng.normal(0, 0.06, (n, 2))
    saturation, value = rng.uniform(0.55, 1, (n, 2)), rng.uniform(0.7, 1, (n, 2))
    return {
        "shape": shape,
        "texture": texture,
        "radius": 0.33 * side * np.sqrt(weight),
        "x": side / 2 + distance * np.cos(angle),
        "y": side / 2 + distance * np.sin(angle),
        "colour": _rgb_from_hsv(hue % 1, saturation, value),
        # 8 pixels at S = 48.
        "wavelength": side / 6 * rng.uniform(0.85, 1.2, (n, 2)),
        "phase": rng.uniform(0, 2 * np.pi, (n, 2, 2)),
        "dark": rng.uniform(0.15, 0.45, (n, 2)),
    }


def _rgb_from_hsv(hue, saturation, value):
    """RGB in 0 to 1, on a new last axis, of hue, saturation and value in 0 to 1."""
    k = (np.array([5, 3, 1]) + 6 * hue[..., None]) % 6
    drop = saturation[..., None] * np.minimum(k, 4 - k).clip(0, 1)
    return value[..., None] * (1 - drop)


def _paint(scene, side):
    """Paint background and objects: (n, 3, side, side), 0 to 1 (the background may leave it)."""
    axis = np.linspace(-1, 1, side)
    slope_x, slope_y = scene["slope"].T[:, :, None, None]
    brightness = scene["brightness"][:, None, None] + slope_x * axis + slope_y * axis[:, None]
    canvas = scene["tint"][:, :, None, None] * brightness[:, None]
    for depth in range(2):
        thing = {key: scene[key][:, depth] for key in scene if scene[key].shape[1:2] == (2,)}
        opacity, shade = _outline_and_texture(thing, side)
        colour = thing["colour"][:, :, None, None] * shade[:, None]
        canvas += opacity[:, None] * (colour - canvas)
    return canvas


def _outline_and_texture(thing, side):
    """Opacity (n, side, side) of one object a picture, and its brightness, of the same shape."""
    pixel = np.arange(side) + 0.5
    x = (pixel - thing["x"][:, None])[:, None, :]
    y = (pixel - thing["y"][:, None])[:, :, None]
    turns = (2 * np.pi / thing["wavelength"])[:, None, None]
    sin_x = np.sin(turns * x + thing["phase"][:, 0, None, None])
    sin_y = np.sin(turns * y + thing["phase"][:, 1, None, None])
    distance = np.empty((len(x), side, side))
    is_bright = np.empty((len(x), side, side), dtype=bool)
    for number, outline in enumerate(SHAPES.values()):
        rows = thing["shape"] == number
        distance[rows] = outline(x[rows], y[rows], thing["radius"][rows, None, None])
    for number, bright in enumerate(TEXTURES.values()):
        rows = thing["texture"] == number
        is_bright[rows] = bright(sin_x[rows], sin_y[rows])
    return 1 / (1 + np.exp(2 * distance)), np.where(is_bright, 1, thing["dark"][:, None, None])
