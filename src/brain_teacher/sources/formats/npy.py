"""NumPy's files of anybody: opened without trust."""

from pathlib import Path

import numpy as np
from numpy.lib.format import MAGIC_PREFIX


def load_arrays(file, names=None):
    """Load an ``.npy`` or ``.npz`` file; nothing is unpickled.

    Parameters
    ----------
    file : path-like
    names : sequence of str, optional
        Of an ``.npz`` only these, as far as they are there; all, if not given.

    Returns
    -------
    ndarray, or dict of str to ndarray
        Of an ``.npz`` by name.

    Raises
    ------
    ValueError
        If the file is neither, or broken.
    """
    # Opened here: np.load leaves a file open that turns out to be broken.
    with Path(file).open("rb") as stream:
        if not stream.read(6).startswith((MAGIC_PREFIX, b"PK\3\4")):
            # Before numpy sees it, which would advise to load it unsafely.
            raise ValueError("is neither .npy nor .npz")
        stream.seek(0)
        try:
            content = np.load(stream, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return content
            wanted = [name for name in content.files if names is None or name in names]
            # A member of the archive that is no array comes as bytes.
            return {name: np.asarray(content[name]) for name in wanted}
        except Exception as error:
            # numpy, zipfile, zlib and tokenize have a dozen kinds of them for a broken file.
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(f"is no .npy or .npz of numbers ({reason})") from error
