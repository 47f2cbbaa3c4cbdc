"""The network that forecasts one step from a table of inputs."""

import torch
from torch import nn

from engine import activation


class LoadNetwork(nn.Module):
    def __init__(self, inputs, settings):
        super().__init__()
        layers, size = [], inputs
        for width in settings["widths"]:
            parts = nn.Linear(size, width), activation(settings["activation"]), nn.Dropout(settings["dropout"])
            layers.append(nn.Sequential(*parts))
            size = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(size, 1)
        self.output = activation(settings["output_activation"])

    def forward(self, inputs):
        return self.output(self.head(self.body(inputs))).squeeze(-1)


def make_network(inputs, settings, seed):
    torch.manual_seed(seed)
    return LoadNetwork(inputs, settings).double()


def loss_named(name):
    return {"mse": nn.MSELoss, "huber": nn.HuberLoss}[name]()
