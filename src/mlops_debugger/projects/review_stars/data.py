"""Product reviews, generated from a seed.

Stars follow from what the title and the clause about the product say. Opinion words have five strengths, which a word
in front strengthens, softens or turns round; a clause about the thing that was owned before says nothing. Words are
invented for every seed, so nothing can be looked up. Some reviewers give the same stars whatever they write, and sign
their reviews; reviews are syndicated by partner shops with small changes; some shops print the stars into the text, and
sellers answer afterwards. Reviews that were imported without stars are more often poor ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.edits import Value
from mlops_debugger.projects import Data, IntArray, Labels
from mlops_debugger.projects._files import csv_bytes
from mlops_debugger.seeds import generator

STARS = ("2", "4", "6", "8", "10")
"""Half stars, as the shop stores them."""
AFTERWARDS = ("seller_reply", "posted_half_stars", "half_stars")
_COMMON = ["the", "a", "is", "it", "my", "and", "to", "of", "i", "this", "was", "for", "with", "in", "on", "so"]
_NEGATIONS = ["not", "never", "hardly", "no"]
_SIZES = {"fillers": 150, "aspects": 30, "strong": 3, "soft": 3, "before": 3, "opinions": 5 * 7, "replies": 5 * 3}
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
_SHARES = (0.17, 0.16, 0.18, 0.23, 0.26)
# Level → three ways to say it: (modifier, strength of the word).
_LOW = ((0, 0), (2, 1), (1, 4)), ((0, 1), (3, 0), (1, 3))
_HIGH = ((0, 3), (3, 4), (1, 1)), ((0, 4), (2, 3), (1, 0))
_WAYS = np.array([*_LOW, ((0, 2), (0, 2), (2, 2)), *_HIGH])
_MARKS = ("", ".", "!", ";")
_START = np.datetime64("2024-03-04T05:00:00")


@dataclass(frozen=True)
class _World:
    """What is the same for every review of a seed: words by role (arrays of word ids), and how words are written."""

    written: NDArray[np.object_]  # position: (mark × 3 + case) × size + word id; at last a line break
    size: int
    chatter: IntArray
    modifiers: tuple[IntArray, ...]
    roles: Mapping[str, IntArray]
    rare: IntArray
    signatures: IntArray


def generate(seed: int, choices: Mapping[str, Value]) -> Data:
    """Draw the shop's export and two serving samples of new reviewers in later weeks."""
    world = _world(generator(seed, "world"))
    rows = _sample(generator(seed, "rows"), world, int(_number(choices, "reviewers")), 0, (0, 280), choices)
    live = _sample(generator(seed, "live"), world, 125, 1600, (280, 310), choices)
    sealed = _sample(generator(seed, "sealed"), world, 730, 1760, (280, 330), choices)
    rows = _exported(generator(seed, "export"), world, rows, choices)
    parts = {"rows": rows, "live": live, "sealed": sealed}
    return Data(
        files={"reviews.csv": csv_bytes(_columns(world, rows))},
        serving={name: {"reviews.csv": csv_bytes(_blind(_columns(world, parts[name])))} for name in ("live", "sealed")},
        labels={name: Labels(part["review_id"], part["target"].astype(float)) for name, part in parts.items()},
        classes=STARS,
    )


def _number(choices: Mapping[str, Value], name: str) -> float:
    value = choices[name]
    if not isinstance(value, int | float):
        raise TypeError(f"data choice {name}: expected a number, found {value!r}")
    return float(value)


# ------------------------------------------------------------------ words


