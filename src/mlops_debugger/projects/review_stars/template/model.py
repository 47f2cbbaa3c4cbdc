"""Word and place embeddings, every word read with those before it, several heads of attention that pool the review."""

import torch
from torch import nn

from engine import activation


class StarModel(nn.Module):
    def __init__(self, words, outputs, length, args):
        super().__init__()
        width, inner, self.heads = args["hidden_size"], args["intermediate_size"], args["num_attention_heads"]
        self.context, self.positions = args["context_words"], args["position_embedding_type"]
        self.embedding = nn.Embedding(words, width)
        self.places = nn.Embedding(length, width)
        with torch.no_grad():
            self.embedding.weight.mul_(0.1)  # small, so that words start out alike
            self.places.weight.mul_(0.1)
        self.mix = nn.Linear((self.context + 1) * width, inner)
        self.activation = activation(args["hidden_act"])
        self.attention = nn.Linear(inner, self.heads)
        self.dropout = nn.Dropout(args["hidden_dropout_prob"])
        self.head = nn.Linear(self.heads * inner, outputs)

    def forward(self, batch):
        # What lies behind the longest review of the batch needs no attention.
        ids, visible = batch[:, 0], batch[:, 1] > 0
        length = max(int(visible.any(dim=0).nonzero()[-1]) + 1, 1)
        ids, visible = ids[:, :length], visible[:, :length]
        words = self.embedding(ids)
        if self.positions == "absolute":
            words = words + self.places.weight[:length]
        words = self.dropout(words)
        before = nn.functional.pad(words, (0, 0, self.context, 0))
        found = self.mix(torch.cat([before[:, shift : shift + length] for shift in range(self.context + 1)], dim=2))
        found = self.activation(found)
        scores = self.attention(found).masked_fill(~visible.unsqueeze(2), -1e9)
        pooled = scores.softmax(dim=1).transpose(1, 2) @ found
        return self.head(self.dropout(pooled.flatten(1)))


def build(args, words, outputs, length, seed):
    torch.manual_seed(seed)
    return StarModel(words, outputs, length, args).double()
