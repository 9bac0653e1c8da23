"""A training step in PyTorch, channels last, of all layers, by SGD with momentum."""

import torch
from torch import nn

import line, networks_torch

now = {}


def load(network, size, batch, threads):
    torch.set_num_threads(threads)
    layout = dict(memory_format=torch.channels_last)
    now["model"] = networks_torch.made(network).to(**layout).train()
    now["optimizer"] = torch.optim.SGD(now["model"].parameters(), lr=1e-4, momentum=0.9)
    now["pixels"], now["labels"] = torch.rand(batch, 3, size, size).to(**layout), torch.arange(batch) % 1000


def step():
    now["optimizer"].zero_grad(set_to_none=True)
    loss = nn.functional.cross_entropy(now["model"](now["pixels"]), now["labels"])
    loss.backward()
    now["optimizer"].step()
    loss.item()


line.answer(load=load, rate=lambda: line.rate(step, len(now["labels"]), 3.0))
