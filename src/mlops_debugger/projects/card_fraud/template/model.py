"""A small network that tells fraud from the rest."""

import torch
from torch import nn

from engine import activation


class AlertNetwork(nn.Module):
    def __init__(self, inputs, widths, activation_name, dropout):
        super().__init__()
        blocks = []
        for before, after in zip([inputs, *widths], widths):
            blocks += [nn.Linear(before, after), activation(activation_name), nn.Dropout(dropout)]
        self.trunk = nn.Sequential(*blocks)
        self.top = nn.Linear(widths[-1], 2)

    def forward(self, inputs):
        return self.top(self.trunk(inputs))


def build(network, inputs, seed):
    torch.manual_seed(seed)
    return AlertNetwork(inputs, network["widths"], network["activation"], network["dropout"]).double()
