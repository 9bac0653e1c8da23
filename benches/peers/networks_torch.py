"""The networks of the peers in PyTorch, by pelage's names, with random weights."""

import timm, torch
from torch import nn
from torchvision import models


def cnn3(classes):
    """The reference recipe's, for images of 150 px."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(20736, 64),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(64, classes),
    )


class Pair(nn.Module):
    """Two convolutions around which the input goes."""

    def __init__(self, channels):
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, x):
        y = torch.relu_(self.norm1(self.first(x)))
        return torch.relu_(self.norm2(self.second(y)) + x)


def lynx(classes):
    """pelage's network to train from scratch, see crates/pelage-model/src/networks/lynx.rs."""
    layers, before = [], 3
    for channels, pairs in [(32, 0), (64, 0), (128, 1), (256, 1), (384, 1)]:
        layers += [
            nn.Conv2d(before, channels, 3, padding=1, bias=False),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            *(Pair(channels) for _ in range(pairs)),
        ]
        before = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


MADE = {
    "cnn3": cnn3,
    "lynx": lynx,
    "vgg16": lambda classes: models.vgg16(num_classes=classes),
    "resnet18": lambda classes: models.resnet18(num_classes=classes),
    "resnet50": lambda classes: models.resnet50(num_classes=classes),
    "mobilenet_v2": lambda classes: models.mobilenet_v2(num_classes=classes),
    "efficientnet_lite0": lambda classes: timm.create_model("efficientnet_lite0", num_classes=classes),
}


def made(name, classes=1000):
    return MADE[name](classes)


def backbone(name):
    """Without its head: up to the channel means, or VGG16's last map."""
    network = made(name)
    if name == "vgg16":
        return network.features
    if name == "resnet50":
        network.fc = nn.Identity()
    else:
        network.classifier = nn.Identity()
    return network
