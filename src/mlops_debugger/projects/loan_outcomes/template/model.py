"""A multi-layer perceptron on the prepared columns."""

import torch
from torch import nn

from engine import activation


class OutcomeModel(nn.Module):
    def __init__(self, inputs, hidden, outputs, activation_name, dropout):
        super().__init__()
        layers = []
        width = inputs
        for units in hidden:
            layers.append(nn.Sequential(nn.Linear(width, units), activation(activation_name), nn.Dropout(dropout)))
            width = units
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width, outputs)

    def forward(self, inputs):
        return self.head(self.body(inputs))


def build(config, inputs, outputs, seed):
    torch.manual_seed(seed)
    return OutcomeModel(inputs, config["hidden"], outputs, config["activation"], config["dropout"]).double()
