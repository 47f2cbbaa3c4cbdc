"""The perceptron that prices a claim."""

import torch
from torch import nn

from engine import activation


class CostModel(nn.Module):
    def __init__(self, columns, mlp):
        super().__init__()
        blocks, size = [], columns
        for width in mlp["width"]:
            blocks.append(nn.Sequential(nn.Linear(size, width), activation(mlp["act"]), nn.Dropout(mlp["dropout"])))
            size = width
        self.hidden = nn.Sequential(*blocks)
        self.price = nn.Linear(size, 1)
        self.out_act = activation(mlp["out_act"])

    def forward(self, table):
        return self.out_act(self.price(self.hidden(table))).squeeze(-1)


def new_model(columns, mlp, seed):
    torch.manual_seed(seed)
    return CostModel(columns, mlp).double()


LOSSES = {"mse": nn.MSELoss(), "huber": nn.HuberLoss(), "l1": nn.L1Loss()}
