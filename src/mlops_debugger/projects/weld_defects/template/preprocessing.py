"""Seam pictures: reading, labels, partition, levels, augmentation, and the way back to the names of defects.

Rows travel as a dict of equally long arrays, pictures as (n, rows, columns, lights); the seam lies along the columns.
"""

import os

import numpy as np
import pandas as pd
import torch

LIGHTS = ("upper", "lower")
PICTURE_ROWS = 14
WINDOW = 10
MARGIN = 2


def read_rows(path):
    """A table as a dict of arrays."""
    table = pd.read_csv(path)
    return {name: table[name].to_numpy() for name in table.columns}


def pick_rows(rows, index):
    """Some of the rows, by position or by mask."""
    return {name: values[index] for name, values in rows.items()}


def read_catalogue(folder):
    """Names of the defects by number."""
    table = read_rows(os.path.join(folder, "catalogue.csv"))
    return [str(name) for name in table["defect"][np.argsort(table["number"])]]


def read_export(folder):
    """Rows and pictures of the inspection export."""
    rows = read_rows(os.path.join(folder, "pictures.csv"))
    stored = np.load(os.path.join(folder, "pictures.npy"))
    rows["window_row"] = rows["seam_row"]
    return rows, stored[rows["picture"]]


def read_tray(folder):
    """Rows and pictures of a tray as the line hands it over, in the export's terms.

    The line keeps the lights apart, gives exposures in microseconds and counts rows from the lower edge.
    """
    rows = read_rows(os.path.join(folder, "tray.csv"))
    upper, lower = (np.load(os.path.join(folder, f"{light}.npy"))[rows["picture"]] for light in LIGHTS)
    pictures = np.stack([upper, lower], axis=-1)
    rows["exposure_ms"] = rows["exposure_us"] / 1000.0
    rows["window_row"] = PICTURE_ROWS - 1 - rows["seam_from_below"]
    return rows, pictures


def inspected(rows, pictures, images):
    """Rows that were inspected, with `defect`: what was found, or sound below the least grade that counts."""
    keep = pd.notna(rows[images["label"]])
    rows = pick_rows(rows, keep)
    counts = rows["grade"] >= images["least_grade"]
    rows["defect"] = np.where(counts, rows[images["label"]], "sound")
    return rows, pictures[keep]


def partition_rows(rows, partition):
    """Positions of the training, validation and test rows."""
    keys = rows[partition["keep_together"] or "row_id"]
    distinct = np.random.default_rng(partition["seed"]).permutation(np.unique(keys))
    first = round(partition["validation"] * len(distinct))
    second = first + round(partition["test"] * len(distinct))
    validation, test = np.isin(keys, distinct[:first]), np.isin(keys, distinct[first:second])
    train = ~(validation | test)
    return {"train": np.flatnonzero(train), "validation": np.flatnonzero(validation), "test": np.flatnonzero(test)}


def seam_window(pictures, window_row):
    """The rows around the seam, without the margin of the review tool."""
    index = window_row[:, None] - WINDOW // 2 + np.arange(WINDOW)
    window = pictures[np.arange(len(pictures))[:, None], index]
    return window[:, :, :-MARGIN]


def brightness(rows, pictures):
    """Light in counts a millisecond."""
    counts = seam_window(pictures, rows["window_row"]).astype(float) - rows["dark"][:, None, None, None]
    return counts / rows["exposure_ms"][:, None, None, None]


def fit_levels(rows, pictures):
    """Mean and spread of every station's lights."""
    light = brightness(rows, pictures)
    levels = {}
    for station in np.unique(rows["station"]):
        own = light[rows["station"] == station]
        levels[station] = own.mean(axis=(0, 1, 2)), own.std(axis=(0, 1, 2))
    return levels


def training_inputs(rows, pictures, levels):
    """Inputs of the training rows."""
    light = brightness(rows, pictures)
    for station, (mean, spread) in levels.items():
        own = rows["station"] == station
        light[own] = (light[own] - mean) / spread
    return np.ascontiguousarray(light.transpose(0, 3, 1, 2))


def evaluation_inputs(rows, pictures, levels):
    """Inputs of validation, test and tray rows."""
    light = brightness(rows, pictures)
    mean, spread = (np.array([levels[station][kind] for station in rows["station"]]) for kind in (0, 1))
    level = (light - mean[:, None, None]) / spread[:, None, None]
    return np.ascontiguousarray(np.moveaxis(level, 3, 1))


def training_targets(rows, catalogue):
    """Numbers of the training rows' defects."""
    numbers = {name: number for number, name in enumerate(catalogue)}
    return np.array([numbers[name] for name in rows["defect"]])


def evaluation_targets(rows, catalogue):
    """Numbers of the defects of validation and test rows."""
    numbers = {name: number for number, name in enumerate(catalogue)}
    return np.array([numbers[name] for name in rows["defect"]])


def chance(count, generator, share=0.5):
    """A random mask of pictures."""
    return torch.rand(count, generator=generator) < share


def mirrored(batch, direction, generator):
    """Half of the pictures mirrored: along the seam, across it, or each."""
    for axis, names in ((3, ("along", "each")), (2, ("across", "each"))):
        if direction in names:
            batch = torch.where(chance(len(batch), generator)[:, None, None, None], batch.flip(axis), batch)
    return batch


def shifted(batch, most, generator):
    """Pictures moved along the seam by up to `most` columns; what leaves at one end comes back at the other."""
    moved = int(torch.randint(-most, most + 1, (1,), generator=generator))
    return torch.roll(batch, moved, dims=3)


def relit(batch, spread, generator):
    """Pictures a little brighter or darker."""
    draws = torch.randn(len(batch), 2, 1, 1, 1, generator=generator, dtype=batch.dtype)
    return batch * (1.0 + spread * draws[:, 0]) + spread * draws[:, 1]


def erased(batch, side, generator):
    """Pictures with a square blanked, at one place in a batch."""
    if side:
        top, left = torch.randint(0, WINDOW - side + 1, (2,), generator=generator).tolist()
        batch = batch.clone()
        batch[:, :, top : top + side, left : left + side] = 0.0
    return batch


def make_augment(augment):
    """What happens to the pictures of a training batch."""

    def changed(batch, generator):
        batch = mirrored(batch, augment["mirror"], generator)
        batch = shifted(batch, augment["shift"], generator)
        batch = relit(batch, augment["relight"], generator)
        return erased(batch, augment["erase"], generator)

    return changed


def evaluation_order(count, seed):
    """The order in which rows are scored."""
    return np.arange(count)


def decode(numbers, catalogue):
    """Names of the defects that the outputs stand for."""
    return [catalogue[int(number)] for number in numbers]
