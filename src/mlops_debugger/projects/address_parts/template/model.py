"""Tagger for address lines: summed feature embeddings, a window over neighbouring tokens, one answer for each."""

from itertools import pairwise

import torch
from torch import nn

from engine import activation

UNKNOWN = 1


class LineTagger(nn.Module):
    def __init__(self, features, outputs, embedding_size, left, right, hidden_sizes, nonlinearity, word_dropout):
        super().__init__()
        self.left, self.right, self.word_dropout = left, right, word_dropout
        self.embedding = nn.Embedding(features, embedding_size, padding_idx=0)
        with torch.no_grad():
            self.embedding.weight.mul_(0.2)  # several are added up
        sizes = [(left + 1 + right) * embedding_size, *hidden_sizes]
        layers = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), activation(nonlinearity)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(sizes[-1], outputs)

    def forward(self, ids):
        """Scores of shape (lines, positions, tags) for ids of shape (lines, positions, features)."""
        longest = ids.shape[1]
        if self.training and self.word_dropout > 0:
            # New senders and streets are words that nobody has seen: get used to them.
            hidden = (torch.rand(ids.shape[:2]) < self.word_dropout) & (ids[:, :, 0] > UNKNOWN)
            ids = torch.cat([ids[:, :, :1].masked_fill(hidden[:, :, None], UNKNOWN), ids[:, :, 1:]], dim=2)
        vectors = self.embedding(ids).sum(dim=2)
        padded = nn.functional.pad(vectors, (0, 0, self.left, self.right))
        near = [padded[:, shift : shift + longest] for shift in range(self.left + 1 + self.right)]
        return self.head(self.body(torch.cat(near, dim=2)))


def build(config, features, outputs, seed):
    torch.manual_seed(seed)
    context = (config["left_context"], config["right_context"])
    options = (config["hidden_sizes"], config["nonlinearity"], config["word_dropout"])
    return LineTagger(features, outputs, config["embedding_size"], *context, *options).double()
