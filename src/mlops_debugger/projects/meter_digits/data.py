"""Crops of the digits of utility meters, generated from a seed.

The strokes come from the handwritten digits that scikit-learn ships; its file is read directly, so that no trainer
library is needed. Orientation, mounts of the two cameras, shear, tone and the codes that stand for the digits are
secrets of the seed. A meter has several registers that are photographed more than once, so rows of one meter must stay
on one side of a split; every stroke belongs to one meter. Some meters show dark digits on light, cameras add a black
level, one camera has no thermometer, reviewers left rows unlabelled, and the older OCR label mistakes some codes for
others.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.edits import Value
from mlops_debugger.errors import CatalogError
from mlops_debugger.projects import Data, FloatArray, IntArray, Labels
from mlops_debugger.projects._files import csv_bytes, npy_bytes
from mlops_debugger.seeds import generator

CLASSES = 10
SIDE = 8
FIRST_DAY = np.datetime64("2025-01-06")
AFTERWARDS = ("reading", "ocr_label")
_TRAINING, _LIVE = 1150, 150  # strokes; the rest is sealed
_KNOTS = np.linspace(0.0, 1.0, 5)


@dataclass(frozen=True)
class World:
    """Secrets of a seed.

    `codes` by digit, `mounts` the angles of the two cameras, `tone` at the knots, `misread` what the OCR takes a digit
    for, `open_rate` how often a digit stays unlabelled, `order` in which strokes are handed to the samples.
    """

    codes: tuple[str, ...]
    quarter_turns: int
    mounts: tuple[float, float]
    shear: float
    tone: FloatArray
    misread: IntArray
    open_rate: FloatArray
    order: IntArray


@dataclass(frozen=True)
class Rows:
    """One sample: its metadata columns, its crops (n, 8, 8) by image position, and the truth by row."""

    columns: Mapping[str, NDArray[np.generic] | list[str | None]]
    crops: NDArray[np.uint8]
    row_id: IntArray
    target: IntArray

    def files(self, blank: bool) -> dict[str, bytes]:
        """Metadata and crops; `blank` empties what is filled in afterwards."""
        count = len(self.row_id)
        shown = {
            name: [None] * count if blank and name in AFTERWARDS else values for name, values in self.columns.items()
        }
        return {"crops.csv": csv_bytes(shown), "images.npy": npy_bytes(self.crops)}

    def labels(self) -> Labels:
        return Labels(self.row_id, self.target.astype(float))


def generate(seed: int, choices: Mapping[str, Value]) -> Data:
    """Draw training rows and two serving samples of new meters in later months, each from strokes of its own."""
    world = _world(generator(seed, "world"))
    training, live, sealed = np.split(world.order, [_TRAINING, _TRAINING + _LIVE])
    days = int(_number(choices, "days"))
    rows = _sample(generator(seed, "rows"), world, training, (2, 3), (0, days), 1, choices)
    parts = {
        "live": _sample(generator(seed, "live"), world, live, (4, 4), (days, days + 60), 700_001, choices),
        "sealed": _sample(generator(seed, "sealed"), world, sealed, (6, 6), (days, days + 90), 900_001, choices),
    }
    codes = csv_bytes({"position": np.arange(CLASSES), "code": list(world.codes)})
    return Data(
        files={**rows.files(blank=False), "codes.csv": codes},
        serving={name: part.files(blank=True) for name, part in parts.items()},
        labels={"rows": rows.labels(), **{name: part.labels() for name, part in parts.items()}},
        classes=world.codes,
    )


@functools.cache
def _strokes() -> tuple[FloatArray, IntArray]:
    """Ink (n, 8, 8) in 0 to 1 and digit (n,) of the handwritten digits."""
    found = importlib.util.find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        raise CatalogError(
            "meter_digits needs the digits that scikit-learn ships: expected the package, found none; install it"
        )
    path = Path(found.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    lines = gzip.decompress(path.read_bytes()).decode("ascii").split()
    table = np.array(",".join(lines).split(","), dtype=np.float64).reshape(len(lines), SIDE * SIDE + 1)
    return table[:, :-1].reshape(-1, SIDE, SIDE) / 16.0, table[:, -1].astype(np.int64)


def _number(choices: Mapping[str, Value], name: str) -> float:
    value = choices[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CatalogError(f"data choice {name}: expected a number, found {value!r}")
    return float(value)


def _world(rng: np.random.Generator) -> World:
    letters = np.array(list("BCDFGHKLMNPRSTVXZ"))
    while True:
        numbers = rng.choice(np.arange(10, 100), size=CLASSES, replace=False)
        codes = [f"{letter}{number}" for letter, number in zip(rng.choice(letters, size=CLASSES), numbers, strict=True)]
        # Numbering codes by their alphabet must differ from their positions, or sorting them would change nothing.
        if sum(code == other for code, other in zip(codes, sorted(codes), strict=True)) <= 1:
            break
    misread = np.arange(CLASSES)
    confused = rng.permutation(CLASSES)
    misread[confused[:3]] = confused[3:6]
    turn, tilt = float(rng.uniform(-0.15, 0.15)), float(rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 0.36))
    steps = rng.dirichlet(np.full(len(_KNOTS) - 1, 12.0))
    return World(
        codes=tuple(codes),
        quarter_turns=int(rng.integers(4)),
        mounts=(turn - tilt, turn + tilt),
        shear=float(rng.uniform(-0.2, 0.2)),
        tone=np.concatenate([[0.0], np.cumsum(steps)]),
        misread=misread,
        open_rate=rng.uniform(0.6, 1.4, size=CLASSES),
        order=rng.permutation(len(_strokes()[1])),
    )


def _photographed(
    rng: np.random.Generator, world: World, ink: FloatArray, meter: IntArray, second: NDArray[np.bool_]
) -> FloatArray:
    """Ink as the cameras see it: turned, sheared, shifted and toned; an angle and a size for each meter."""
    count, meters = len(ink), int(meter.max()) + 1
    angle = (
        np.where(second, world.mounts[1], world.mounts[0])
        + rng.normal(0.0, 0.08, size=meters)[meter]
        + rng.normal(0.0, 0.05, size=count)
    )
    size = rng.uniform(0.9, 1.1, size=meters)[meter]
    shear = world.shear + rng.normal(0.0, 0.06, size=meters)[meter]
    matrix = np.empty((count, 2, 2))
    matrix[:, 0, 0], matrix[:, 0, 1] = np.cos(angle), -np.sin(angle)
    matrix[:, 1, 0], matrix[:, 1, 1] = np.sin(angle) + shear, np.cos(angle)
    shift = rng.normal(0.0, 0.4, size=(count, 2))
    grid = np.indices((SIDE, SIDE)).reshape(2, -1) - (SIDE - 1) / 2
    where = (matrix / size[:, None, None]) @ grid + shift[:, :, None] + (SIDE + 1) / 2
    where = where.clip(0.0, SIDE + 0.999)
    low = where.astype(np.int64)
    part = where - low
    wide = SIDE + 2
    padded = np.pad(np.rot90(ink, world.quarter_turns, axes=(1, 2)), ((0, 0), (1, 1), (1, 1))).reshape(-1)
    corner = np.arange(count)[:, None] * wide * wide + low[:, 0] * wide + low[:, 1]
    down, right = part[:, 0], part[:, 1]
    top = padded[corner] * (1 - right) + padded[corner + 1] * right
    bottom = padded[corner + wide] * (1 - right) + padded[corner + wide + 1] * right
    toned = np.interp(top * (1 - down) + bottom * down, _KNOTS, world.tone)
    return np.asarray(toned).reshape(count, SIDE, SIDE)


def _sample(
    rng: np.random.Generator,
    world: World,
    strokes: IntArray,
    captures: tuple[int, int],
    days: tuple[int, int],
    first_id: int,
    choices: Mapping[str, Value],
) -> Rows:
    ink, digit = _strokes()
    # Consecutive strokes are the registers of one meter; each is photographed a few times.
    sizes = rng.integers(4, 7, size=len(strokes))
    owner = np.repeat(np.arange(len(sizes)), sizes)[: len(strokes)]
    taken = np.repeat(np.arange(len(strokes)), rng.integers(captures[0], captures[1] + 1, size=len(strokes)))
    meter, target = owner[taken], digit[strokes[taken]]
    count, meters = len(taken), int(owner.max()) + 1
    noise = _number(choices, "noise")
    second = (rng.random(meters) < _number(choices, "second_camera_share"))[meter]
    seen = _photographed(rng, world, ink[strokes[taken]], meter, second)
    lcd = (rng.random(meters) < _number(choices, "lcd_share"))[meter]
    seen = np.where(lcd[:, None, None], 1.0 - seen, seen)
    black_level = rng.integers(15, 70, size=count)
    gain = rng.uniform(120.0, 175.0, size=count)[:, None, None]
    grain = rng.normal(0.0, noise, size=seen.shape) * rng.uniform(0.7, 1.3, size=count)[:, None, None]
    crops = (gain * (seen + grain) + black_level[:, None, None]).round().clip(0, 255).astype(np.uint8)
    is_open = rng.random(count) < _number(choices, "open_share") * world.open_rate[target]
    read = np.where(rng.random(count) < 0.85, world.misread[target], target)
    read = np.where(rng.random(count) < 0.03, rng.integers(CLASSES, size=count), read)
    meter_id = first_id // 100 + 1000 + rng.permutation(4 * meters)[:meters]
    day = rng.integers(days[0], days[1], size=count)
    image = rng.permutation(count)
    stored = np.empty_like(crops)
    stored[image] = crops
    columns: dict[str, NDArray[np.generic] | list[str | None]] = {
        "image": image,
        "meter_id": meter_id[meter],
        "captured_on": np.datetime_as_string(FIRST_DAY + day, unit="D"),
        "camera": ["K2" if flag else "K1" for flag in second],
        # The first camera has no thermometer.
        "lens_temperature": np.where(second, rng.normal(18.0, 7.0, size=count).round(1), np.nan),
        "display": ["lcd" if flag else "drum" for flag in lcd],
        "black_level": black_level,
        "ocr_label": [world.codes[i] for i in read],
        "reading": [None if blank else world.codes[i] for blank, i in zip(is_open, target, strict=True)],
    }
    order = rng.permutation(count)
    shuffled = {name: [values[i] for i in order] for name, values in columns.items()}
    row_id = first_id + np.arange(count)
    return Rows({"row_id": row_id, **shuffled}, stored, row_id, target[order])
