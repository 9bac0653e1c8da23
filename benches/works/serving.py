"""`pelage serve` beside FastAPI with uvicorn, ONNX Runtime and Pillow, which compute what `pelage export onnx` wrote
of the same model (random weights but for cnn3): 32 connections on loopback, each of which sends a picture and waits
for the answer. Client and server share the cores. The peer runs as as many workers of one thread as there are cores
and as one of all threads; the faster is shown. Wants `wrk`, which Debian has."""

import pathlib, re, shutil, socket, statistics, subprocess, time, urllib.request

from works.common import PEERS, Skip, row, turns

TITLE, UNIT = "Serving", "requests/s"
PACKAGES = ["fastapi", "uvicorn", "onnxruntime", "pillow"]
CONNECTIONS, WARM_UP, SECONDS = 32, 1, 4
SCRIPT = """
local requests, next = {}, 0
function init(args)
  for path in io.lines("%s") do
    local file = io.open(path, "rb")
    requests[#requests + 1] = wrk.format("POST", "/api/predict", {["Content-Type"] = "image/jpeg"}, file:read("*a"))
    file:close()
  end
end
function request()
  next = next %% #requests + 1
  return requests[next]
end
function done(summary, latency)
  io.write(string.format("RESULT %%d %%d %%d %%f %%f\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


def measure(bench):
    if not shutil.which("wrk"):
        raise Skip("there is no wrk")
    files = sorted(bench.pictures(400).rglob("*.jpg"))
    (bench.scratch / "files.txt").write_text("\n".join(map(str, files)))
    script = bench.scratch / "post.lua"
    script.write_text(SCRIPT % (bench.scratch / "files.txt"))
    titles = {
        None: "cnn3, 150 px",
        "mobilenet_v2": "MobileNetV2, 224 px",
        "efficientnet_lite0": "EfficientNet-Lite0, 224 px",
    }
    for backbone, title in list(titles.items())[: 3 if bench.full else 1]:
        run, model = bench.model(backbone), bench.scratch / f"serving-{backbone}.onnx"
        bench.say("export", "onnx", run, "--out", model, "--force")
        details = {}

        def loaded(kind, command, **environment):
            first, rate, median, last = serve(command, bench.environment | environment, files[0], script)
            details.setdefault(kind, []).append({"first_answer_ms": first, "median_ms": median, "p99_ms": last})
            return rate

        def peer(workers, threads):
            command = [
                bench.python,
                "-m",
                "uvicorn",
                "serving_fastapi:app",
                "--no-access-log",
                "--workers",
                str(workers),
            ]
            kind = f"FastAPI, {workers} x {threads}"
            return kind, lambda: loaded(kind, command, MODEL=str(model), THREADS=str(threads))

        def own(kind, *more):
            return kind, lambda: loaded(kind, [bench.binary, "serve", str(run), *more])

        ours = dict([own("pelage"), *([own("pelage, bf16", "--precision", "bf16")] if backbone and has_bf16() else [])])
        peers = dict([peer(bench.threads, 1), peer(1, bench.threads)])
        values = turns(ours | peers, bench.rounds(3, 3))
        best = max(peers, key=lambda kind: statistics.median(values[kind]))
        for mine in ours:
            times = {
                f"{what}, {name}": statistics.median(one[key] for one in details[kind])
                for what, key in [
                    ("median, ms", "median_ms"),
                    ("99th percentile, ms", "p99_ms"),
                    ("first answer, ms", "first_answer_ms"),
                ]
                for name, kind in [("pelage", mine), ("FastAPI", best)]
            }
            shown = {"pelage": values[mine], "FastAPI": values[best]}
            told = title if mine == "pelage" else f"{title}, in bf16 beside f32"
            yield row(told, shown, times=times, fastest_peer=best, all_rounds=values, details=details)


def has_bf16():
    """Whether this CPU multiplies bf16."""
    flags = pathlib.Path("/proc/cpuinfo")
    return flags.exists() and "avx512_bf16" in flags.read_text()


def serve(command, environment, picture, script):
    """Milliseconds from a server's start to its first answer; under load its requests per second, and the median and
    the 99th percentile of their milliseconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address, body, start = f"http://127.0.0.1:{port}", pathlib.Path(picture).read_bytes(), time.perf_counter()
    server = subprocess.Popen(
        [*command, "--port", port], env=environment, cwd=PEERS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(f"{address}/api/predict", body)).read()
                break
            except OSError:
                if server.poll() is not None:
                    raise Skip(f"{' '.join(command[:3])} ended with {server.returncode}")
                time.sleep(0.002)
        first = 1000 * (time.perf_counter() - start)
        load(address, script, WARM_UP)
        return first, *load(address, script, SECONDS)
    finally:
        server.terminate()
        server.wait()


def load(address, script, seconds):
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", script, address]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    requests, duration, errors, median, last = map(float, re.search(r"RESULT (.*)", said)[1].split())
    if errors:
        raise Skip(f"{errors:.0f} requests failed")
    return requests / duration * 1e6, median / 1000, last / 1000
