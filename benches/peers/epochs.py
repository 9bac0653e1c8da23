"""epochs.py PELAGE DATA [ROUNDS] [PEER ...]: the first (nothing decoded yet) and the second epoch of the reference recipe over
DATA/train and DATA/validation in pelage and in the peers (keras, pytorch), in turns; medians, and pelage's ratio to each. PELAGE
is the built binary. Every peer decodes its pictures anew in each epoch, as its users do."""
import csv, os, pathlib, re, statistics, subprocess, sys, tempfile, time

here = pathlib.Path(__file__).parent
binary, data = sys.argv[1:3]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 1
scripts = {"keras": "epoch_keras.py", "pytorch": "epoch_torch.py"}
peers = sys.argv[4:] or list(scripts)
seconds = {name: [] for name in ["pelage", *peers]}


def pelage():
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "train", data, "--epochs", "2", "--patience", "0", "--threads", "2", "--out", f"{folder}/run"]
        start = time.time()
        subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PELAGE_CACHE": f"{folder}/cache"})
        wall = time.time() - start
        with open(f"{folder}/run/history.csv") as file:
            second = [float(row["seconds"]) for row in csv.DictReader(file)][1]
    # Starting, decoding into the cache and the forecast all count as the first epoch's.
    return wall - second, second


def peer(name):
    said = subprocess.run([sys.executable, here / scripts[name], data, "2"], capture_output=True, text=True, check=True).stdout
    return [float(found) for found in re.findall(r"epoch \d+: ([0-9.]+) s", said)]


for _ in range(rounds):
    seconds["pelage"].append(pelage())
    for name in peers:
        seconds[name].append(peer(name))
for epoch, title in enumerate(["first epoch", "second epoch"]):
    medians = {name: statistics.median(times[epoch] for times in rounds) for name, rounds in seconds.items()}
    said = ", ".join(f"{name} {' and '.join(f'{times[epoch]:.1f}' for times in rounds)} s" for name, rounds in seconds.items())
    ratios = ", ".join(f"{medians[name] / medians['pelage']:.2f} x {name}" for name in peers)
    print(f"{title}: {said}; pelage is {ratios}", flush=True)
