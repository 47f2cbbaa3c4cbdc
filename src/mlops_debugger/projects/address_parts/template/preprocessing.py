"""Address lines: reading the export, splitting it, tokens to features, and tags there and back.

A token is described by its word, its shape, its place in the line and the fields of its line; all of them are strings
that share one list of features. A line starts with a marker of its own, so column 1 is the first token.
"""

import csv
import re
from collections import Counter, namedtuple

import numpy as np

TAGS = ["street", "number", "unit", "city", "region", "other"]
PAD, UNKNOWN, START = "<pad>", "<unk>", "<s>"
NO_TAG = -100
LAST_PLACE = 9
SHAPES = [(re.compile("[A-Z]"), "X"), (re.compile("[a-z]"), "x"), (re.compile("[0-9]"), "d"), (re.compile(r"(.)\1+"), r"\1\1")]
DIGIT = re.compile("[0-9]")

Line = namedtuple("Line", "line_id sender country scanned_at address sort_plan tags tags_v1")
Codebook = namedtuple("Codebook", "features tag_ids line_fields")


def read_lines(path):
    """The lines of an export, in order of time."""
    with open(path, encoding="utf-8", newline="") as handle:
        rows = [Line(**row) for row in csv.DictReader(handle)]
    rows = [row._replace(line_id=int(row.line_id), sender=int(row.sender)) for row in rows]
    return sorted(rows, key=lambda row: (row.scanned_at, row.line_id))


def distinct_lines(lines):
    """The oldest copy of every address."""
    seen = {}
    for line in lines:
        seen.setdefault(line.address, line)
    return list(seen.values())


def tagged_lines(lines, tag_column):
    """The lines that somebody has tagged."""
    return [line for line in lines if getattr(line, tag_column)]


def split_lines(lines, corpus):
    """Training, validation and test lines; what shares a key stays together."""
    keys = [getattr(line, corpus["group_by"]) for line in lines]
    names = np.unique(keys)
    np.random.default_rng(corpus["shuffle_seed"]).shuffle(names)
    place = {name: rank for rank, name in enumerate(names.tolist())}
    ranks = np.array([place[key] for key in keys])
    edges = np.quantile(ranks, [corpus["test_part"], corpus["test_part"] + corpus["dev_part"]])
    test, dev, train = (np.flatnonzero(np.digitize(ranks, edges) == part) for part in range(3))
    return {"train": train, "validation": dev, "test": test}


def tokens_of(line):
    return [token.strip(",") for token in line.address.split()]


def shape_of(token):
    """How a token is written: capitals, small letters and digits, a run of them as two."""
    for pattern, sign in SHAPES:
        token = pattern.sub(sign, token)
    return token


def word_of(token):
    """The word that a token stands for: case and the value of digits do not matter."""
    return DIGIT.sub("0", token.lower())


def describe(words, shapes, line, line_fields):
    """Features of every token of a line."""
    shared = [f"{name}={getattr(line, name)}" for name in line_fields]
    rows = zip(words, shapes, strict=True)
    return [[f"w={word}", f"s={shape}", f"p={min(place, LAST_PLACE)}", *shared] for place, (word, shape) in enumerate(rows)]


def training_features(line, line_fields):
    """Features of the tokens of a training line."""
    tokens = tokens_of(line)
    return describe([word_of(token) for token in tokens], [shape_of(token) for token in tokens], line, line_fields)


def evaluation_features(line, line_fields):
    """Features of the tokens of a validation or test line."""
    tokens = tokens_of(line)
    words, shapes = list(map(word_of, tokens)), list(map(shape_of, tokens))
    return describe(words, shapes, line, line_fields)


def serving_features(line, line_fields):
    """Features of the tokens of a line that comes in."""
    incoming = tokens_of(line)
    written = [shape_of(token) for token in incoming]
    spoken = [word_of(token) for token in incoming]
    return describe(spoken, written, line, line_fields)


def build_features(described, encoder):
    """Frequent features first; three places are reserved."""
    counts = Counter(name for line in described for token in line for name in token)
    frequent = [name for name, count in counts.most_common(encoder["max_features"]) if count >= encoder["min_frequency"]]
    return [PAD, UNKNOWN, START, *frequent]


def training_table(codebook):
    """Feature to id."""
    return {name: position for position, name in enumerate(codebook.features)}


def evaluation_table(codebook):
    """Feature to id, for validation and test."""
    known = codebook.features
    return {name: place for place, name in enumerate(known)}


def serving_table(codebook):
    """Feature to id, from the list that is stored with the model."""
    stored = codebook.features
    return {name: index for index, name in enumerate(stored)}


def padded_ids(described, table):
    """Feature ids of shape (lines, 1 + longest line, features of a token)."""
    longest, unknown = max(map(len, described)), table[UNKNOWN]
    ids = np.full((len(described), 1 + longest, len(described[0][0])), table[PAD], dtype=np.int64)
    ids[:, 0, 0] = table[START]
    for row, line in enumerate(described):
        ids[row, 1 : len(line) + 1] = [[table.get(name, unknown) for name in token] for token in line]
    return ids


def tag_map():
    """Tag to id."""
    return {tag: position for position, tag in enumerate(TAGS)}


def training_tags(lines, tag_column, tag_ids, width):
    """Tag ids of training lines, aligned with their padded ids."""
    found = np.full((len(lines), width), NO_TAG, dtype=np.int64)
    for row, line in enumerate(lines):
        named = [tag_ids[tag] for tag in getattr(line, tag_column).split()]
        found[row, 1 : len(named) + 1] = named
    return found


def evaluation_tags(lines, tag_column, tag_ids, width):
    """Tag ids of validation and test lines, aligned with their padded ids."""
    found = np.full((len(lines), width), NO_TAG, dtype=np.int64)
    for row, line in enumerate(lines):
        given = getattr(line, tag_column).split()
        found[row, 1 : len(given) + 1] = [tag_ids[tag] for tag in given]
    return found


def scored_positions(targets):
    """Which positions of the padded lines go into the score."""
    return targets != NO_TAG


def evaluation_order(count, seed):
    """The order in which lines are scored."""
    return np.arange(count)


def tag_names(positions, codebook):
    """Names of the tags that the model's outputs stand for."""
    names = {position: tag for tag, position in codebook.tag_ids.items()}
    return [names[int(position)] for position in positions]
