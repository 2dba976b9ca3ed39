"""Made-up pictures, and trees of them as ImageNet's are laid out."""

import io
import tarfile
import zipfile

import numpy as np
from PIL import Image

# Why no bytes of another kind are a picture.
NO_PICTURE = "not a JPEG, PNG, GIF, BMP, TIFF or WebP picture"


def picture(name, *, kind="JPEG", mode="RGB", size=(12, 9)):
    """The bytes of a picture that differs from name to name."""
    rng = np.random.default_rng(list(name.encode()))
    pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, format=kind)
    return stream.getvalue()


def write_folder(root, names, content=picture):
    """``root/<synset>/<name>``: `content` gives the bytes of a name."""
    for name in names:
        folder = root / name.split("_")[0].lower()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content(name))
    return root


def write_tar(path, names, content=picture, *, prefix="", mode="w"):
    """A synset's tar file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name in names:
            data = content(name)
            member = tarfile.TarInfo(prefix + name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def write_zip(path, names, content=picture, *, prefix="", method=zipfile.ZIP_DEFLATED):
    """A zip file of pictures."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in names:
            archive.writestr(prefix + name, content(name))
    return path
