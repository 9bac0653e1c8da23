"""Frozen networks with random weights in int8, beside ONNX Runtime's int8 (per channel, U8S8, the faster of its two
formats) and f32 of pelage. Ranges are from noise on both sides: speed does not depend on them."""

from works.common import Skip, row, turns

TITLE, UNIT = "Speed in int8", "images/s"
PACKAGES = ["onnxruntime"]
NETWORKS = {"mobilenet_v2": "MobileNetV2", "efficientnet_lite0": "EfficientNet-Lite0", "resnet50": "ResNet-50"}


def measure(bench):
    torch, onnx = bench.start("PyTorch", "inference_torch.py"), bench.start("ONNX Runtime", "inference_onnx.py")
    if torch is None or onnx is None:
        raise Skip("PyTorch writes the files that ONNX Runtime quantizes")
    threads = bench.threads
    for name, title in NETWORKS.items() if bench.full else [("mobilenet_v2", "MobileNetV2")]:
        path, folder = bench.scratch / f"{name}.onnx", bench.scratch / f"int8-{name}"
        folder.mkdir()
        torch.ask("load", network=name, size=224, path=path)
        forms = onnx.ask("quantize", path=path, into=folder)
        for batch in (1, 16):

            def own(precision):
                flags = ["--model", name, "--batch-size", batch, "--threads", threads, "--precision", precision]
                return bench.pelage("bench", "inference", *flags)["inference"][0]["images_per_second"]

            tried = {form: onnx.ask("rate", path=file, batch=batch, threads=threads) for form, file in forms.items()}
            fastest = max(tried, key=tried.get)
            contestants = {
                "pelage int8": lambda: own("int8"),
                "ONNX Runtime int8": lambda: onnx.ask("rate", path=forms[fastest], batch=batch, threads=threads),
                "pelage f32": lambda: own("f32"),
            }
            yield row(
                f"{title}, 224 px, batch {batch}, {threads} threads",
                turns(contestants, bench.rounds(3, 3)),
                bars={"ONNX Runtime int8": 1.0},
                tried=tried,
            )
