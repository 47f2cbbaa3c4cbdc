"""The network for seam pictures: one convolution, one hidden layer."""

import torch
from torch import nn

from engine import activation


def starting_filters(weight):
    """Sums and differences of the lights, smooth or sloped across the seam; filters beyond these start at random."""
    kernel = weight.shape[-1]
    smooth = torch.ones(kernel, kernel) / kernel**2
    sloped = torch.linspace(-1.0, 1.0, kernel)[:, None].expand(kernel, kernel) / kernel
    spot = smooth.clone()
    spot[kernel // 2, kernel // 2] -= 1.0
    patterns = [(shape, sign) for shape in (smooth, sloped, spot) for sign in (1.0, -1.0)]
    with torch.no_grad():
        for own, (shape, sign) in zip(weight, patterns, strict=False):
            own[0] = shape
            own[1:] = sign * shape


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
    starting_filters(conv[0].weight)
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
