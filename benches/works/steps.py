"""Training steps of all layers, from pixels in memory to the updated weights: forward, loss, backward, SGD with
momentum."""

from works.common import row, turns

TITLE, UNIT = "Training steps", "images/s"
PACKAGES = ["keras", "tensorflow-cpu", "torch"]
# Name, title, size, batch, bars.
NETWORKS = [
    ("cnn3", "cnn3", 150, 32, {"Keras": 4.5, "PyTorch": 8}),
    ("resnet18", "ResNet-18", 128, 32, {"Keras": 2, "PyTorch": 2}),
    ("lynx", "lynx", 128, 32, {"Keras": 2, "PyTorch": 2}),
    ("mobilenet_v2", "MobileNetV2, fine-tuning all of it", 224, 16, {"PyTorch": 1.5}),
]


def measure(bench):
    torch = bench.start("PyTorch", "step_torch.py")
    keras = bench.start("Keras", "step_keras.py", THREADS=str(bench.threads))
    for name, title, size, batch, bars in NETWORKS if bench.full else NETWORKS[:1]:

        def own():
            flags = ["--model", name, "--image-size", size, "--batch-size", batch, "--threads", bench.threads]
            return bench.pelage("bench", "steps", *flags)["steps"][0]["images_per_second"]

        contestants, compiled = {"pelage": own}, None
        if keras and "Keras" in bars:
            compiled = keras.ask("load", network=name, size=size, batch=batch)
            contestants["Keras"] = lambda: keras.ask("rate")
        if torch:
            torch.ask("load", network=name, size=size, batch=batch, threads=bench.threads)
            contestants["PyTorch"] = lambda: torch.ask("rate")
        yield row(
            f"{title}, {size} px, batch {batch}",
            turns(contestants, bench.rounds(5, 3)),
            bars=bars,
            keras_by_xla=compiled,
        )
