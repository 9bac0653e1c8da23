"""`pelage predict` of one picture as a new process, from its start to its end. Files are in the page cache."""

from works.common import row, timed, turns

TITLE, UNIT = "One picture, a new process", "ms"
PACKAGES = []


def measure(bench):
    picture = next(iter(sorted(bench.pictures(400).rglob("*.jpg"))))
    for title, backbone, bar in [("cnn3", None, 10), ("EfficientNet-Lite0", "efficientnet_lite0", 30)]:
        run = bench.model(backbone)
        values = turns({"pelage": lambda: 1000 * timed(lambda: bench.say("predict", run, picture))}, 20, warm_up=True)
        yield row(title, values, less=True, bars={"pelage": bar})
