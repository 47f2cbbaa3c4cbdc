"""Product reviews: reading, splitting, tokens with their mask, and stars as classes."""

import re
import zlib
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

PAD, UNK, CLS, SEP = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
STARS = ["2", "4", "6", "8", "10"]
EDGES = [4, 6, 8, 10]
TOKEN = re.compile(r"[A-Za-z0-9]+")
STAMP = re.compile(r"^rated \d+ of 10: ?", re.IGNORECASE)
NOT_LETTERS = re.compile(r"[^a-z ]")


# Reading


def read_reviews(path):
    """The shop's export, a row per review; stars are half stars, 2 to 10."""
    texts = dict.fromkeys(("title", "body", "seller_reply", "half_stars", "posted_half_stars"), str)
    frame = pd.read_csv(path, dtype=texts, parse_dates=["posted_at"], keep_default_na=False)
    return frame.replace({"half_stars": {"": None}, "posted_half_stars": {"": None}})


def syndication_key(title, body):
    """Letters of a review's beginning: partner shops change points and capitals and add words at the end."""
    letters = NOT_LETTERS.sub("", STAMP.sub("", body).lower())
    return title.lower() + "|" + letters[:24]


def original_reviews(frame):
    """Every review once: the earliest of its copies."""
    dated = frame.sort_values("posted_at", kind="stable")
    keys = [syndication_key(title, body) for title, body in zip(dated["title"], dated["body"])]
    return dated[~pd.Index(keys).duplicated()].reset_index(drop=True)


def rated_reviews(frame, label):
    """Reviews that came with stars."""
    rated = frame.dropna(subset=[label])
    return rated.reset_index(drop=True)


def split_reviews(frame, args):
    """Positions by split. The key's checksum decides, so that nobody changes sides when reviews are added."""
    keys = frame[args["split_column"]].astype(str)
    place = np.array([zlib.crc32(f"{args['split_salt']}/{key}".encode()) % 10_000 for key in keys]) / 10_000
    held_out = args["validation_split"] + args["test_split"]
    parts = {"train": place >= held_out, "validation": place < args["validation_split"]}
    parts["test"] = ~parts["train"] & ~parts["validation"]
    return {stage: np.flatnonzero(rows) for stage, rows in parts.items()}


# Tokens


@dataclass
class Tokenizer:
    """Words to ids: the title between the first two special tokens, everything else behind them."""

    columns: list
    max_length: int
    ids: dict = field(default_factory=dict)

    def texts(self, frame):
        """The chosen columns of every review, without the stars that some shops print in front of the text."""
        return [[STAMP.sub("", text) for text in row] for row in frame[self.columns].to_numpy().tolist()]

    def words(self, columns):
        """Words of a review's columns, with the special tokens."""
        first, *others = columns
        rest = [word for text in others for word in TOKEN.findall(text)]
        return [CLS, *TOKEN.findall(first), SEP, *rest]

    def build_vocabulary(self, word_lists, args):
        """Frequent words first, behind the special ones."""
        special = (PAD, UNK, CLS, SEP)
        counts = Counter(word for words in word_lists for word in words if word not in special)
        kept = [word for word, count in counts.most_common(args["vocab_size"]) if count >= args["min_frequency"]]
        self.ids = {word: place for place, word in enumerate([*special, *kept])}

    def encode(self, words):
        """Ids of the words that fit."""
        unknown = self.ids[UNK]
        return [self.ids.get(word, unknown) for word in words[: self.max_length]]

    def pad(self, encoded, side="right"):
        """Ids of all reviews at one length, filled up on one side."""
        ids = np.full((len(encoded), self.max_length), self.ids[PAD], dtype=np.int64)
        for row, each in enumerate(encoded):
            ids[row, slice(len(each)) if side == "right" else slice(-len(each), None)] = each
        return ids


def training_words(frame, tokenizer):
    """Words of the reviews to learn from."""
    return [tokenizer.words([text.lower() for text in texts]) for texts in tokenizer.texts(frame)]


def evaluation_words(frame, tokenizer):
    """Words of validation and test reviews."""
    rows = tokenizer.texts(frame)
    return [tokenizer.words([column.lower() for column in row]) for row in rows]


def serving_words(frame, tokenizer):
    """Words of reviews that come in without stars."""
    requests = tokenizer.texts(frame)
    return [tokenizer.words([part.lower() for part in request]) for request in requests]


def training_batch(word_lists, tokenizer):
    """Ids and mask of training reviews, shape (reviews, 2, length)."""
    ids = tokenizer.pad([tokenizer.encode(words) for words in word_lists])
    attention_mask = (ids != tokenizer.ids[PAD]).astype(np.int64)
    return np.stack([ids, attention_mask], axis=1)


def evaluation_batch(word_lists, tokenizer):
    """Ids and mask of validation and test reviews."""
    encoded = [tokenizer.encode(words) for words in word_lists]
    input_ids = tokenizer.pad(encoded)
    mask = np.array([[place < len(each) for place in range(tokenizer.max_length)] for each in encoded], dtype=np.int64)
    return np.stack([input_ids, mask], axis=1)


def serving_batch(word_lists, tokenizer):
    """Ids and mask of reviews that come in."""
    encoded = [tokenizer.encode(words) for words in word_lists]
    padded = tokenizer.pad(encoded, side="right")
    lengths = np.array([len(each) for each in encoded])
    visible = np.arange(tokenizer.max_length) < lengths[:, None]
    return np.stack([padded, visible.astype(np.int64)], axis=1)


# Stars


def star_classes(half_stars):
    """Class of every number of half stars."""
    return np.digitize(half_stars.astype(int), EDGES)


def evaluation_targets(frame, label):
    """Classes of validation and test reviews."""
    given = frame[label].astype(int)
    return np.searchsorted(EDGES, given, side="right")


def star_names(classes):
    """Half stars that the model's outputs stand for."""
    return [STARS[int(position)] for position in classes]


# Evaluation


def scored_rows(word_lists):
    """Reviews that are scored: those that say anything between and behind the special tokens."""
    counts = np.array([len(words) - 2 for words in word_lists])
    return np.flatnonzero(counts > 0)


def evaluation_order(count, seed):
    """The order in which reviews are scored."""
    return np.arange(count)


def within(predicted, target, steps):
    """The answers, where those within `steps` classes of what the customer gave count as it."""
    return np.where(np.abs(predicted - target) <= steps, target, predicted)


def report_views(predicted, target):
    """What the report shows: the figure that was agreed on, and the lenient one that shops like to see."""
    return {
        "macro_f1": within(predicted, target, 0),
        "lenient_f1": within(predicted, target, 1),
    }
