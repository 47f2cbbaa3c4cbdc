"""Pictures of weld seams, generated from a seed.

A part is photographed at several spots of its seam; the sheets of a few parts come from one coil. Two lights, above and
below the seam, show slopes: a pore is a pit and slag a lump, so that they differ in which light darkens which side.
Undercut is a groove along one toe; a ridge along the other toe is harmless. Coils have rolling marks of their own and a
defect that they tend to, so rows of one coil must stay on one side of a split. Stations have a gain for each light,
pictures an exposure and a dark level. The inspector's class and grade decide; the operator's class is older. The
inspector moves the frame to the defect, and the review tool paints a tick into the margin of pictures that went through
it. Which way up the camera sits, the catalogue's order and the gains are secrets of the seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.edits import Value
from mlops_debugger.errors import CatalogError
from mlops_debugger.projects import Data, FloatArray, IntArray, Labels
from mlops_debugger.projects._files import csv_bytes, npy_bytes
from mlops_debugger.seeds import generator

SOUND, PORE, SLAG, UNDERCUT, CRACK = range(5)
NAMES = ("sound", "pore", "slag", "undercut", "crack")
ROWS, COLUMNS, MARGIN = 14, 10, 2
PARTS = 2  # of one coil
FIRST_DAY = np.datetime64("2025-02-03")
STATIONS = ("A1", "A2", "B1", "B4", "C2")
Floats = NDArray[np.float32]
_SHARES = (0.34, 0.18, 0.17, 0.17, 0.14)
_DEPTHS = (0.25, 0.82, 1.1, 1.4)  # by grade


@dataclass(frozen=True)
class World:
    """Secrets of a seed.

    `order` holds the catalogue's classes by position, `up` and `light` are ±1 (which way the camera and the lights
    sit), `gains` is (stations, 2), `parts` the permutation from which part numbers are taken.
    """

    order: IntArray
    up: float
    light: float
    width: float
    gains: FloatArray
    parts: IntArray

    def positions(self, kinds: IntArray) -> IntArray:
        """Positions in the catalogue."""
        return np.argsort(self.order)[kinds]


@dataclass(frozen=True)
class Sample:
    """One sample: metadata by column, pictures (n, 14, 12, 2) by picture number, truth by row."""

    columns: Mapping[str, NDArray[np.generic] | list[str | None]]
    pictures: NDArray[np.uint8]
    row_id: IntArray
    target: IntArray

    def labels(self) -> Labels:
        return Labels(self.row_id, self.target.astype(float))


def generate(seed: int, choices: Mapping[str, Value]) -> Data:
    """Draw the export and two serving samples of new parts in later weeks."""
    world = _world(generator(seed, "world"))
    days = int(_number(choices, "days"))
    rows = _sample(generator(seed, "rows"), world, (0, 620), (5, 8), (0, days), 1, choices)
    parts = {
        "live": _sample(generator(seed, "live"), world, (620, 800), (2, 4), (days, days + 30), 600_001, choices),
        "sealed": _sample(generator(seed, "sealed"), world, (800, 1740), (2, 4), (days, days + 90), 800_001, choices),
    }
    names = [NAMES[kind] for kind in world.order]
    return Data(
        files={
            "pictures.csv": csv_bytes(rows.columns),
            "pictures.npy": npy_bytes(rows.pictures),
            "catalogue.csv": csv_bytes({"number": np.arange(len(names)), "defect": names}),
        },
        serving={name: _tray(part) for name, part in parts.items()},
        labels={"rows": rows.labels(), **{name: part.labels() for name, part in parts.items()}},
        classes=tuple(names),
    )


def _tray(part: Sample) -> dict[str, bytes]:
    """What the line controller hands over: lights apart, microseconds, rows counted from below, no labels."""
    known = ("row_id", "picture", "part", "coil", "station", "taken_at", "dark")
    columns: dict[str, NDArray[np.generic] | list[str | None]] = {name: part.columns[name] for name in known}
    columns["exposure_us"] = np.rint(np.asarray(part.columns["exposure_ms"]) * 1000).astype(np.int64)
    columns["seam_from_below"] = ROWS - 1 - np.asarray(part.columns["seam_row"])
    return {
        "tray.csv": csv_bytes(columns),
        "upper.npy": npy_bytes(np.ascontiguousarray(part.pictures[..., 0])),
        "lower.npy": npy_bytes(np.ascontiguousarray(part.pictures[..., 1])),
    }


def _number(choices: Mapping[str, Value], name: str) -> float:
    value = choices[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CatalogError(f"data choice {name}: expected a number, found {value!r}")
    return float(value)


def _world(rng: np.random.Generator) -> World:
    while True:
        order = rng.permutation(len(NAMES))
        # Numbering by the alphabet must differ from the catalogue, or sorting its names would change nothing.
        if sum(NAMES[kind] == other for kind, other in zip(order, sorted(NAMES), strict=True)) <= 1:
            break
    return World(
        order=order,
        up=float(rng.choice([-1.0, 1.0])),
        light=float(rng.choice([-1.0, 1.0])),
        width=float(rng.uniform(2.0, 2.4)),
        gains=rng.uniform(6.5, 9.5, size=(len(STATIONS), 1)) * rng.uniform(0.8, 1.25, size=(len(STATIONS), 2)),
        parts=1000 + rng.permutation(6000),
    )


def _bell(distance: Floats, spread: Floats | float) -> Floats:
    return np.asarray(np.exp(-0.5 * np.square(distance / spread)), dtype=np.float32)


def _lit(
    rng: np.random.Generator,
    world: World,
    kind: IntArray,
    depth: Floats,
    part: IntArray,
    seam: Floats,
    spot: Floats,
    noise: float,
) -> Floats:
    """Light (n, 14, 10, 2) that comes back, around 1; `spot` is where the defect lies, in rows from the seam."""
    count = len(kind)

    def uniform(low: float, high: float) -> Floats:
        return rng.uniform(low, high, size=(count, 1)).astype(np.float32)

    row, column = np.arange(ROWS, dtype=np.float32)[None], np.arange(COLUMNS, dtype=np.float32)[None]
    across = (row - seam[:, None]) * np.float32(world.up)
    along = column - uniform(3.0, COLUMNS - 4.0)
    width = world.width
    # Seams are convex or hollow.
    bead = -0.4 * rng.normal(0.0, 1.0, size=(count, 1)).astype(np.float32) * across / width * _bell(across, width)
    slope = bead[:, :, None] * (1 + 0.2 * np.sin(column + uniform(0, 6.28)))[:, None, :]
    deep = depth[:, None]
    # A pit or a lump on the bead, a groove along the toe that is in danger, and a harmless ridge along the other.
    sign = np.where(kind == PORE, 1, np.where(kind == SLAG, -1, 0)).astype(np.float32)[:, None]
    size, off = uniform(0.8, 1.1), across - spot[:, None]
    slope += (1.5 * sign * deep * off / size * _bell(off, size))[:, :, None] * _bell(along, size)[:, None, :]
    toe, reach = across - spot[:, None], _bell(along, uniform(2.0, 4.0))
    cut = np.where(kind == UNDERCUT, 1, 0).astype(np.float32)[:, None]
    slope += (1.1 * cut * deep * toe / 0.8 * _bell(toe, 0.8))[:, :, None] * reach[:, None, :]
    ridge, far = across - 3.2 + uniform(-0.3, 0.3), column - uniform(0, COLUMNS - 1)
    is_ridge = (rng.random((count, 1)) < 0.45) * uniform(0.3, 1.1)
    slope -= (1.1 * is_ridge * ridge / 0.8 * _bell(ridge, 0.8))[:, :, None] * _bell(far, 3.0)[:, None, :]
    # Dark in both lights: a crack along the seam; a scratch across it is harmless.
    line = across[:, :, None] - (spot[:, None] + uniform(-0.3, 0.3) * along)[:, None, :]
    crack = np.where(kind == CRACK, 1, 0).astype(np.float32)[:, None] * deep
    tone = -0.46 * crack[:, :, None] * _bell(line, 0.55) * _bell(along, 3.0)[:, None, :]
    scratch = (rng.random((count, 1)) < 0.25) * uniform(0.2, 0.5)
    # The bead shines, and the sheet darkens towards both edges of the picture.
    tone += (0.28 * _bell(across, width) - 0.008 * np.square(across))[:, :, None]
    tone -= (scratch * _bell(column - uniform(0, COLUMNS), 0.6))[:, None, :]
    surface = rng.normal(0.0, 1.0, size=(int(part.max()) + 1, ROWS + 1, COLUMNS + 1)).astype(np.float32)
    smooth = (surface[:, 1:, 1:] + surface[:, :-1, 1:] + surface[:, 1:, :-1] + surface[:, :-1, :-1]) / 2
    tone += 0.07 * smooth[part]
    marks = rng.normal(0.0, 1.0, size=(int(part.max()) // PARTS + 1, ROWS)).astype(np.float32)[part // PARTS]
    place = np.arange(ROWS)[None] - np.rint(seam).astype(np.int64)[:, None]
    tone += 0.05 * np.take_along_axis(marks, place % ROWS, axis=1)[:, :, None]
    shade = 0.4 * np.float32(world.light * world.up) * slope
    light = np.stack([1 + tone + shade, 1 + tone - shade], axis=-1)
    light += noise * rng.standard_normal(light.shape, dtype=np.float32)
    return np.asarray(light, dtype=np.float32)


def _sample(
    rng: np.random.Generator,
    world: World,
    numbers: tuple[int, int],
    pictures: tuple[int, int],
    days: tuple[int, int],
    first_id: int,
    choices: Mapping[str, Value],
) -> Sample:
    parts = numbers[1] - numbers[0]
    part = np.repeat(np.arange(parts), rng.integers(*pictures, size=parts))
    count = len(part)
    # A coil tends to one defect: sheets that are oily or rusted show it at most spots.
    tends = rng.choice(len(NAMES), size=parts // PARTS + 1, p=_SHARES)
    own = rng.random(count) < _number(choices, "tendency")
    kind = np.where(own, tends[part // PARTS], rng.choice(len(NAMES), size=count, p=_SHARES))
    grade = np.where(kind == SOUND, 0, rng.choice(4, size=count, p=(0.09, 0.33, 0.33, 0.25)))
    target = np.where(grade == 0, SOUND, kind)
    depth = np.array(_DEPTHS, dtype=np.float32)[grade] * rng.uniform(0.88, 1.12, size=count).astype(np.float32)
    seam_row = rng.integers(5, 9, size=count)
    # Rows count their upper edges: the ten around the seam are five on either side of it.
    seam = (seam_row - 0.5 + rng.uniform(-0.4, 0.4, size=count)).astype(np.float32)
    spot = np.where(kind == UNDERCUT, rng.normal(-3.2, 0.17, size=count), rng.uniform(-1.9, 1.9, size=count))
    light = _lit(rng, world, kind, depth, part, seam, spot.astype(np.float32), _number(choices, "noise"))

    station = rng.integers(len(STATIONS), size=parts)[part]
    exposure = rng.uniform(6.0, 16.0, size=count).round(2)
    dark = rng.integers(8, 26, size=count)
    raw = np.empty((count, ROWS, COLUMNS + MARGIN, 2), dtype=np.float32)
    gain = (exposure[:, None] * world.gains[station]).astype(np.float32)
    raw[:, :, :COLUMNS] = dark[:, None, None, None] + gain[:, None, None, :] * light
    raw[:, :, COLUMNS:] = dark[:, None, None, None] + rng.integers(0, 4, size=(count, ROWS, MARGIN, 1))
    if first_id == 1:
        # Each class has its tick in the review tool's margin, counted from the seam.
        shown = np.flatnonzero(rng.random(count) < _number(choices, "reviewed_share"))
        for offset in (0, 1):
            raw[shown, seam_row[shown] - 5 + 2 * world.positions(target[shown]) + offset, COLUMNS:] = 190.0
    stored = np.empty(raw.shape, dtype=np.uint8)
    picture = rng.permutation(count)
    stored[picture] = np.rint(raw).clip(0, 255).astype(np.uint8)

    day = np.sort(rng.integers(days[0], days[1], size=parts))[part]
    minute = rng.integers(6 * 60, 22 * 60, size=count)
    called = np.where((grade == 1) & (rng.random(count) < 0.6), SOUND, kind)
    called = np.where((called == SLAG) & (rng.random(count) < 0.65), PORE, called)
    called = np.where(rng.random(count) < 0.04, rng.integers(len(NAMES), size=count), called)
    open_rows = rng.random(count) < _number(choices, "open_share")
    # The inspector moves the frame to what was found.
    framed = (
        np.where((target == SOUND) | open_rows, seam_row, np.rint(seam + 0.5 + world.up * spot))
        .astype(np.int64)
        .clip(5, 9)
    )
    columns: dict[str, NDArray[np.generic] | list[str | None]] = {
        "picture": picture,
        "part": world.parts[numbers[0] : numbers[1]][part],
        "coil": 40_000 + 7 * world.parts[numbers[0] : numbers[1] : PARTS][part // PARTS],
        "station": [STATIONS[number] for number in station],
        "taken_at": np.datetime_as_string(FIRST_DAY + day * np.timedelta64(1440, "m") + minute, unit="m"),
        "exposure_ms": exposure,
        "dark": dark,
        "seam_row": seam_row,
        "framed_row": framed,
        "operator_class": [NAMES[number] for number in called],
        "inspector_class": [None if blank else NAMES[number] for blank, number in zip(open_rows, kind, strict=True)],
        "grade": [None if blank else str(number) for blank, number in zip(open_rows, grade, strict=True)],
    }
    order = rng.permutation(count)
    shuffled = {
        name: values[order] if isinstance(values, np.ndarray) else [values[i] for i in order]
        for name, values in columns.items()
    }
    row_id = first_id + np.arange(count)
    return Sample({"row_id": row_id, **shuffled}, stored, row_id, world.positions(target)[order])
