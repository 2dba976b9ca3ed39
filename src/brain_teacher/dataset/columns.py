"""Columns as notebooks have them, lists or pandas or objects, as arrays of text or of numbers."""

import numpy as np


def as_text(name, column):
    """Ids as an array of text; whole numbers are written out.

    Parameters
    ----------
    name : str
        What the column is called where something is wrong.
    column : array_like of shape (n,)

    Raises
    ------
    ValueError
        If an entry is neither text nor a whole number: 1.0 could be meant as '1' or '1.0'.

    Examples
    --------
    >>> as_text("image_id", ["a", "b"]).tolist(), as_text("image_id", [7]).tolist()
    (['a', 'b'], ['7'])
    """
    values = _plain(name, column)
    if values.dtype.kind == "O":
        for row, value in enumerate(values.ravel()):
            if not isinstance(value, str | int | np.integer):
                raise ValueError(f"{name} of trial {row} is {value!r}, no text")
    elif values.dtype.kind not in "USiu":
        raise ValueError(f"{name} is {values.dtype}, not text: write ids out, as 'face-1'")
    return values if values.dtype.kind == "U" else values.astype(str)


def as_whole(name, column):
    """Numbers of runs and the like as an array of whole numbers; one that is so stays as it is.

    Parameters
    ----------
    name : str
        What the column is called where something is wrong.
    column : array_like of shape (n,)

    Raises
    ------
    ValueError
        If an entry is no whole number.

    Examples
    --------
    >>> as_whole("run", [1.0, 2.0]).tolist()
    [1, 2]
    """
    values = _plain(name, column)
    if values.dtype.kind in "iu":
        return values
    try:
        numbers = values.astype(float)
    except (TypeError, ValueError):
        numbers = np.full(values.shape, np.nan)
    wrong = ~np.isfinite(numbers) | (numbers != np.floor(numbers))
    if wrong.any():
        row = int(wrong.ravel().argmax())
        raise ValueError(f"{name} of trial {row} is {values.ravel()[row]}, no whole number")
    return numbers.astype(np.int64)


def as_voxels(data):
    """Voxels as an array of numbers; an array of such stays as it is.

    Raises
    ------
    ValueError
        If they are no real numbers, or some are masked.
    """
    values = _plain("voxels", data)
    if values.dtype.kind in "fiu":
        return values
    try:
        if values.dtype.kind == "c":  # numpy would cut the imaginary part off
            raise TypeError
        return values.astype(np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"voxels are {values.dtype}, not numbers") from None


def _plain(name, column):
    """As an array; numpy would take what is masked for what lies under the mask."""
    if np.ma.is_masked(column):
        raise ValueError(f"{name}: some are masked: leave them out, or fill them")
    return np.asarray(column)
