"""features.py PELAGE [NAME ...]: images per second of feature extraction, batch 16, 2 threads, random weights, in ONNX Runtime,
PyTorch (channels last) and pelage, in turns; medians of five rounds, and pelage's ratio to each.

PELAGE is the built binary."""
import json, statistics, subprocess, sys, tempfile, time
import onnxruntime, timm, torch
from torchvision import models

torch.set_num_threads(2)
ZOO = {
    "vgg16": (lambda: models.vgg16().features, 150),
    "resnet50": (models.resnet50, 224),
    "mobilenet_v2": (models.mobilenet_v2, 224),
    "efficientnet_lite0": (lambda: timm.create_model("efficientnet_lite0"), 224),
    "mobilenet_v3_large": (models.mobilenet_v3_large, 224),
    "efficientnet_b0": (models.efficientnet_b0, 224),
    "efficientnet_v2_s": (models.efficientnet_v2_s, 384),
    "dinov2_vits14": (lambda: timm.create_model("vit_small_patch14_dinov2", img_size=224), 224),
    "convnext_tiny": (models.convnext_tiny, 224),
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
    for _ in range(5):
        rates["onnxruntime"].append(rate(lambda: session.run(None, feed)))
        with torch.inference_mode():
            rates["pytorch"].append(rate(lambda: model(last)))
        bench = [sys.argv[1], "bench", "inference", "--model", name, "--json"]
        said = json.loads(subprocess.run(bench, capture_output=True, text=True, check=True).stdout)
        rates["pelage"] += [one["images_per_second"] for one in said["inference"] if one["batch"] == 16]
    medians = {peer: statistics.median(values) for peer, values in rates.items()}
    print(f"{name} {size}: " + ", ".join(
        f"{peer} {value:.1f} img/s (ratio {medians['pelage'] / value:.2f})" for peer, value in medians.items()), flush=True)
