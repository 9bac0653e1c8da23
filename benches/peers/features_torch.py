"""JPEG files to features in PyTorch: timm's data set, transform and loader, a network in channels last."""

import time

import timm.data, torch
from PIL import Image

import line, networks_torch

now = {}


class Files(torch.utils.data.Dataset):
    def __init__(self, files):
        self.files = files
        self.transform = timm.data.create_transform(224, crop_pct=1.0, crop_mode="squash", interpolation="bilinear")

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        return self.transform(Image.open(self.files[i]).convert("RGB"))


def features(loader):
    with torch.inference_mode():
        return torch.cat([now["model"](pixels.to(memory_format=torch.channels_last)) for pixels in loader])


def loaded(files, workers):
    return torch.utils.data.DataLoader(
        Files(files), 16, num_workers=workers, persistent_workers=True, prefetch_factor=4
    )


def load(files, threads, path):
    """Workers and threads that were fastest. Writes the network to `path`."""
    model = networks_torch.backbone("mobilenet_v2").eval()
    torch.onnx.export(
        model,
        torch.rand(1, 3, 224, 224),
        path,
        dynamo=False,
        opset_version=17,
        input_names=["images"],
        dynamic_axes={"images": {0: "batch"}},
    )
    now["model"], times = model.to(memory_format=torch.channels_last), {}
    for workers in (1, threads):
        loader = loaded(files[:160], workers)
        features(loader)
        for computing in (1, threads):
            torch.set_num_threads(computing)
            start = time.perf_counter()
            features(loader)
            times[workers, computing] = time.perf_counter() - start
    best = min(times, key=times.get)
    now["loader"], now["count"] = loaded(files, best[0]), len(files)
    # Its workers start here.
    next(iter(now["loader"]))
    torch.set_num_threads(best[1])
    return best


def rate():
    start = time.perf_counter()
    features(now["loader"])
    return now["count"] / (time.perf_counter() - start)


line.answer(load=load, rate=rate)
