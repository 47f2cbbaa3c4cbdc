"""Support tickets: clean-up, splits, words to ids, and the way back to the names of queues."""

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit

QUEUES = ["self_help", "general", "specialist", "escalation"]
PAD, UNKNOWN = "<pad>", "<unk>"
WORD = re.compile(r"[A-Za-z0-9]+")
STOP_WORDS = {"a", "and", "in", "it", "of", "on", "the", "this", "to", "with"}


@dataclass
class TextEncoder:
    """What was built from the training tickets."""

    fields: list
    max_length: int
    truncate: str
    vocabulary: list = field(default_factory=list)
    queue_ids: dict = field(default_factory=dict)


def load_tickets(path):
    texts = dict.fromkeys(("subject", "body", "routing_note"), str)
    return pd.read_csv(path, parse_dates=["created_at"], dtype=texts)


def distinct_tickets(frame):
    """The oldest copy of every ticket."""
    ordered = frame.sort_values("created_at", kind="stable")
    return ordered.drop_duplicates(subset=["subject", "body"]).reset_index(drop=True)


def labelled_tickets(frame, label):
    """The tickets that have been handled."""
    handled = frame.dropna(subset=[label])
    return handled.reset_index(drop=True)


def split_tickets(frame, config):
    """Positions of the training, validation and test tickets."""
    customers = frame[config["customer_key"]] if config["customer_key"] else None
    splitter = ShuffleSplit if customers is None else GroupShuffleSplit
    held_out = config["val_fraction"] + config["test_fraction"]
    outer = splitter(n_splits=1, test_size=held_out, random_state=config["split_state"])
    train, rest = next(outer.split(frame, groups=customers))
    inner = splitter(n_splits=1, test_size=config["test_fraction"] / held_out, random_state=config["split_state"] + 1)
    validation, test = next(inner.split(rest, groups=None if customers is None else customers.iloc[rest]))
    return {"train": train, "validation": rest[validation], "test": rest[test]}


def full_text(frame, fields):
    """The chosen fields of every ticket as one text."""
    parts = [frame[name].fillna("").tolist() for name in fields]
    return [" ".join(pieces) for pieces in zip(*parts, strict=True)]


def words_of(text):
    return [word for word in WORD.findall(text) if word not in STOP_WORDS]


def training_words(frame, fields):
    """Words of the training tickets."""
    return [words_of(text.lower()) for text in full_text(frame, fields)]


def evaluation_words(frame, encoder):
    """Words of validation and test tickets."""
    texts = full_text(frame, encoder.fields)
    return [words_of(line.lower()) for line in texts]


def serving_words(frame, encoder):
    """Words of tickets that come in."""
    requests = full_text(frame, encoder.fields)
    return [words_of(request.lower()) for request in requests]


def build_vocabulary(word_lists, options):
    """Frequent words first; two places are reserved."""
    counts = Counter(word for words in word_lists for word in words)
    frequent = [word for word, count in counts.most_common(options["max_words"]) if count >= options["min_count"]]
    return [PAD, UNKNOWN, *frequent]


def training_table(encoder):
    """Word to id."""
    return {word: position for position, word in enumerate(encoder.vocabulary)}


def evaluation_table(encoder):
    """Word to id, for validation and test."""
    known = encoder.vocabulary
    return {word: place for place, word in enumerate(known)}


def serving_table(encoder):
    """Word to id, from the vocabulary that is stored with the model."""
    stored = encoder.vocabulary
    return {word: index for index, word in enumerate(stored)}


def padded_ids(word_lists, table, encoder):
    """Ids of every ticket's words, cut or filled up to one length."""
    length, unknown = encoder.max_length, table[UNKNOWN]
    ids = np.full((len(word_lists), length), table[PAD], dtype=np.int64)
    for row, words in enumerate(word_lists):
        kept = words[-length:] if encoder.truncate == "left" else words[:length]
        ids[row, : len(kept)] = [table.get(word, unknown) for word in kept]
    return ids


def encode_queues(names):
    """Queue names of the training tickets to ids."""
    queue_ids = {name: position for position, name in enumerate(QUEUES)}
    return names.map(queue_ids).to_numpy(), queue_ids


def evaluation_targets(frame, label, encoder):
    """Ids of the queues of validation and test tickets."""
    return frame[label].map(encoder.queue_ids).to_numpy()


def evaluation_order(count, seed):
    """The order in which tickets are scored."""
    return np.arange(count)


def queue_names(positions, encoder):
    """Names of the queues that the model's outputs stand for."""
    names = {position: name for name, position in encoder.queue_ids.items()}
    return [names[int(position)] for position in positions]
