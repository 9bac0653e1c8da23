"""Features of a frozen MobileNetV2 (random weights, 224 px), from JPEG files to the array. pelage's time is that of a
whole process, into a file; the peers' starts are left out. Both peers decode on as many workers, and compute on as
many threads, as was fastest of four combinations on the first pictures."""

from works.common import row, timed, turns

TITLE, UNIT = "Frozen features, from JPEGs", "pictures/s"
PACKAGES = ["torch", "timm", "onnxruntime", "pillow"]
BARS = {"PyTorch and timm's loader": 1.5, "ONNX Runtime and Pillow": 1.5}


def measure(bench):
    count = 2000 if bench.full else 400
    folder = bench.pictures(count)
    files = [str(path) for path in sorted(folder.rglob("*.jpg"))]
    turn = [0]

    def own():
        turn[0] += 1
        flags = ["--backbone", "mobilenet_v2", "--weights", "random", "--threads", bench.threads]
        here = {"PELAGE_CACHE": f"{bench.scratch}/features-cache-{turn[0]}"}
        return len(files) / timed(
            lambda: bench.say("features", folder, *flags, "--out", bench.scratch / f"f{turn[0]}", **here)
        )

    contestants, chosen = {"pelage": own}, {}
    path = bench.scratch / "mobilenet_v2.onnx"
    for name, script in zip(BARS, ("features_torch.py", "features_onnx.py")):
        peer = bench.start(name, script)
        if peer and (path.exists() or script == "features_torch.py"):
            chosen[name] = peer.ask("load", files=files, threads=bench.threads, path=path)
            contestants[name] = lambda peer=peer: peer.ask("rate")
    yield row(
        f"{len(files)} JPEGs by MobileNetV2",
        turns(contestants, bench.rounds(3, 3)),
        bars=BARS,
        workers_and_threads=chosen,
    )
