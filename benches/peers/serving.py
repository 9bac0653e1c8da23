"""serving.py PELAGE PICTURES RUN...: requests per second and latency of `pelage serve` beside FastAPI with ONNX Runtime and
Pillow (serve_fastapi.py, uvicorn), on loopback, 32 connections that each send a picture and wait for the answer; in turns,
medians of three rounds of six seconds, and the time from a process's start to its first answer.

PELAGE is the built binary, PICTURES a folder of JPEGs, each RUN a run folder or a model. Wants `wrk` (Debian has it) and
the packages fastapi, uvicorn, onnxruntime, pillow. Both sides and the client share the same cores. The peer runs as two
workers of one thread and as one of two; the faster is taken."""
import glob, os, pathlib, re, socket, statistics, subprocess, sys, tempfile, time, urllib.request

CONNECTIONS, SECONDS, WARM_UP, ROUNDS = 32, 6, 2, 3
pelage, pictures, runs = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3:]
here = pathlib.Path(__file__).parent
files = sorted(glob.glob(f"{pictures}/**/*.jpg", recursive=True))[:1000]
if not files:
    sys.exit(f"no .jpg files in {pictures}")
folder = tempfile.TemporaryDirectory()
script = f"{folder.name}/post.lua"
pathlib.Path(f"{folder.name}/files.txt").write_text("\n".join(map(os.path.abspath, files)))
pathlib.Path(script).write_text(f"""
local requests, next = {{}}, 0
function init(args)
  for path in io.lines("{folder.name}/files.txt") do
    local file = io.open(path, "rb")
    requests[#requests + 1] = wrk.format("POST", "/api/predict", {{["Content-Type"] = "image/jpeg"}}, file:read("*a"))
    file:close()
  end
end
function request()
  next = next % #requests + 1
  return requests[next]
end
function done(summary, latency)
  io.write(string.format("RESULT %d %d %d %f %f\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
""")


class Server:
    """A server's process from its start to its first answer, and to its end."""

    def __init__(self, command, extra):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        start = time.perf_counter()
        port = self.address.rsplit(":", 1)[1]
        self.process = subprocess.Popen([*command, "--port", port], env=os.environ | extra, cwd=here,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        body = pathlib.Path(files[0]).read_bytes()
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(f"{self.address}/api/predict", body)).read()
                break
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(f"{command[0]} ended with {self.process.returncode}")
                time.sleep(0.002)
        self.first = 1000 * (time.perf_counter() - start)

    def load(self, seconds):
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", script, self.address]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        requests, duration, errors, median, last = map(float, re.search(r"RESULT (.*)", told)[1].split())
        if errors:
            sys.exit(f"{errors:.0f} requests failed: {self.process.args}")
        return requests / duration * 1e6, median / 1000, last / 1000

    def stop(self):
        self.process.terminate()
        self.process.wait()


def peer(model, workers, threads):
    command = [sys.executable, "-m", "uvicorn", "serve_fastapi:app", "--no-access-log", "--workers", str(workers)]
    return Server(command, {"MODEL": model, "THREADS": str(threads)})


for run in runs:
    model = f"{folder.name}/model.onnx"
    subprocess.run([pelage, "export", "onnx", run, "--out", model, "--force"], check=True, capture_output=True)
    kinds = {
        "pelage": lambda: Server([pelage, "serve", os.path.abspath(run)], {}),
        "fastapi, 2 workers x 1 thread": lambda: peer(model, 2, 1),
        "fastapi, 1 worker x 2 threads": lambda: peer(model, 1, 2),
    }
    loads, firsts = {kind: [] for kind in kinds}, {kind: [] for kind in kinds}
    for _ in range(ROUNDS):
        for kind, start in kinds.items():
            server = start()
            firsts[kind].append(server.first)
            server.load(WARM_UP)
            loads[kind].append(server.load(SECONDS))
            server.stop()
    medians = {kind: [statistics.median(values) for values in zip(*rounds)] for kind, rounds in loads.items()}
    best = max((kind for kind in kinds if kind != "pelage"), key=lambda kind: medians[kind][0])
    for kind, (rate, median, last) in medians.items():
        first = statistics.median(firsts[kind])
        print(f"{run} {kind}: {rate:.1f} requests/s, median {median:.1f} ms, 99th percentile {last:.1f} ms, "
              f"first answer after {first:.0f} ms", flush=True)
    print(f"{run}: {medians['pelage'][0] / medians[best][0]:.2f} x the requests/s of {best}", flush=True)
