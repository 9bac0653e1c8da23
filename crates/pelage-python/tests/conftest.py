"""Small pictures that are drawn: stripes, upright and level."""

import numpy
import pytest
from PIL import Image


def stripes(level, seed, side=24):
    """An array of rows x columns x 3."""
    draw = numpy.random.default_rng(seed)
    along = numpy.indices((side, side))[0 if level else 1]
    pattern = (along + draw.integers(0, 7)) // draw.integers(2, 4) % 2 * 100 + 70
    return (pattern[..., None] + draw.integers(0, 60, (side, side, 3))).astype(numpy.uint8)


@pytest.fixture(scope="session")
def pictures():
    """Forty arrays and their labels."""
    labels = numpy.array(["level", "upright"] * 20)
    return numpy.stack([stripes(label == "level", seed) for seed, label in enumerate(labels)]), labels


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder of class folders."""
    folder = tmp_path_factory.mktemp("data")
    for label in ("level", "upright"):
        (folder / label).mkdir()
        for number in range(24):
            Image.fromarray(stripes(label == "level", number)).save(folder / label / f"{number}.png")
    return folder


SMALL = {"validation_split": 0.25, "image_size": 24, "batch_size": 8, "optimizer": "adam", "learning_rate": 0.003}


@pytest.fixture(scope="session")
def run(data, tmp_path_factory):
    """A small run."""
    import pelage

    out = tmp_path_factory.mktemp("runs") / "small"
    return pelage.train(data, epochs=8, patience=0, out=out, progress=False, **SMALL)
