"""The network for seam pictures: one convolution, one hidden layer."""

import torch
from torch import nn

from engine import activation


def seam_network(cnn, shape, outputs, seed):
    """`shape` is (lights, rows, columns)."""
    torch.manual_seed(seed)
    lights, rows, columns = shape
    kernel, filters, momentum = cnn["kernel"], cnn["filters"], cnn["norm_momentum"]
    conv = nn.Sequential(
        nn.Conv2d(lights, filters, kernel, stride=cnn["stride"], padding=kernel // 2, bias=False),
        nn.BatchNorm2d(filters, momentum=momentum),
        activation(cnn["activation"]),
        nn.AvgPool2d(2, ceil_mode=True),
        nn.Flatten(),
    )
    with torch.no_grad():
        cells = conv.eval()(torch.zeros(1, lights, rows, columns)).shape[1]
    dense = nn.Sequential(
        nn.Linear(cells, cnn["width"], bias=False),
        nn.BatchNorm1d(cnn["width"], momentum=momentum),
        activation(cnn["activation"]),
        nn.Dropout(cnn["dropout"]),
    )
    layers = {"conv": conv, "dense": dense, "head": nn.Linear(cnn["width"], outputs)}
    network = nn.Sequential()
    for name, layer in layers.items():
        network.add_module(name, layer)
    return network.double()
