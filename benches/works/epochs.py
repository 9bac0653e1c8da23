"""The first epoch (nothing decoded yet) and the second one of the reference recipe over DATA/train and
DATA/validation. All that pelage does before its first epoch counts: starting, decoding into the cache, the forecast;
Keras is timed from `fit`. Keras decodes its pictures anew in each epoch, as its users do."""

import csv, json, subprocess, tempfile

from works.common import PEERS, Skip, row, timed, told, turns

TITLE, UNIT = "Epochs, from JPEGs", "s"
PACKAGES = ["keras", "tensorflow-cpu", "pillow"]


def measure(bench):
    data = bench.data

    def own():
        with tempfile.TemporaryDirectory(dir=bench.scratch) as folder:
            flags = ["--epochs", 2, "--patience", 0, "--threads", bench.threads, "--out", f"{folder}/run"]
            wall = timed(lambda: bench.say("train", data, *flags, PELAGE_CACHE=f"{folder}/cache"))
            with open(f"{folder}/run/history.csv") as file:
                second = [float(line["seconds"]) for line in csv.DictReader(file)][1]
        return wall - second, second

    def keras():
        ran = subprocess.run([bench.python, PEERS / "epoch_keras.py", data, "2"], capture_output=True, text=True)
        if ran.returncode:
            raise Skip(f"epoch_keras.py: {told(ran.stderr)}")
        return tuple(json.loads(ran.stdout.splitlines()[-1]))

    values = turns({"pelage": own, "Keras": keras}, bench.rounds(2, 1))
    for epoch, (what, bar) in enumerate([("first epoch", 4), ("second epoch", 6)]):
        yield row(
            what,
            {name: [one[epoch] for one in rounds] for name, rounds in values.items()},
            less=True,
            bars={"Keras": bar},
        )
