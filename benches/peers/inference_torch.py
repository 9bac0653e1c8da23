"""A frozen network in PyTorch, channels last; and its ONNX file, for ONNX Runtime."""

import torch

import line, networks_torch

now = {}


def load(network, size, path):
    """Makes it, and writes it to `path`."""
    model = networks_torch.backbone(network).eval()
    pixels = torch.rand(1, 3, size, size)
    torch.onnx.export(
        model,
        pixels,
        path,
        dynamo=False,
        opset_version=17,
        input_names=["images"],
        dynamic_axes={"images": {0: "batch"}},
    )
    now["model"], now["size"] = model.to(memory_format=torch.channels_last), size


def rate(batch, threads):
    torch.set_num_threads(threads)
    pixels = torch.rand(batch, 3, now["size"], now["size"]).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        return line.rate(lambda: now["model"](pixels), batch)


line.answer(load=load, rate=rate)
