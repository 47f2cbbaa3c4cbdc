"""The network that forecasts one step from a table of inputs."""

import torch
from torch import nn

from engine import activation


class LoadNetwork(nn.Module):
    def __init__(self, inputs, settings):
        super().__init__()
        sizes = [inputs, *settings["widths"]]
        self.body = nn.Sequential(
            *[
                nn.Sequential(nn.Linear(size, following), activation(settings["activation"]), nn.Dropout(settings["dropout"]))
                for size, following in zip(sizes, sizes[1:])
            ]
        )
        self.head = nn.Linear(sizes[-1], 1)
        self.output = activation(settings["output_activation"])

    def forward(self, inputs):
        return self.output(self.head(self.body(inputs))).squeeze(-1)


def make_network(inputs, settings, seed):
    torch.manual_seed(seed)
    return LoadNetwork(inputs, settings).double()


def loss_named(name):
    return {"mse": nn.MSELoss, "huber": nn.HuberLoss}[name]()
