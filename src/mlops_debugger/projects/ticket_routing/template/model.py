"""Word embeddings, a convolution over neighbouring words, pooling over the ticket."""

import torch
from torch import nn

from engine import activation


class TicketNet(nn.Module):
    def __init__(self, words, outputs, embedding_dim, filters, window, activation_name, pooling, dropout):
        super().__init__()
        self.window, self.pooling = window, pooling
        self.embedding = nn.Embedding(words, embedding_dim, padding_idx=0)
        with torch.no_grad():
            self.embedding.weight.mul_(0.1)  # small, so that words start out alike
        # One linear map over a window's stacked embeddings is the convolution, written as a matrix product.
        self.convolution = nn.Linear(window * embedding_dim, filters)
        self.activation = activation(activation_name)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(filters, outputs)

    def forward(self, tokens):
        longest = max(int((tokens > 0).sum(dim=1).max()), 1)
        tokens = nn.functional.pad(tokens[:, :longest], (self.window - 1, 0))
        vectors = self.dropout(self.embedding(tokens))
        stacked = torch.cat([vectors[:, shift : shift + longest] for shift in range(self.window)], dim=2)
        found = self.convolution(stacked)
        present = (tokens[:, self.window - 1 :] > 0).unsqueeze(2)
        # After pooling, since max(relu(x)) is relu(max(x)) and there is far less of it.
        return self.head(self.dropout(self.activation(self.pool(found, present))))

    def pool(self, found, present):
        if self.pooling == "max":
            return found.masked_fill(~present, -1e9).max(dim=1).values
        if self.pooling == "last":
            last = present.sum(dim=1, keepdim=True).clamp(min=1) - 1
            return found.gather(1, last.expand(-1, -1, found.shape[2])).squeeze(1)
        return (found * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)


def build(config, words, outputs, seed):
    torch.manual_seed(seed)
    shape = (config["embedding_dim"], config["filters"], config["window"])
    net = TicketNet(words, outputs, *shape, config["activation"], config["pooling"], config["dropout"])
    return net.double()
