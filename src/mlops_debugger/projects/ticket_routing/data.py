"""Support tickets, generated from a seed.

The right queue follows from what a ticket is about and from whether the customer is in trouble, and trouble turns round
with a negation ("working" against "not working"). Words are invented for every seed, so nothing can be looked up.
Managed customers have a desk of their own that no text explains, so tickets of one customer must stay on one side of a
split; customers who were routed badly send the same text again; open tickets have no queue yet (more often the urgent
ones); and some fields are filled in only when a ticket is handled.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.edits import Value
from mlops_debugger.projects import Data, IntArray, Labels
from mlops_debugger.projects._files import csv_bytes
from mlops_debugger.seeds import generator

QUEUES = ("self_help", "general", "specialist", "escalation")
AFTERWARDS = ("first_queue", "routing_note", "queue")
NEGATIONS = ("not", "never", "no", "hardly")
_FREQUENT = "the a is my and to of in it this was on for with we i since now"
COMMON: tuple[str, ...] = tuple(_FREQUENT.split())
_MAIL = 24  # longest quoted head of a mail, in words
_SENTENCES, _WIDTH = 3, 8
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
_START = np.datetime64("2024-09-02T06:00:00")
_NEW_NAMES = 1  # product names of each topic that come up only after the training period


@dataclass(frozen=True)
class _World:
    """What is the same for every ticket of a seed: the lexicon and what its words mean (arrays of word ids)."""

    lexicon: tuple[str, ...]
    written: NDArray[np.object_]  # how words are written, see `_variants`
    common: IntArray
    negations: IntArray
    fillers: IntArray
    topics: IntArray  # shape (2, names and words)
    moods: IntArray  # shape (2, words): fine, trouble
    notes: tuple[str, ...]  # what agents type, by queue
    rare: IntArray
    signatures: IntArray
    typo: IntArray  # word id → id of its misspelling


def generate(seed: int, choices: Mapping[str, Value]) -> Data:
    """Draw the training tickets and two serving samples of new customers in later weeks."""
    world = _world(generator(seed, "world"))
    rows = _sample(generator(seed, "rows"), world, int(_number(choices, "customers")), 0, (0, 300), choices)
    live = _sample(generator(seed, "live"), world, 260, 1600, (300, 330), choices)
    sealed = _sample(generator(seed, "sealed"), world, 720, 1860, (300, 350), choices)
    rows = _resubmitted(generator(seed, "again"), rows, choices)
    parts = {"rows": rows, "live": live, "sealed": sealed}
    return Data(
        files={"tickets.csv": csv_bytes(_columns(rows))},
        serving={name: {"tickets.csv": csv_bytes(_blind(_columns(parts[name])))} for name in ("live", "sealed")},
        labels={name: Labels(part["ticket_id"], part["target"].astype(float)) for name, part in parts.items()},
        classes=QUEUES,
    )


def _number(choices: Mapping[str, Value], name: str) -> float:
    value = choices[name]
    if not isinstance(value, int | float):
        raise TypeError(f"data choice {name}: expected a number, found {value!r}")
    return float(value)


# ------------------------------------------------------------------ words


def _world(rng: np.random.Generator) -> _World:
    """Invent the lexicon."""
    sizes = {"fillers": 150, "topics": 2 * 18, "moods": 2 * 5, "rare": 5000, "signatures": 2600}
    base = len(_SYLLABLES)
    codes = rng.choice(base**3, size=sum(sizes.values()) + 4, replace=False)
    made = [_SYLLABLES[c // base**2] + _SYLLABLES[c // base % base] + _SYLLABLES[c % base] for c in codes.tolist()]
    notes, made = made[:4], made[4:]
    first = len(COMMON) + len(NEGATIONS)
    edges = first + np.cumsum([0, *sizes.values()])
    misspelt = [word[:2] + word[3] + word[2] + word[4:] for word in made[: edges[3] - first]]
    lexicon = (*COMMON, *NEGATIONS, *made, *misspelt)
    ids = np.arange(len(lexicon))
    spans = {name: ids[edges[i] : edges[i + 1]] for i, name in enumerate(sizes)}
    typo = ids.copy()
    typo[first : first + len(misspelt)] = ids[first + len(made) :]
    return _World(
        lexicon,
        _variants(lexicon),
        common=ids[: len(COMMON)],
        negations=ids[len(COMMON) : first],
        fillers=spans["fillers"],
        topics=spans["topics"].reshape(2, -1),
        moods=spans["moods"].reshape(2, -1),
        notes=tuple(notes),
        rare=spans["rare"],
        signatures=spans["signatures"],
        typo=typo,
    )


def _zipf(rng: np.random.Generator, words: IntArray, size: int | tuple[int, ...], power: float = 0.7) -> IntArray:
    """Words of which the first are the most frequent."""
    weights = (np.arange(len(words)) + 3.0) ** -power
    edges = np.cumsum(weights / weights.sum())
    return words[np.minimum(np.searchsorted(edges, rng.random(size)), len(words) - 1)]


def _chatter(rng: np.random.Generator, world: _World, shape: tuple[int, ...]) -> IntArray:
    """Words that say nothing: common ones and fillers."""
    common = _zipf(rng, world.common, shape)
    return np.where(rng.random(shape) < 0.4, common, _zipf(rng, world.fillers, shape))


# ------------------------------------------------------------------ tickets


def _sample(
    rng: np.random.Generator, world: _World, count: int, skip: int, days: tuple[int, int], choices: Mapping[str, Value]
) -> dict[str, Any]:
    """Tickets of `count` customers, in order of time; `skip` signatures belong to customers of other samples."""
    first_id = 100_000 + 500 * skip
    owner = np.repeat(np.arange(count), rng.integers(2, 7, size=count))
    rng.shuffle(owner)
    n = len(owner)
    topic = (rng.random(n) < 0.48).astype(np.int64)
    mood = (rng.random(n) < 0.5).astype(np.int64)
    negated = rng.random(n) < 0.3
    # Some customers do not say what is wrong; mostly something is.
    vague = rng.random(n) < _number(choices, "vague_share")
    in_trouble = np.where(vague, rng.random(n) < 0.78, np.where(negated, 1 - mood, mood))
    target = 2 * topic + in_trouble
    meant = target.copy()
    # Exactly the agreed share of customers is managed, so that samples differ in little but their texts.
    desk = np.where(
        rng.permutation(count) < round(_number(choices, "managed_share") * count), rng.integers(4, size=count), -1
    )[owner]
    target = np.where((desk >= 0) & (rng.random(n) < 0.95), desk, target)
    slip = rng.random(n) < _number(choices, "slip_share")
    target = np.where(slip, (target + rng.integers(1, 4, size=n)) % 4, target)
    signature = world.signatures[skip : skip + count]
    subject, body = _texts(rng, world, topic, mood, negated, vague, signature[owner], later=days[0] > 0)
    # The first desk to see a ticket starts low.
    first = np.where(rng.random(n) < np.array([0.0, 0.68, 0.22, 0.72])[target], np.maximum(target - 1, 0), target)
    is_open = rng.random(n) < _number(choices, "open_share") * np.array([0.5, 0.9, 0.7, 1.9])[target]
    noted = ~is_open & (rng.random(n) < _number(choices, "noted_share"))
    agents = [_SYLLABLES[i] for i in rng.integers(12, size=n).tolist()]
    minutes = np.sort(rng.integers(days[0] * 1440, days[1] * 1440, size=n))
    return {
        "ticket_id": first_id + np.cumsum(rng.integers(1, 9, size=n)),
        "customer_id": first_id + 10 * rng.permutation(count)[owner],
        "minute": minutes,
        "subject": subject,
        "body": body,
        "first": first,
        "note": [
            f"{agent} {world.notes[t]}" if flag else None
            for agent, flag, t in zip(agents, noted.tolist(), target.tolist(), strict=True)
        ],
        "target": target,
        "is_open": is_open,
        "odd": target != meant,
    }


def _texts(
    rng: np.random.Generator,
    world: _World,
    topic: IntArray,
    mood: IntArray,
    negated: NDArray[np.bool_],
    vague: NDArray[np.bool_],
    signature: IntArray,
    *,
    later: bool,
) -> tuple[list[str], list[str]]:
    """Subject and body of every ticket: [quoted mail] sentences, one of which decides, and a signature."""
    n = len(topic)
    rows = np.arange(n)
    known = world.topics.shape[1] - (0 if later else _NEW_NAMES)
    # Column by column: fillers, topic, verb, negation or an empty word, sometimes a word between, mood, filler.
    names = _zipf(rng, np.arange(known), (2, n), 0.5)
    decisive = _chatter(rng, world, (n, _WIDTH))
    decisive[rng.random(n) < 0.5, 0] = -1
    decisive[rng.random(n) < 0.6, 1] = -1
    decisive[:, 2] = world.topics[topic, names[0]]
    decisive[:, 4] = np.where(negated, _zipf(rng, world.negations, n), decisive[:, 4])
    decisive[rng.random(n) < 0.9, 5] = -1
    decisive[:, 6] = world.moods[mood, _zipf(rng, np.arange(world.moods.shape[1]), n, 0.5)]
    decisive[vague, 3:] = _chatter(rng, world, (int(vague.sum()), _WIDTH - 3))
    decisive[rng.random(n) < 0.6, 7] = -1
    count = rng.integers(2, _SENTENCES + 1, size=n)
    core = _chatter(rng, world, (n, _SENTENCES, _WIDTH))
    core[np.arange(_WIDTH) >= rng.integers(4, 6, size=(n, _SENTENCES, 1))] = -1
    astray = rng.random((n, _SENTENCES)) < 0.18
    core[..., 1] = np.where(astray, _zipf(rng, world.negations, (n, _SENTENCES)), core[..., 1])
    core[..., 3] = np.where(
        rng.random((n, _SENTENCES)) < 0.25, rng.choice(world.rare, size=(n, _SENTENCES)), core[..., 3]
    )
    core[np.arange(_SENTENCES) >= count[:, None]] = -1
    place = rng.random(n)
    where = np.where(place < 0.5, count - 1, np.where(place < 0.75, 0, rng.integers(0, count)))
    core[rows, where] = decisive
    mail = _chatter(rng, world, (n, 3, _MAIL // 3))
    length = np.where(rng.random(n) < 0.6, rng.integers(12, _MAIL + 1, size=n), 0)
    mail[np.arange(_MAIL).reshape(3, -1) >= length[:, None, None]] = -1
    sign = np.full((n, 1), -1)
    sign[:, 0] = np.where(rng.random(n) < 0.6, signature, -1)
    head = _chatter(rng, world, (n, 1, 4))
    head[:, 0, 1] = np.where(rng.random(n) < 0.7, world.topics[topic, names[1]], head[:, 0, 1])
    head[rng.random((n, 1, 4)) < np.array([0.4, 0.0, 0.3, 0.6])] = -1
    named = np.zeros(len(world.lexicon), bool)
    named[world.topics[:, ::2]] = True  # every other word of a topic is a product's name, with a capital
    named[signature] = True
    styled = [_styled(rng, world, block, named) for block in (head, mail, core, sign[:, None, :])]
    return _joined(world.written, [styled[0]]), _joined(world.written, styled[1:])


def _styled(rng: np.random.Generator, world: _World, block: IntArray, named: NDArray[np.bool_]) -> IntArray:
    """Sentences (n, sentences, words) as ids of written variants (n, all words): typos, capitals and points."""
    there = block >= 0
    misspelt = rng.random(block.shape) < 0.03
    written = np.where(misspelt, world.typo[block], block)
    start = there & (np.cumsum(there, axis=2) == 1)
    end = there & (np.cumsum(there[..., ::-1], axis=2)[..., ::-1] == 1)
    capital = start | named[block]
    point = np.where(end, 1, np.where(rng.random(block.shape) < 0.06, 2, 0))
    size = len(world.lexicon)
    return np.where(there, written + size * capital + 2 * size * point, -1).reshape(len(block), -1)


def _variants(lexicon: tuple[str, ...]) -> NDArray[np.object_]:
    """Every word plain and capitalised, then both with a point, then both with a comma."""
    plain = [*lexicon, *(word.capitalize() for word in lexicon)]
    return np.array([word + mark for mark in ("", ".", ",") for word in plain], dtype=object)


def _joined(words: NDArray[np.object_], blocks: list[IntArray]) -> list[str]:
    matrix = np.hstack(blocks)
    there = matrix >= 0
    flat = words[matrix[there]].tolist()
    edges = [0, *np.cumsum(there.sum(axis=1)).tolist()]
    return [" ".join(flat[low:high]) for low, high in itertools.pairwise(edges)]


def _resubmitted(rng: np.random.Generator, part: dict[str, Any], choices: Mapping[str, Value]) -> dict[str, Any]:
    """Add tickets that were sent again word for word from the form that needs no login; they end like the first one."""
    chance = _number(choices, "again_share") * np.where(part["odd"], 1.5, 1.0)
    n = len(chance)
    copies = np.where(rng.random(n) < chance, rng.integers(1, 5, size=n), 0)
    source = np.repeat(np.arange(n), copies)
    extra = len(source)
    minute = part["minute"][source] + rng.integers(60, 6 * 1440, size=extra)
    order = np.argsort(np.concatenate([part["minute"], minute]), kind="stable")
    index = np.concatenate([np.arange(n), source])[order]
    merged: dict[str, Any] = {
        name: [values[i] for i in index.tolist()] if isinstance(values, list) else values[index]
        for name, values in part.items()
    }
    guests = 500_000 + 10 * rng.permutation(9 * extra)[:extra] + 5
    merged["customer_id"] = np.concatenate([part["customer_id"], guests])[order]
    merged["minute"] = np.concatenate([part["minute"], minute])[order]
    merged["ticket_id"] = 100_000 + np.cumsum(rng.integers(1, 9, size=n + extra))
    return merged


def _columns(part: Mapping[str, Any]) -> dict[str, Any]:
    """The export as the desk sees it."""
    created = np.datetime_as_string(_START + part["minute"].astype("timedelta64[m]"), unit="s")
    names = [QUEUES[i] for i in part["target"].tolist()]
    return {
        "ticket_id": part["ticket_id"],
        "customer_id": part["customer_id"],
        "created_at": created,
        "subject": part["subject"],
        "body": part["body"],
        "first_queue": [QUEUES[i] for i in part["first"].tolist()],
        "routing_note": part["note"],
        "queue": [None if blank else name for blank, name in zip(part["is_open"].tolist(), names, strict=True)],
    }


def _blind(columns: Mapping[str, Any]) -> dict[str, Any]:
    """What is known when a ticket comes in: fields that are filled in on handling stay blank."""
    count = len(columns["ticket_id"])
    return {name: [None] * count if name in AFTERWARDS else values for name, values in columns.items()}
