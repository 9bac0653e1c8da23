"""`pelage predict` of one picture as a new process, from its start to its end. Files are in the page cache."""

import subprocess

from works.common import row, timed, turns

TITLE, UNIT = "One picture, a new process", "ms"
PACKAGES = []


def measure(bench):
    picture = next(iter(sorted(bench.pictures(400).rglob("*.jpg"))))
    for title, backbone, bar in [("cnn3", None, 10), ("EfficientNet-Lite0", "efficientnet_lite0", 30)]:
        run = bench.model(backbone)
        command = [bench.binary, "predict", run, picture]
        bench.say(*command[1:])
        own = lambda: 1000 * timed(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, env=bench.environment))
        values = turns({"pelage": own}, bench.rounds(30, 20))
        yield row(title, values, less=True, bars={"pelage": bar})
