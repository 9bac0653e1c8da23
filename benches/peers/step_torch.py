"""step_torch.py: images per second of one training step of the three-block CNN, 150 px, batch 32, in PyTorch, channels last."""
import statistics, time
import torch
from torch import nn

torch.set_num_threads(2)
layout = dict(memory_format=torch.channels_last)
model = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Dropout(0.25), nn.Flatten(), nn.Linear(20736, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 2),
).to(**layout)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
pixels, labels = torch.rand(32, 3, 150, 150).to(**layout), torch.randint(0, 2, (32,))


def step():
    optimizer.zero_grad(set_to_none=True)
    nn.functional.cross_entropy(model(pixels), labels).backward()
    optimizer.step()


for _ in range(5):
    step()
seconds = []
for _ in range(25):
    start = time.perf_counter()
    step()
    seconds.append(time.perf_counter() - start)
print(f"pytorch {32 / statistics.median(seconds):.1f}")
