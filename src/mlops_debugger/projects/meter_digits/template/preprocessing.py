"""Meter crops: reading, splits, pixel preparation, and the way back from outputs to codes."""

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit


@dataclass
class Prepared:
    """What later stages need to know of the training rows."""

    contrast: list
    mean: float
    scale: float
    codes: list


def read_crops(folder):
    """Metadata of the labelled export, and the crop of every row."""
    frame = pd.read_csv(os.path.join(folder, "crops.csv"), parse_dates=["captured_on"])
    images = np.load(os.path.join(folder, "images.npy"))
    return frame, images[frame["image"].to_numpy()]


def read_batch(folder):
    """Metadata of a batch from the field, and the crop of every row."""
    batch = pd.read_csv(os.path.join(folder, "crops.csv"), parse_dates=["captured_on"])
    stored = np.load(os.path.join(folder, "images.npy"))
    crops = stored[batch["image"].to_numpy()]
    return batch, crops


def read_codes(folder):
    """The codes by position."""
    table = pd.read_csv(os.path.join(folder, "codes.csv"))
    return table.sort_values("position")["code"].tolist()


def labelled_rows(frame, crops, label):
    """The rows that a reviewer has labelled."""
    keep = frame[label].notna().to_numpy()
    return frame[keep].reset_index(drop=True), crops[keep]


def split_rows(frame, source):
    """Positions of the training, validation and test rows."""
    meters = frame[source["keep_together"]] if source["keep_together"] else None
    splitter = ShuffleSplit if meters is None else GroupShuffleSplit
    held_out = source["val_fraction"] + source["test_fraction"]
    outer = splitter(n_splits=1, test_size=held_out, random_state=source["split_random_state"])
    train, rest = next(outer.split(frame, groups=meters))
    share = source["test_fraction"] / held_out
    inner = splitter(n_splits=1, test_size=share, random_state=source["split_random_state"] + 1)
    val, test = next(inner.split(rest, groups=None if meters is None else meters.iloc[rest]))
    return {"train": train, "validation": rest[val], "test": rest[test]}


def nudge(crops, offset, axis):
    """Crops moved by a part of a pixel (n values from -1 to 1) along an axis."""
    side = np.arange(crops.shape[axis])
    ahead = np.take(crops, np.minimum(side + 1, side[-1]), axis=axis)
    behind = np.take(crops, np.maximum(side - 1, 0), axis=axis)
    return crops + np.maximum(offset, 0) * (ahead - crops) + np.maximum(-offset, 0) * (behind - crops)


def with_copies(frame, crops, augment):
    """The rows and moved, grainy copies of them; copies get a meter number of their own, for the per-meter reports."""
    rng = np.random.default_rng(0)
    frames, stacks = [frame], [crops]
    for number in range(1, augment["copies"] + 1):
        down, right = rng.uniform(-augment["max_shift"], augment["max_shift"], size=(2, len(crops), 1, 1))
        moved = nudge(nudge(crops.astype(np.float64), down, 1), right, 2)
        grainy = moved + rng.normal(0.0, augment["grain"], size=moved.shape)
        stacks.append(np.clip(np.rint(grainy), 0, 255).astype(np.uint8))
        frames.append(frame.assign(meter_id=frame["meter_id"] + number * 100_000))
    return pd.concat(frames, ignore_index=True), np.concatenate(stacks)


def build_splits(frame, crops, source, augment):
    """Rows and crops of every split; the training split comes with its copies."""
    rows = split_rows(frame, source)
    parts = {name: (frame.iloc[index].reset_index(drop=True), crops[index]) for name, index in rows.items()}
    parts["train"] = with_copies(*parts["train"], augment)
    return parts


def brighten(crops, frame, contrast):
    """Ink from 0 to 1: the camera's black level taken off, each crop stretched to its own range."""
    level = frame["black_level"].to_numpy()[:, None, None]
    lifted = np.clip(crops.astype(np.float64) - level, 0, 255)
    low, high = np.percentile(lifted, contrast, axis=(1, 2), keepdims=True)
    stretched = (lifted - low) / np.maximum(high - low, 1.0)
    return np.clip(stretched, 0.0, 1.0)


def encode_labels(names, codes):
    """Positions of the codes of training rows."""
    positions = {code: position for position, code in enumerate(codes)}
    return names.map(positions).to_numpy()


def training_inputs(frame, crops, options, codes):
    """Inputs of the training rows, and what was learnt from them."""
    ink = brighten(crops, frame, options["contrast"])
    lcd = (frame["display"] == "lcd").to_numpy()
    ink[lcd] = 1.0 - ink[lcd]
    prepared = Prepared(options["contrast"], float(ink.mean()), float(ink.std()), codes)
    return ((ink - prepared.mean) / prepared.scale)[:, None], prepared


def evaluation_inputs(frame, crops, prepared):
    """Inputs of validation, test and field rows."""
    ink = brighten(crops, frame, prepared.contrast)
    dark_on_light = (frame["display"] == "lcd").to_numpy()[:, None, None]
    ink = np.where(dark_on_light, 1.0 - ink, ink)
    scaled = (ink - prepared.mean) / prepared.scale
    return np.ascontiguousarray(scaled[..., None].transpose(0, 3, 1, 2))


def evaluation_targets(frame, label, prepared):
    """Targets of validation and test rows."""
    positions = {code: position for position, code in enumerate(prepared.codes)}
    return np.array([positions[code] for code in frame[label]])


def evaluation_order(count, seed):
    """The order in which rows are scored."""
    return np.arange(count)


def decode(positions, prepared):
    """The codes that the outputs stand for."""
    return [prepared.codes[int(position)] for position in positions]
