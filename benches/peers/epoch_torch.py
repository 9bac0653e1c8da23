"""epoch_torch.py DATA EPOCHS: whole epochs over DATA/train and DATA/validation in PyTorch with torchvision's v2 transforms and
two loader workers."""
import sys, time
import torch
from torch import nn
from torchvision import datasets
from torchvision.transforms import v2


def main():
    root, epochs = sys.argv[1], int(sys.argv[2])
    size, scale = v2.Resize((150, 150)), v2.ToDtype(torch.float32, scale=True)
    change = v2.RandomAffine(0, scale=(0.8, 1.2), shear=(-11.46, 11.46))
    augmented = v2.Compose([v2.PILToTensor(), size, change, v2.RandomHorizontalFlip(), scale])
    plain = v2.Compose([v2.PILToTensor(), size, scale])

    def loader(part, transform, shuffle):
        pictures = datasets.ImageFolder(f"{root}/{part}", transform)
        return torch.utils.data.DataLoader(pictures, 32, shuffle, num_workers=2, persistent_workers=True)

    train, validation = loader("train", augmented, True), loader("validation", plain, False)
    layout = dict(memory_format=torch.channels_last)
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.25), nn.Flatten(), nn.Linear(20736, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 2),
    ).to(**layout)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(1, epochs + 1):
        start, right = time.time(), 0
        model.train()
        for pixels, labels in train:
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(model(pixels.to(**layout)), labels).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for pixels, labels in validation:
                right += (model(pixels.to(**layout)).argmax(1) == labels).sum().item()
        seconds = time.time() - start
        speed = (len(train.dataset) + len(validation.dataset)) / seconds
        accuracy = right / len(validation.dataset)
        print(f"pytorch epoch {epoch}: {seconds:.1f} s, {speed:.0f} img/s, val_accuracy {accuracy:.4f}", flush=True)


main()
