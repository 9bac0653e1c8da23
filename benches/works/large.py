"""Photographs of 12 megapixels down to the 150 px that a network takes. pelage's time is the whole process of
`predict`, prediction included; TensorFlow's is `image_dataset_from_directory`, which decodes and resizes on all cores,
its start left out."""

from works.common import Skip, row, timed, turns

TITLE, UNIT = "Large photographs", "pictures/s"
PACKAGES = ["tensorflow-cpu", "keras"]
COUNT = 32


def measure(bench):
    peer = bench.start("TensorFlow", "large_tensorflow.py", THREADS=str(bench.threads))
    if peer is None:
        raise Skip("TensorFlow writes the photographs")
    folder = bench.scratch / "photographs"
    megabytes = peer.ask("make", folder=folder, count=COUNT)
    run = bench.model()

    def own():
        return COUNT / timed(lambda: bench.pelage("predict", run, folder / "class", "--threads", bench.threads))

    contestants = {"pelage": own, "TensorFlow": lambda: COUNT / peer.ask("read", folder=folder)}
    yield row(
        f"{COUNT} JPEGs of 12 megapixels, {megabytes:.1f} MB each",
        turns(contestants, bench.rounds(5, 3), warm_up=True),
    )
