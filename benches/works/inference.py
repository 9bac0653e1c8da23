"""Frozen networks with random weights, in f32, from pixels in memory to the channel means (VGG16: the last map);
batches of 16, and single images on one thread and on all."""

from works.common import Skip, row, turns

TITLE, UNIT = "Speed of frozen networks", "images/s"
PACKAGES = ["onnxruntime", "torch", "timm"]
# Name, size, and the bars of a batch and of one image.
NETWORKS = {
    "mobilenet_v2": ("MobileNetV2", 224, 1.3, 1.2),
    "efficientnet_lite0": ("EfficientNet-Lite0", 224, 1.3, 1.2),
    "resnet50": ("ResNet-50", 224, 1.3, 1.2),
    "vgg16": ("VGG16", 150, 2.5, None),
}


def measure(bench):
    torch, onnx = bench.start("PyTorch", "inference_torch.py"), bench.start("ONNX Runtime", "inference_onnx.py")
    if torch is None:
        raise Skip("PyTorch writes the files that ONNX Runtime reads")
    sizes = list(dict.fromkeys([(16, bench.threads), (1, 1), (1, bench.threads)]))
    for name, (title, size, *bars) in NETWORKS.items():
        if not bench.full and name in ("efficientnet_lite0", "vgg16"):
            continue
        path = bench.scratch / f"{name}.onnx"
        torch.ask("load", network=name, size=size, path=path)
        for batch, threads in sizes if bench.full else sizes[:2]:

            def own():
                flags = ["--model", name, "--batch-size", batch, "--threads", threads]
                return bench.pelage("bench", "inference", *flags)["inference"][0]["images_per_second"]

            contestants = {"pelage": own}
            if onnx:
                contestants["ONNX Runtime"] = lambda: onnx.ask("rate", path=path, batch=batch, threads=threads)
            contestants["PyTorch"] = lambda: torch.ask("rate", batch=batch, threads=threads)
            bar = bars[batch == 1]
            yield row(
                f"{title}, {size} px, batch {batch}, {threads} thread{'s' * (threads > 1)}",
                turns(contestants, bench.rounds(5, 3)),
                bars={"ONNX Runtime": bar} if bar else {},
                charted=batch > 1,
            )
