"""browser.py SITE MODEL.onnx ORT [ROUNDS]: one picture through a network in Chromium, on one thread, in turns: the WebAssembly
modules of a site by `pelage export web`, and onnxruntime-web with the file by `pelage export onnx` of the same model. ORT is the folder
`dist` of npm's package onnxruntime-web. pelage is given an encoded picture (a BMP of the network's size), which it decodes, and answers
in JSON; onnxruntime-web is given its tensor. Prints the median and the best of the rounds in ms, and the largest difference between the
probabilities. Needs chromedriver."""
import functools, http.server, json, pathlib, re, subprocess, sys, tempfile, threading, urllib.request

site, onnx, ort = (pathlib.Path(path).resolve() for path in sys.argv[1:4])
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 50
preprocessing = json.loads((site / "site.json").read_text())["models"][0]["preprocessing"]

PAGE = """<!doctype html><script>
const failed = (event) => { window.done = { failed: String(event.reason ?? event.message) }; };
addEventListener("error", failed, true); addEventListener("unhandledrejection", failed);
</script><script type="module">
import * as ort from "./ort/ort.wasm.min.mjs";
const { width, height, mean, std } = %(preprocessing)s, classes = %(classes)s;
const row = Math.ceil(width * 3 / 4) * 4, bmp = new DataView(new ArrayBuffer(54 + row * height));
bmp.setUint16(0, 0x424d);
[[2, 54 + row * height], [10, 54], [14, 40], [18, width], [22, height]].forEach(([at, value]) => bmp.setUint32(at, value, true));
bmp.setUint16(26, 1, true); bmp.setUint16(28, 24, true);
const tensor = new Float32Array(3 * width * height);
for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) for (let c = 0; c < 3; c++) {
  const value = Math.floor(128 + 60 * Math.sin(x / (9 + c)) + 60 * Math.cos(y / (7 + 2 * c)));
  bmp.setUint8(54 + (height - 1 - y) * row + 3 * x + 2 - c, value);
  tensor[(c * height + y) * width + x] = value / 255;
}
const bytes = async (path) => await (await fetch(path)).arrayBuffer();
const load = async (name) => {
  const model = (await WebAssembly.instantiate(await bytes(`site/${name}`), {})).instance.exports;
  const give = (data) => {
    const at = model.room(data.byteLength) >>> 0;
    new Uint8Array(model.memory.buffer, at, data.byteLength).set(new Uint8Array(data));
  };
  const said = () => new TextDecoder().decode(new Uint8Array(model.memory.buffer, model.said() >>> 0, model.said_length()));
  give(await bytes("site/model.safetensors"));
  if (!model.load(NaN)) throw new Error(said());
  return async () => { give(bmp.buffer); model.predict(); return Object.fromEntries(JSON.parse(said()).classes); };
};
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create("model.onnx", { executionProviders: ["wasm"] });
const turns = {
  "pelage": await load("pelage.wasm"),
  "pelage, relaxed": await load("pelage-relaxed.wasm"),
  "onnxruntime-web": async () => {
    const { probabilities } = await session.run({ images: new ort.Tensor("float32", tensor, [1, 3, height, width]) });
    return Object.fromEntries(classes.map((name, at) => [name, probabilities.data[at]]));
  },
};
const times = {}, answers = {};
for (let round = -5; round < %(rounds)s; round++) for (const [name, run] of Object.entries(turns)) {
  const start = performance.now();
  answers[name] = await run();
  if (round >= 0) (times[name] ??= []).push(performance.now() - start);
}
const truth = answers["onnxruntime-web"];
const apart = Object.values(answers).map((answer) => Math.max(...classes.map((name) => Math.abs(answer[name] - truth[name]))));
window.done = { times, apart: Math.max(...apart) };
</script>"""


def ask(address, body):
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.loads(urllib.request.urlopen(request).read())["value"]


with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    (root / "site").symlink_to(site)
    (root / "ort").symlink_to(ort)
    (root / "model.onnx").symlink_to(onnx)
    classes = json.loads((site / "site.json").read_text())["models"][0]["classes"]
    facts = {"preprocessing": json.dumps(preprocessing), "classes": json.dumps(classes), "rounds": rounds}
    (root / "index.html").write_text(PAGE % facts)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript", ".wasm": "application/wasm"}

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
    port = next(found[1] for line in driver.stdout if (found := re.search(r"successfully on port (\d+)", line)))
    options = {"args": ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]}
    session = ask(f"http://127.0.0.1:{port}/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
    address = f"http://127.0.0.1:{port}/session/{session['sessionId']}"
    try:
        ask(f"{address}/timeouts", {"script": 600_000})
        ask(f"{address}/url", {"url": f"http://127.0.0.1:{server.server_address[1]}/"})
        wait = "const [done] = arguments, look = () => window.done ? done(window.done) : setTimeout(look, 100); look()"
        result = ask(f"{address}/execute/async", {"script": wait, "args": []})
    finally:
        urllib.request.urlopen(urllib.request.Request(address, method="DELETE"))
        driver.kill()

if "failed" in result:
    sys.exit(result["failed"])
for name, times in result["times"].items():
    times.sort()
    print(f"{name}: median {times[len(times) // 2]:.1f} ms, best {times[0]:.1f} ms")
print(f"probabilities at most {result['apart']:.1e} apart")