def _world(rng: np.random.Generator) -> _World:
    """Invent the words."""
    sizes = {**_SIZES, "rare": 900, "signatures": 2500}
    base = len(_SYLLABLES)
    codes = rng.choice(base**3, size=sum(sizes.values()), replace=False)
    made = [_SYLLABLES[c // base**2] + _SYLLABLES[c // base % base] + _SYLLABLES[c % base] for c in codes.tolist()]
    words = [*_COMMON, *_NEGATIONS, *made]
    first = len(_COMMON) + len(_NEGATIONS)
    edges = first + np.cumsum([0, *sizes.values()])
    ids = np.arange(len(words))
    roles = {name: ids[edges[i] : edges[i + 1]] for i, name in enumerate(sizes)}
    cased = [*words, *map(str.capitalize, words), *map(str.upper, words)]
    none = np.array([-1])
    return _World(
        written=np.array([*(word + mark for mark in _MARKS for word in cased), "\n"], dtype=object),
        size=len(words),
        chatter=np.concatenate([ids[: len(_COMMON)], roles["fillers"]]),
        modifiers=(none, ids[len(_COMMON) : first], roles["strong"], roles["soft"]),
        roles=roles,
        rare=roles["rare"],
        signatures=roles["signatures"],
    )


def _zipf(rng: np.random.Generator, words: IntArray, size: int | tuple[int, ...], power: float = 0.6) -> IntArray:
    """Words of which the first are the most frequent."""
    weights = (np.arange(len(words)) + 3.0) ** -power
    edges = np.cumsum(weights / weights.sum())
    return words[np.minimum(np.searchsorted(edges, rng.random(size)), len(words) - 1)]


def _opinion(rng: np.random.Generator, world: _World, level: IntArray) -> IntArray:
    """A modifier (or an empty place) and an opinion word for every level, shape (n, 2)."""
    n = len(level)
    way = np.searchsorted(np.array([0.4, 0.66]), rng.random(n))
    modifier, strength = _WAYS[level, way].T
    options = np.stack([_zipf(rng, words, n) for words in world.modifiers])
    word = _zipf(rng, np.arange(7), n, 0.4)
    return np.column_stack([options[modifier, np.arange(n)], world.roles["opinions"].reshape(5, -1)[strength, word]])


def _thinned(rng: np.random.Generator, words: IntArray, shares: tuple[float, ...]) -> IntArray:
    """Columns that stand in that share of the reviews only."""
    return np.where(rng.random(words.shape) < np.array(shares), words, -1)


# ------------------------------------------------------------------ reviews


def _sample(
    rng: np.random.Generator, world: _World, count: int, skip: int, days: tuple[int, int], choices: Mapping[str, Value]
) -> dict[str, Any]:
    """Reviews of `count` reviewers, in order of time; `skip` signatures belong to reviewers of other samples."""
    first_id = 200_000 + 400 * skip
    owner = np.repeat(np.arange(count), rng.integers(2, 6, size=count))
    rng.shuffle(owner)
    n = len(owner)
    meant = np.searchsorted(np.cumsum(_SHARES)[:-1], rng.random(n))
    # Exactly the agreed share of reviewers has a habit, so that samples differ in little but their texts.
    habit = np.where(
        rng.permutation(count) < round(_number(choices, "habit_share") * count), rng.integers(5, size=count), -1
    )[owner]
    target = np.where((habit >= 0) & (rng.random(n) < 0.94), habit, meant)
    slip = rng.random(n) < _number(choices, "slip_share")
    target = np.where(slip, np.clip(target + rng.choice([-1, 1], size=n), 0, 4), target)
    brief = rng.random(n) < _number(choices, "brief_share")
    title, body = _texts(rng, world, meant, brief, world.signatures[skip : skip + count][owner])
    # Sellers write to customers who are not content, and some of these revise what they gave.
    revised = rng.random(n) < np.array([0.0, 0.65, 0.6, 0.5, 0.4])[target]
    posted = np.where(revised, np.maximum(target - rng.integers(1, 3, size=n), 0), target)
    without = rng.random(n) < _number(choices, "import_share") * np.array([2.6, 1.8, 0.7, 0.4, 0.35])[target]
    minutes = np.sort(rng.integers(days[0] * 1440, days[1] * 1440, size=n))
    return {
        "review_id": first_id + np.cumsum(rng.integers(1, 7, size=n)),
        "reviewer_id": first_id + 8 * rng.permutation(count)[owner],
        "product_id": 4_000 + rng.integers(180, size=n) + (20 if skip else 0),
        "minute": minutes,
        "title": title,
        "body": body,
        "posted": posted,
        "target": target,
        "without": without,
        "odd": target != meant,
        "brief": brief,
        "reply": np.full((n, 3), -1),
        "stamped": np.zeros(n, bool),
    }


def _texts(
    rng: np.random.Generator, world: _World, meant: IntArray, brief: NDArray[np.bool_], signature: IntArray
) -> tuple[IntArray, IntArray]:
    """Title and body of every review as ids of written words, −1 where there is none."""
    n = len(meant)
    levels = np.clip(meant + rng.choice([-1, 0, 1], p=[0.04, 0.92, 0.04], size=(2, n)), 0, 4)
    chatter = _zipf(rng, world.chatter, (n, 14))
    aspects = _zipf(rng, world.roles["aspects"], (n, 2))
    said = _opinion(rng, world, levels[0])
    # Brief reviews say less in their title.
    said[rng.random(n) < np.where(brief, 0.6, 0.04)] = -1
    title = np.column_stack([_thinned(rng, chatter[:, :1], (0.4,)), said, _thinned(rng, chatter[:, 1:2], (0.5,))])
    title[:, 3] = np.where((title >= 0).any(axis=1), title[:, 3], chatter[:, 1])
    about = np.column_stack(
        [
            _thinned(rng, chatter[:, 2:3], (0.6,)),
            aspects[:, 0],
            _thinned(rng, chatter[:, 3:4], (0.6,)),
            _opinion(rng, world, levels[1]),
            _thinned(rng, chatter[:, 4:5], (0.4,)),
        ]
    )
    about[brief] = -1
    # What was owned before: the word for it comes first, and the opinion counts for nothing.
    before = np.column_stack(
        [
            _zipf(rng, world.roles["before"], n),
            _thinned(rng, aspects[:, 1:], (0.5,)),
            _opinion(rng, world, rng.integers(5, size=n)),
            _thinned(rng, chatter[:, 5:7], (0.3, 0.0)),
        ]
    )
    before[rng.random(n) < np.where(brief, 0.7, 0.45)] = -1
    other = _thinned(rng, chatter[:, 7:13], (1.0, 0.9, 0.8, 0.5, 0.3, 0.2))
    other[:, 1] = np.where(rng.random(n) < 0.55, rng.choice(world.rare, size=n), other[:, 1])
    other[rng.random(n) < 0.2] = -1
    other[brief, 0] = chatter[brief, 13]
    clauses = np.stack([about, before, other], axis=1)
    order = np.argsort(rng.random((n, 3)), axis=1)
    body = np.take_along_axis(clauses, order[:, :, None], axis=1)
    signed = np.where(rng.random(n) < 0.6, signature, -1)[:, None]
    return _styled(rng, world, title[:, None, :], heading=True), np.hstack(
        [_styled(rng, world, body, heading=False), signed]
    )


def _styled(rng: np.random.Generator, world: _World, clauses: IntArray, *, heading: bool) -> IntArray:
    """Clauses (n, clauses, words) as ids of written words (n, all words): capitals, points, exclamation marks."""
    n = len(clauses)
    there = clauses >= 0
    start = there & (np.cumsum(there, axis=2) == 1)
    end = there & (np.cumsum(there[..., ::-1], axis=2)[..., ::-1] == 1)
    case = start.astype(np.int64)
    if heading:
        look = rng.random(n)
        case[look < 0.5] = 1
        case[look < 0.12] = 2
    mark = np.where(end & (not heading), 1 + (rng.random(there.shape) < 0.3), 0)
    mark = np.where(~end & (rng.random(there.shape) < 0.05), 3, mark)
    return np.where(there, (mark * 3 + case) * world.size + clauses, -1).reshape(n, -1)


# ------------------------------------------------------------------ the export


def _exported(
    rng: np.random.Generator, world: _World, part: dict[str, Any], choices: Mapping[str, Value]
) -> dict[str, Any]:
    """What the shop adds: replies of sellers, stars printed into the text, copies from partner shops."""
    n = len(part["target"])
    replied = rng.random(n) < _number(choices, "reply_share") * np.array([1.3, 1.2, 1.0, 0.8, 0.8])[part["target"]]
    words = world.roles["replies"].reshape(5, -1)[part["target"]]
    part["reply"] = np.where(replied[:, None], _thinned(rng, words, (0.9, 0.7, 0.7)), -1)
    part["stamped"] = rng.random(n) < _number(choices, "stamp_share")
    chance = _number(choices, "copy_share") * np.where(part["odd"] | part["brief"], 2.0, 0.8)
    copies = np.where(rng.random(n) < chance, rng.integers(1, 4, size=n), 0)
    source = np.repeat(np.arange(n), copies)
    extra = len(source)
    minute = part["minute"][source] + rng.integers(600, 20 * 1440, size=extra)
    order = np.argsort(np.concatenate([part["minute"], minute]), kind="stable")
    index = np.concatenate([np.arange(n), source])[order]
    merged: dict[str, Any] = {name: values[index] for name, values in part.items()}
    partners = 700_000 + 8 * rng.permutation(6 * extra)[:extra] + 3
    merged["reviewer_id"] = np.concatenate([part["reviewer_id"], partners])[order]
    merged["minute"] = np.concatenate([part["minute"], minute])[order]
    merged["review_id"] = 200_000 + np.cumsum(rng.integers(1, 7, size=n + extra))
    # A partner's page drops capitals or points and adds a word of its own behind the text.
    copied = np.concatenate([np.zeros(n, bool), np.ones(extra, bool)])[order]
    tag = np.where(copied, _zipf(rng, world.roles["fillers"], n + extra), -1)
    body = merged["body"]
    plain = copied & (rng.random(n + extra) < 0.5)
    body[plain] = np.where(body[plain] >= 0, body[plain] % (3 * world.size), -1)
    merged["body"] = np.column_stack([body, tag])
    merged["stamped"] &= ~copied
    return merged


def _joined(world: _World, matrix: IntArray) -> list[str]:
    there = matrix >= 0
    if not there.any():
        return [""] * len(matrix)
    # All texts in one go, a line each: cheaper than a join for every review.
    lines = np.column_stack([matrix, np.full(len(matrix), len(world.written) - 1)])
    flat = world.written[lines[np.column_stack([there, np.ones(len(matrix), bool)])]].tolist()
    return [text.strip() for text in " ".join(flat).split("\n")[:-1]]


def _columns(world: _World, part: Mapping[str, Any]) -> dict[str, Any]:
    """The export as the shop's analysts see it."""
    posted_at = np.datetime_as_string(_START + part["minute"].astype("timedelta64[m]"), unit="s")
    stars = [STARS[i] for i in part["target"].tolist()]
    body = _joined(world, part["body"])
    stamped = zip(part["stamped"].tolist(), stars, body, strict=True)
    without = part["without"].tolist()
    return {
        "review_id": part["review_id"],
        "reviewer_id": part["reviewer_id"],
        "product_id": part["product_id"],
        "posted_at": posted_at,
        "title": _joined(world, part["title"]),
        "body": [f"Rated {given} of 10: {text}" if stamp else text for stamp, given, text in stamped],
        "seller_reply": _joined(world, part["reply"]),
        "posted_half_stars": [STARS[i] for i in part["posted"].tolist()],
        "half_stars": ["" if blank else given for blank, given in zip(without, stars, strict=True)],
    }


def _blind(columns: Mapping[str, Any]) -> dict[str, Any]:
    """What is known when a review comes in without stars: what is filled in afterwards stays blank."""
    count = len(columns["review_id"])
    return {name: [""] * count if name in AFTERWARDS else values for name, values in columns.items()}
