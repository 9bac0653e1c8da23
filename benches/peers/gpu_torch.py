"""gpu_torch.py MODE BATCH NETWORK...: images per second of training steps and inference in PyTorch on the GPU (or, without
one, on the CPU), as JSON. MODE is `eager` or `compile`. The work is that of `pelage bench steps` and `inference`: f32,
channels last, 1000 classes, SGD with momentum, pixels from the host's memory in training, from the GPU's in inference."""
import json, sys

import torch
import torchvision
from torch import nn

from line import rate

mode, batch, networks = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.backends.cudnn.benchmark = True


def cnn3():
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.25), nn.Flatten(), nn.Linear(20736, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 1000),
    )


MADE = {
    "cnn3": (cnn3, 150),
    "resnet50": (torchvision.models.resnet50, 224),
    "mobilenet_v2": (torchvision.models.mobilenet_v2, 224),
}


def speed(work, enough):
    for _ in range(4):
        work()
    return rate(work, batch, enough)


found = {}
for name in networks:
    make, side = MADE[name]
    model = make().to(device, memory_format=torch.channels_last)
    run = torch.compile(model) if mode == "compile" else model
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    pixels = torch.rand(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(batch).to(device) % 1000
    there = pixels.to(device)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(run(pixels.to(device)), labels)
        loss.backward()
        optimizer.step()
        loss.item()

    def infer():
        with torch.no_grad():
            run(there).cpu()

    steps = speed(step, 3.0)
    model.eval()
    found[name] = {"steps": steps, "inference": speed(infer, 1.0)}
print(json.dumps(found))
