"""Makes pictures that are neither cat nor dog, 200 of each kind, for "Unknown pictures" in docs/BENCHMARKS.md. Needs numpy
and Pillow.

    python unknown.py OUT        # OUT/noise, OUT/textures, OUT/letters
"""
import string
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIDE = 200
random = np.random.default_rng(0)


def color():
    return tuple(int(value) for value in random.integers(0, 256, 3))


def noise(_):
    return Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8))


def texture(i):
    """A grating, a checkerboard or clouds, between two colors."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    if i % 3 == 0:
        angle, frequency = random.uniform(0, np.pi), random.uniform(0.03, 0.4)
        mix = 0.5 + 0.5 * np.sin(frequency * (x * np.cos(angle) + y * np.sin(angle)))
    elif i % 3 == 1:
        side = random.integers(5, 40)
        mix = (x // side + y // side) % 2
    else:
        grains = Image.fromarray(random.integers(0, 256, (SIDE, SIDE)).astype(np.uint8))
        mix = np.asarray(grains.filter(ImageFilter.GaussianBlur(random.uniform(3, 12))), float)
        mix = (mix - mix.min()) / (mix.max() - mix.min())
    low, high = np.array(color()), np.array(color())
    return Image.fromarray((low + (high - low) * mix[..., None]).astype(np.uint8))


def letters(_):
    picture = Image.new("RGB", (SIDE, SIDE), color())
    draw = ImageDraw.Draw(picture)
    for _ in range(random.integers(1, 6)):
        place = (int(random.integers(0, 120)), int(random.integers(-20, 100)))
        letter = string.ascii_letters[random.integers(52)]
        draw.text(place, letter, fill=color(), font=ImageFont.load_default(int(random.integers(40, 150))))
    return picture


for kind, make in [("noise", noise), ("textures", texture), ("letters", letters)]:
    folder = Path(sys.argv[1]) / kind
    folder.mkdir(parents=True)
    for i in range(200):
        make(i).save(folder / f"{i}.png")
