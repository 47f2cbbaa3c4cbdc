"""A small convolutional network for single digits."""

import math

import torch
from torch import nn


def cosine_filters(weight):
    """Start with smoothing, edge and corner filters: low frequencies of a cosine transform; others stay random."""
    side = weight.shape[-1]
    place = (torch.arange(side) + 0.5) * math.pi / side
    waves = torch.stack([torch.cos(place * frequency) for frequency in range(side)])
    waves = waves / waves.norm(dim=1, keepdim=True)
    pairs = sorted(((a, b) for a in range(side) for b in range(side)), key=lambda pair: (sum(pair), pair))
    with torch.no_grad():
        for channel, (a, b) in zip(weight, pairs, strict=False):
            channel[0] = torch.outer(waves[a], waves[b])


class DigitNet(nn.Module):
    def __init__(self, net, side, outputs):
        super().__init__()
        kernel, channels, momentum = net["kernel_size"], net["channels"], net["bn_momentum"]
        self.conv = nn.Sequential(
            nn.Conv2d(1, channels, kernel, stride=net["stride"], padding=kernel // 2, bias=False),
            nn.BatchNorm2d(channels, momentum=momentum),
            nn.ReLU(),
            nn.AvgPool2d(2, ceil_mode=True),
        )
        cosine_filters(self.conv[0].weight)
        with torch.no_grad():
            width = self.conv.eval()(torch.zeros(1, 1, side, side)).numel()
        self.conv.train()
        self.dense = nn.Sequential(
            nn.Flatten(),
            nn.Linear(width, net["hidden"], bias=False),
            nn.BatchNorm1d(net["hidden"], momentum=momentum),
            nn.ReLU(),
            nn.Dropout(net["dropout"]),
        )
        self.head = nn.Linear(net["hidden"], outputs)
        nn.init.zeros_(self.head.weight)

    def forward(self, crops):
        return self.head(self.dense(self.conv(crops)))


def make_net(net, side, outputs, seed):
    torch.manual_seed(seed)
    return DigitNet(net, side, outputs).double()
