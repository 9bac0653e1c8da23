"""package.py PELAGE RUN PICTURES [ROUNDS]: the Python package beside the binary, on the same pictures, in turns: `pelage predict` as a process of
its own, `import pelage; pelage.open(RUN).predict(paths)` as one, and the same call in a process that has the model open. PELAGE is the binary, RUN
a run or model, PICTURES a folder of which the first 1,000 files are taken. Prints medians, and that the answers are the same. Runs in the Python
that has the package."""
import json, pathlib, statistics, subprocess, sys, tempfile, time

import pelage

binary, run, folder = sys.argv[1:4]
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
paths = sorted(str(path) for path in pathlib.Path(folder).rglob("*.jpg"))[:1000]
model = pelage.open(run)
CODE = "import pelage, sys; pelage.open(sys.argv[1]).predict(open(sys.argv[2]).read().split('\\n'))"

with tempfile.TemporaryDirectory() as scratch:
    listed = pathlib.Path(scratch, "paths")
    listed.write_text("\n".join(paths))
    answers = pathlib.Path(scratch, "answers.json")

    def process():
        with answers.open("w") as out:
            subprocess.run([binary, "predict", run, *paths, "--json"], stdout=out, stderr=subprocess.DEVNULL, check=True)

    turns = {
        "pelage predict": process,
        "python, a process": lambda: subprocess.run([sys.executable, "-c", CODE, run, listed], check=True),
        "python, model open": lambda: model.predict(paths),
    }
    times = {name: [] for name in turns}
    for turn in range(-1, rounds):
        for name, work in turns.items():
            start = time.perf_counter()
            work()
            if turn >= 0:
                times[name].append(time.perf_counter() - start)
    truth = {row["path"]: dict(row["classes"]) for row in json.loads(answers.read_text())}

base = statistics.median(times["pelage predict"])
for name, seconds in times.items():
    median = statistics.median(seconds)
    print(f"{name:20} {len(paths) / median:7.1f} pictures/s, {median / base:5.3f} of the binary's time ({min(seconds):.2f} to {max(seconds):.2f} s)")
apart = max(abs(dict(p.classes)[name] - value) for p in model.predict(paths) for name, value in truth[p.path].items())
print(f"{len(truth)} answers, at most {apart:.1e} apart")
