"""features.py PELAGE_EXAMPLE [NAME ...]: images per second of feature extraction, batch 16, 2 threads, random weights, in ONNX
Runtime, PyTorch (channels last) and pelage, in turns; medians of three rounds, and pelage's ratio to the faster peer.

PELAGE_EXAMPLE is the built `inference` example: cargo build --release --workspace --example inference."""
import statistics, subprocess, sys, tempfile, time
import onnxruntime, timm, torch
from torchvision import models

torch.set_num_threads(2)
ZOO = {
    "vgg16": (lambda: models.vgg16().features, 150),
    "resnet50": (models.resnet50, 224),
    "mobilenet_v2": (models.mobilenet_v2, 224),
    "efficientnet_lite0": (lambda: timm.create_model("efficientnet_lite0"), 224),
}


def rate(run, passes=6):
    for _ in range(2):
        run()
    seconds = []
    for _ in range(passes):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return 16 / statistics.median(seconds)


for name in sys.argv[2:] or ZOO:
    make, size = ZOO[name]
    model, pixels = make().eval(), torch.rand(16, 3, size, size)
    path = f"{tempfile.gettempdir()}/peer_{name}.onnx"
    torch.onnx.export(model, pixels, path, dynamo=False, opset_version=17)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(path, options)
    feed = {session.get_inputs()[0].name: pixels.numpy()}
    model, last = model.to(memory_format=torch.channels_last), pixels.to(memory_format=torch.channels_last)
    rates = {"onnxruntime": [], "pytorch": [], "pelage": []}
    for _ in range(3):
        rates["onnxruntime"].append(rate(lambda: session.run(None, feed)))
        with torch.inference_mode():
            rates["pytorch"].append(rate(lambda: model(last)))
        said = subprocess.run([sys.argv[1], name, str(size)], capture_output=True, text=True, check=True).stdout
        rates["pelage"].append(float(said.split()[1]))
    medians = {peer: statistics.median(values) for peer, values in rates.items()}
    ratio = medians["pelage"] / max(medians["onnxruntime"], medians["pytorch"])
    print(f"{name} {size}: " + ", ".join(f"{peer} {value:.1f} img/s" for peer, value in medians.items()) + f", ratio {ratio:.2f}", flush=True)
