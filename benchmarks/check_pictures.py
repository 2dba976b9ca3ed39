"""How long `check` looks at as many pictures as GOD has with 40 unseen ones a category.

JPEGs of 500 x 375, each a texture moved along; decoded in small, then held against one another.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from brain_teacher.machine import cores
from brain_teacher.sources.checks.likeness import groups_alike
from brain_teacher.sources.checks.looks import look_at


def texture(seed):
    """Noise of three scales, smooth as what a lens draws."""
    rng, pixels = np.random.default_rng(seed), np.full((375, 500, 3), 128.0)
    for waves, height in ((4, 30), (40, 10), (150, 4)):
        coarse = Image.fromarray(rng.integers(0, 256, (waves, waves, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC), dtype=float)
        pixels += (smooth - 128) * height / 50
    return pixels.clip(0, 255).astype(np.uint8)


def main():
    """Write pictures, look at them, say how long that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=7200)
    count = parser.parse_args().pictures
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.jpg" for number in range(count)]
        textures, rng = [texture(seed) for seed in range(16)], np.random.default_rng(0)
        for number, path in enumerate(paths):
            shift = rng.integers(0, 500, 2)
            pixels = np.roll(textures[number % 16], shift, axis=(0, 1))
            Image.fromarray(pixels).save(path, quality=90)
        begun = time.perf_counter(), time.process_time()
        looks, _ = look_at(paths)
        looked = time.perf_counter(), time.process_time()
        groups_alike(looks)
        compared = time.perf_counter(), time.process_time()
    times = [
        f"{what} in {end[0] - start[0]:.1f} s ({end[1] - start[1]:.1f} s of one core)"
        for what, start, end in (
            ("looked at", begun, looked),
            ("held against one another", looked, compared),
        )
    ]
    print(f"{count:,} JPEGs of 500 x 375, {cores()} threads: {', '.join(times)}")


if __name__ == "__main__":
    main()
