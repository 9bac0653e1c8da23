"""steps.py PELAGE [ROUNDS]: a training step of the reference network in pelage, Keras and PyTorch, in turns; medians, and
pelage's ratio to each; once as each is by itself, once with all held to AVX2. PELAGE is the built binary."""
import json, os, pathlib, statistics, subprocess, sys

here = pathlib.Path(__file__).parent
binary, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5


def run(command, **more):
    environment = {**os.environ, **more}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def pelage(**more):
    measured = json.loads(run([binary, "bench", "training", "--threads", "2", "--json"], **more))
    return measured["training"]["step"]


def peer(script, **more):
    return float(run([sys.executable, here / script], **more).split()[-1])


for title, own, theirs in [
    ("every instruction set", {}, {}),
    ("AVX2 alone", {"PELAGE_ISA": "avx2"}, {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}),
]:
    rates = {"pelage": [], "keras": [], "pytorch": []}
    for _ in range(rounds):
        rates["keras"].append(peer("step_keras.py", **theirs))
        rates["pelage"].append(pelage(**own))
        rates["pytorch"].append(peer("step_torch.py", **theirs))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    said = ", ".join(f"{name} {value:.0f} img/s" for name, value in medians.items())
    ratios = ", ".join(f"{medians['pelage'] / medians[name]:.2f} x {name}" for name in ("keras", "pytorch"))
    print(f"{title}: {said}; pelage is {ratios}", flush=True)
