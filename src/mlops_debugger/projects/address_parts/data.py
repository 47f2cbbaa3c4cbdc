"""Postal address lines, generated from a seed.

Every token of a line belongs to one part of an address. Countries write the parts in different orders, many senders
have an order of their own that nothing but their name on the label gives away, and streets, towns and people share
names, so a token is understood from its neighbours and from how it is written (capitals, digits). Words are invented
for every seed. Parcels that come back are scanned again with the same text under the number of the returns desk,
more often those that were hard to read; some lines have not been tagged yet; and the carrier's sorting machine notes
how it read a line only once the parcel has been sorted.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mlops_debugger.edits import Value
from mlops_debugger.projects import Data, IntArray, Labels
from mlops_debugger.projects._files import csv_bytes
from mlops_debugger.projects.address_parts._export import (
    CITY,
    NUMBER,
    OTHER,
    REGION,
    STREET,
    TAGS,
    UNIT,
    blind,
    columns,
)
from mlops_debugger.seeds import generator

COUNTRIES = ("BR", "DK", "NV", "TL")
_ORDERS = (
    (NUMBER, STREET, UNIT, CITY, REGION),
    (STREET, NUMBER, UNIT, REGION, CITY),
    (UNIT, NUMBER, STREET, REGION, CITY),
    (REGION, CITY, STREET, NUMBER, UNIT),
)
_SWAPS = ((NUMBER, UNIT), (STREET, CITY))  # what senders with an order of their own turn round
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
_CAPITALS = "ABCDEFGH"
_DRAWS = 36  # uniform numbers that a line may use
_NEW_STREETS = 90  # names of streets that come up only after the training period
_LOW, _HIGH = 6, 14  # tokens of a line


class _World(NamedTuple):
    """What is the same for every line of a seed."""

    streets: list[str]
    cities: list[str]
    modifiers: list[str]
    people: list[str]
    types: list[list[str]]  # by country: words like "road"
    units: list[list[str]]  # by country: words like "flat"
    regions: list[list[str]]  # by country
    attention: list[str]
    markers: list[str]


class _Sender(NamedTuple):
    """How one sender writes labels."""

    country: int
    order: tuple[int, ...]
    odd: bool
    marker: str
    first: bool  # does the sender's name stand at the front
    says_unit: bool
    commas: bool
    numbered: bool


def generate(seed: int, choices: Mapping[str, Value]) -> Data:
    """Draw the training lines and two serving samples of new senders in later weeks."""
    world = _world(generator(seed, "world"))
    rows = _sample(generator(seed, "rows"), world, int(_number(choices, "senders")), 0, (0, 240), choices)
    live = _sample(generator(seed, "live"), world, 9, 400, (240, 260), choices)
    sealed = _sample(generator(seed, "sealed"), world, 100, 430, (240, 290), choices)
    rows = _returned(generator(seed, "returns"), rows, choices)
    parts = {"rows": rows, "live": live, "sealed": sealed}
    return Data(
        files={"lines.csv": csv_bytes(columns(rows))},
        serving={name: {"lines.csv": csv_bytes(blind(columns(parts[name])))} for name in ("live", "sealed")},
        labels={name: _labels(part) for name, part in parts.items()},
        classes=TAGS,
    )


def _number(choices: Mapping[str, Value], name: str) -> float:
    value = choices[name]
    if not isinstance(value, int | float):
        raise TypeError(f"data choice {name}: expected a number, found {value!r}")
    return float(value)


def _world(rng: np.random.Generator) -> _World:
    """Invent the words."""
    base = len(_SYLLABLES)
    codes = rng.choice(base**3, size=1600, replace=False).tolist()
    made = iter([_SYLLABLES[c // base**2] + _SYLLABLES[c // base % base] + _SYLLABLES[c % base] for c in codes])

    def take(count: int) -> list[str]:
        return list(itertools.islice(made, count))

    cities, names = take(240), take(380)
    streets = [names[i] if i % 5 > 1 else cities[i * 2 // 5 % len(cities)] for i in range(len(names))]
    people = [*names[1:160:3], *take(60)]
    return _World(
        streets,
        cities,
        take(7),
        people,
        [take(4) for _ in COUNTRIES],
        [take(2) for _ in COUNTRIES],
        [take(12) for _ in COUNTRIES[:3]] + [names[2:120:3]],
        take(3),
        take(560),
    )


def _senders(
    rng: np.random.Generator, world: _World, count: int, skip: int, choices: Mapping[str, Value]
) -> list[_Sender]:
    """Senders of one sample; exactly the agreed share has an order of its own, so that samples are alike."""
    odd = rng.permutation(count) < round(_number(choices, "odd_share") * count)
    found = []
    for position in range(count):
        country = int(rng.integers(len(COUNTRIES)))
        order = list(_ORDERS[country])
        if odd[position]:
            a, b = _SWAPS[int(rng.random() < 0.45)]
            i, j = order.index(a), order.index(b)
            order[i], order[j] = order[j], order[i]
        flags = rng.random(4) < (0.6, 0.15, 0.45, 0.35)
        found.append(
            _Sender(
                country,
                tuple(order),
                bool(odd[position]),
                world.markers[skip + position],
                *(bool(flag) for flag in flags),
            )
        )
    return found


def _one(words: list[str], u: float, power: float = 1.0) -> str:
    """A word of the list; the first ones more often where `power` is above one."""
    return words[int(len(words) * u**power)]


def _street(world: _World, sender: _Sender, u: list[float], known: int) -> list[str]:
    words = [world.streets[int(known * u[0] ** 1.5)].capitalize()]
    if u[1] < 0.2:
        words.insert(0, _one(world.modifiers, u[2]).capitalize())
    if u[3] < 0.28:
        word = _one(world.types[sender.country], u[4])
        words.insert(0 if sender.country == 3 else len(words), word if sender.country % 2 else word.capitalize())
    return words


def _city(world: _World, sender: _Sender, u: list[float]) -> list[str]:
    words = [_one(world.cities, u[0], 1.1).capitalize()]
    if u[1] < 0.1:
        words.insert(0, _one(world.modifiers, u[2]).capitalize())
    return [word.upper() for word in words] if sender.country % 2 == 0 and u[3] < 0.5 else words


def _house(u: list[float]) -> list[str]:
    text = str(1 + int(110 * u[0] ** 1.4))
    if u[1] < 0.14:
        return [text + _one(list(_CAPITALS), u[2])]
    return [f"{text}-{int(text) + 2}"] if u[1] < 0.22 else [text]


def _unit(world: _World, sender: _Sender, u: list[float]) -> list[str]:
    text = str(1 + int(95 * u[0] ** 1.4)) + (_one(list(_CAPITALS), u[1]).lower() if u[2] < 0.16 else "")
    return [_one(world.units[sender.country], u[3]).capitalize(), text] if sender.says_unit else [text]


def _region(world: _World, sender: _Sender, u: list[float]) -> list[str]:
    name = _one(world.regions[sender.country], u[0])
    if sender.country == 0:
        return [name[:2].upper(), str(10000 + int(90000 * u[1]))]
    if sender.country == 1:
        return [str(100 + int(8000 * u[1] ** 2))]
    if sender.country == 2:
        return [f"{name[:2].upper()}{10 + int(90 * u[1])}"]
    return [name.capitalize()]


def _other(world: _World, sender: _Sender, u: list[float], short: bool) -> list[str]:
    words = [sender.marker.capitalize()] if u[0] < 0.92 else []
    if u[1] < 0.4 or short:
        words += [_one(world.attention, u[2])] if u[2] < 0.5 or short else []
        words.append(_one(world.people, u[3]).capitalize())
    if u[4] < 0.5 and sender.numbered:
        words.append(str(1000 + int(30000 * u[5])))
    if u[5] < 0.05 and not short:
        words += [_one(world.attention, u[2]), *world.modifiers[:2]]
    return words


def _tokens(world: _World, sender: _Sender, u: list[float], known: int) -> tuple[list[str], list[int], str]:
    """Tokens of a line, the part that each belongs to, and the order of parts as the sorting machine notes it."""
    pieces = {
        STREET: _street(world, sender, u[0:5], known),
        CITY: _city(world, sender, u[5:9]),
        NUMBER: _house(u[9:12]),
        UNIT: _unit(world, sender, u[12:16]) if u[16] < 0.68 else [],
        REGION: _region(world, sender, u[17:19]),
    }
    count = sum(map(len, pieces.values()))
    pieces[OTHER] = _other(world, sender, u[19:25], count < _LOW - 1)
    order = (OTHER, *sender.order) if sender.first else (*sender.order, OTHER)
    tokens: list[str] = []
    tags: list[int] = []
    for part in order:
        words = pieces[part]
        tokens += words
        tags += [part] * len(words)
        if sender.commas and words and u[25 + part] < 0.75:
            tokens[-1] += ","
    plan = "".join(TAGS[part][0] for part in order)
    return tokens, tags, plan


def _sample(
    rng: np.random.Generator, world: _World, count: int, skip: int, days: tuple[int, int], choices: Mapping[str, Value]
) -> dict[str, Any]:
    """Lines of `count` senders, in order of time; `skip` names belong to senders of other samples."""
    senders = _senders(rng, world, count, skip, choices)
    owner = np.repeat(np.arange(count), rng.integers(5, 10, size=count))
    rng.shuffle(owner)
    n = len(owner)
    known = len(world.streets) - (0 if days[0] else _NEW_STREETS)
    draws = rng.random((n, _DRAWS)).tolist()
    made = [_tokens(world, senders[s], u, known) for s, u in zip(owner.tolist(), draws, strict=True)]
    slips = rng.random(n) < _number(choices, "slip_share")
    tags = [_slipped(line[1]) if slip else line[1] for line, slip in zip(made, slips.tolist(), strict=True)]
    first_id = 10_000 + 100 * skip
    return {
        "line_id": first_id + np.cumsum(rng.integers(1, 4, size=n)),
        "sender": 2_000 + 3 * skip + 3 * rng.permutation(count)[owner],
        "minute": np.sort(rng.integers(days[0] * 1440, days[1] * 1440, size=n)),
        "country": [COUNTRIES[senders[s].country] for s in owner.tolist()],
        "tokens": [line[0] for line in made],
        "tags": tags,
        "plan": [line[2] for line in made],
        "untagged": rng.random(n) < _number(choices, "untagged_share"),
        "odd": np.array([senders[s].odd for s in owner.tolist()]) | slips,
    }


def _slipped(tags: list[int]) -> list[int]:
    """House number and unit mixed up by whoever tagged the line."""
    return [{NUMBER: UNIT, UNIT: NUMBER}.get(tag, tag) for tag in tags]


def _returned(rng: np.random.Generator, part: dict[str, Any], choices: Mapping[str, Value]) -> dict[str, Any]:
    """Add parcels that came back: the same text, scanned again at one of many returns desks."""
    chance = _number(choices, "again_share") * np.where(part["odd"], 1.5, 0.7)
    n = len(chance)
    source = np.repeat(np.arange(n), np.where(rng.random(n) < chance, rng.integers(1, 5, size=n), 0))
    extra = len(source)
    minute = part["minute"][source] + rng.integers(2 * 1440, 30 * 1440, size=extra)
    order = np.argsort(np.concatenate([part["minute"], minute]), kind="stable")
    index = np.concatenate([np.arange(n), source])[order]
    merged: dict[str, Any] = {
        name: [values[i] for i in index.tolist()] if isinstance(values, list) else values[index]
        for name, values in part.items()
    }
    desks = 90_000 + rng.permutation(4 * extra)[:extra]
    merged["sender"] = np.concatenate([part["sender"], desks])[order]
    merged["minute"] = np.concatenate([part["minute"], minute])[order]
    merged["line_id"] = 10_000 + np.cumsum(rng.integers(1, 4, size=n + extra))
    return merged


def _labels(part: Mapping[str, Any]) -> Labels:
    """What every token is; a token's id is made of its line and its position."""
    ids: IntArray = np.repeat(100 * part["line_id"], [len(tags) for tags in part["tags"]])
    position = np.concatenate([np.arange(len(tags)) for tags in part["tags"]])
    return Labels(ids + position, np.concatenate([np.array(tags, dtype=float) for tags in part["tags"]]))
