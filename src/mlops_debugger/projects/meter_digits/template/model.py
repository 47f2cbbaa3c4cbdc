"""A small convolutional network for single digits."""

import torch
from torch import nn


class DigitNet(nn.Module):
    def __init__(self, net, side, outputs):
        super().__init__()
        kernel, channels, momentum = net["kernel_size"], net["channels"], net["bn_momentum"]
        self.conv = nn.Sequential(
            nn.Conv2d(1, channels, kernel, stride=net["stride"], padding=kernel // 2, bias=False),
            nn.BatchNorm2d(channels, momentum=momentum),
            nn.ReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
        )
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

    def forward(self, crops):
        return self.head(self.dense(self.conv(crops)))


def make_net(net, side, outputs, seed):
    torch.manual_seed(seed)
    return DigitNet(net, side, outputs).double()
