"""Weights that pelage exports load into torchvision's and timm's networks, and answer the same; and the Python examples
for ONNX of docs/EXPORT.md answer as pelage does.

    python .ci/exported.py target/release/pelage

Needs torch, torchvision, timm, safetensors, numpy, Pillow and onnxruntime. Each network has random weights, and a head that was trained
on drawn pictures.
"""

import contextlib
import io
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import timm
import torch
import torchvision
from PIL import Image
from safetensors import safe_open

PELAGE = str(Path(sys.argv[1]).resolve())
SIDE = 64
# Not of EfficientNetV2-S: with weights drawn at random it enlarges rounding so much that PyTorch itself gives other
# answers in double precision.
NETWORKS = [
    ("resnet18", "torchvision"),
    ("resnet34", "torchvision"),
    ("resnet50", "torchvision"),
    ("googlenet", "torchvision"),
    ("mobilenet_v2", "torchvision"),
    ("mobilenet_v2", "timm"),
    ("efficientnet_lite0", "timm"),
    ("efficientnet_lite1", "timm"),
    ("efficientnet_lite2", "timm"),
    ("efficientnet_b0", "torchvision"),
]


def run(folder, *arguments):
    """What pelage prints."""
    ran = subprocess.run([PELAGE, *arguments], cwd=folder, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"pelage {' '.join(arguments)}: {ran.stderr}")
    return ran.stdout


def drawn(folder):
    """Stripes, upright and level, with noise."""
    draw = numpy.random.default_rng(0)
    for part, count in [("train", 12), ("validation", 6)]:
        for name, axis in [("level", 0), ("upright", 1)]:
            place = folder / "data" / part / name
            place.mkdir(parents=True)
            for number in range(count):
                stripes = numpy.indices((SIDE, SIDE))[axis] // draw.integers(2, 5) % 2 * 100 + 60
                pixels = stripes[..., None] + draw.integers(0, 60, (SIDE, SIDE, 3))
                Image.fromarray(pixels.astype(numpy.uint8)).save(place / f"{number}.png")


def network(project, name, classes):
    if project == "timm":
        return timm.create_model(name, num_classes=classes)
    more = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    return torchvision.models.get_model(name, weights=None, num_classes=classes, **more)


worst = 0
for architecture, project in NETWORKS:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        drawn(folder)
        train = f"train data --backbone {architecture} --weights random --image-size {SIDE} --head logistic --out run"
        run(folder, *train.split())
        run(folder, *f"export safetensors run --out weights.safetensors --names {project}".split())
        with safe_open(folder / "weights.safetensors", "pt") as file:
            facts = json.loads(file.metadata()["pelage.export"])
            weights = {name: file.get_tensor(name) for name in file.keys()}
        theirs = network(project, facts["network"], len(facts["classes"]))
        # Every name and shape, and nothing left over; what counts batches is not a weight.
        told = theirs.load_state_dict(weights, strict=False)
        missing = [name for name in told.missing_keys if not name.endswith("num_batches_tracked")]
        assert not missing and not told.unexpected_keys, (architecture, project, missing, told.unexpected_keys)
        theirs.eval()
        preprocessing = facts["preprocessing"]
        paths = sorted((folder / "data/validation").rglob("*.png"))
        pixels = numpy.stack([numpy.asarray(Image.open(path)) for path in paths]) / 255
        pixels = (pixels - preprocessing["mean"]) / preprocessing["std"]
        with torch.no_grad():
            logits = theirs(torch.tensor(pixels, dtype=torch.float32).permute(0, 3, 1, 2))
        answers = torch.softmax(logits, 1).numpy()
        said = json.loads(run(folder, "predict", "run", *[str(path) for path in paths], "--json"))
        for row, one in zip(answers, said, strict=True):
            for name, probability in one["classes"]:
                off = abs(row[facts["classes"].index(name)] - probability)
                worst = max(worst, off)
                assert off < 1e-4, (architecture, project, one["path"], off)
    print(f"{architecture} as {facts['network']} of {project}: the same", flush=True)
print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}: {worst:.1e} at most")

examples = re.findall(r"```python\n(.*?)```", (Path(__file__).parent.parent / "docs/EXPORT.md").read_text(), re.DOTALL)
examples = [example for example in examples if "InferenceSession" in example]
assert len(examples) == 2, "docs/EXPORT.md has an example for each input"
for model in ["--backbone mobilenet_v2 --weights random", "--backbone efficientnet_lite0 --weights random", "--model cnn3"]:
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        folder = Path(place)
        drawn(folder)
        run(folder, *f"train data {model} --image-size {SIDE} --epochs 2 --out run".split())
        run(folder, *"export onnx run --out model.onnx".split())
        run(folder, *"export onnx run --out any.onnx --input pixels".split())
        # Level on its left, upright in the middle, level on its right: squashed it is something else.
        upright, level = numpy.indices((90, 90))[1] // 6 % 2, numpy.indices((90, 60))[0] // 4 % 2
        stripes = numpy.concatenate([level, upright, level], 1) * 120 + 60
        Image.fromarray(stripes.astype(numpy.uint8)).convert("RGB").save("cat.jpg", quality=95)
        [said] = json.loads(run(folder, "predict", "run", "cat.jpg", "--json"))
        for example in examples:
            told = io.StringIO()
            with contextlib.redirect_stdout(told):
                exec(example, {})
            answer = eval(told.getvalue(), {"np": numpy})
            off = max(abs(float(answer[name]) - probability) for name, probability in said["classes"])
            # Weights drawn at random make much of levels that are one apart; squashed instead of cropped is 0.2 and more.
            assert off < 0.06, (model, off, example)
            print(f"{model}: the example of docs/EXPORT.md answers {off:.1e} apart", flush=True)
