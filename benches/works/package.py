"""The Python package beside the binary on the same pictures, by MobileNetV2 (random weights): `pelage predict` as a
process of its own, `import pelage; pelage.open(RUN).predict(paths)` as one, and the same call where the model is open.
The package is that of the peers' Python (the wheel by `.ci/wheel`). The answers must be the same."""

import json, subprocess

from works.common import Skip, row, told, timed, turns

TITLE, UNIT = "The Python package beside the binary", "pictures/s"
PACKAGES = ["pelage"]
CODE = "import pelage, sys; pelage.open(sys.argv[1]).predict(open(sys.argv[2]).read().split('\\n'))"


def measure(bench):
    peer = bench.start("the package", "package_open.py")
    if peer is None:
        raise Skip("the peers' Python has no package pelage")
    count = 1000 if bench.full else 400
    paths = [str(path) for path in sorted(bench.pictures(count).rglob("*.jpg"))]
    listed, run = bench.scratch / "paths", bench.model("mobilenet_v2")
    listed.write_text("\n".join(paths))
    peer.ask("load", run=run, paths=paths)
    answers = []

    def process():
        ran = subprocess.run([bench.python, "-c", CODE, run, listed], capture_output=True, text=True)
        if ran.returncode:
            raise Skip(told(ran.stderr))

    contestants = {
        "pelage predict": lambda: len(paths) / timed(lambda: answers.append(bench.pelage("predict", run, *paths))),
        "Python, a process": lambda: len(paths) / timed(process),
        "Python, model open": lambda: len(paths) / peer.ask("predict"),
    }
    values = turns(contestants, bench.rounds(3, 3), warm_up=True)
    truth = {answer["path"]: dict(answer["classes"]) for answer in answers[-1]}
    apart = max(abs(truth[path][name] - value) for path, name, value in peer.ask("answers"))
    yield row(f"{len(paths)} JPEGs by MobileNetV2", values, largest_difference=apart)
