"""Frozen networks with random weights, with products of bf16 beside f32 of pelage, where the CPU multiplies bf16."""

from works.common import row, turns

TITLE, UNIT = "Speed in bf16", "images/s"
PACKAGES = []
NETWORKS = {"mobilenet_v2": "MobileNetV2", "efficientnet_lite0": "EfficientNet-Lite0", "resnet50": "ResNet-50"}


def measure(bench):
    def own(name, precision):
        flags = ["--model", name, "--batch-size", 16, "--threads", bench.threads, "--precision", precision]
        return bench.pelage("bench", "inference", *flags)["inference"][0]["images_per_second"]

    # A binary or a CPU that has no bf16 says so here, and the work is skipped with its words.
    own("mobilenet_v2", "bf16")
    for name, title in NETWORKS.items() if bench.full else [("resnet50", "ResNet-50")]:
        contestants = {
            f"pelage {precision}": lambda precision=precision: own(name, precision) for precision in ("bf16", "f32")
        }
        yield row(
            f"{title}, 224 px, batch 16, {bench.threads} threads",
            turns(contestants, bench.rounds(5, 3)),
            bars={"pelage f32": 1.5},
        )
