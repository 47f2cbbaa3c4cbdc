"""Account snapshots: cleaning, splits, encoders, and the way back to the names of outcomes."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

SENTINEL = -999
OUTCOMES = ["current", "late", "default"]
TARGET_COLUMNS = [f"employer_{name}" for name in OUTCOMES]


@dataclass
class Encoders:
    """What was fitted on the training rows."""

    numeric: list
    categorical: list
    target_encoded: list
    bounds: pd.DataFrame = None
    medians: pd.Series = None
    scaler: StandardScaler = None
    onehot: OneHotEncoder = None
    target: TargetEncoder = None
    label_ids: dict = field(default_factory=dict)


def load_snapshots(path):
    return pd.read_csv(path, parse_dates=["month"])


def clean(frame):
    """One row per account and month, amounts in currency units, missing values as NaN."""
    frame = frame.copy()
    for column in ("income", "credit_score"):
        frame[column] = frame[column].mask(frame[column] == SENTINEL)
    reported_in_thousands = frame["branch"] == "south"
    frame.loc[reported_in_thousands, "balance"] *= 1000.0
    return frame


def labelled_rows(frame, label):
    """The rows whose outcome is known."""
    known = frame.dropna(subset=[label])
    return known.reset_index(drop=True)


def split_rows(frame, config):
    """Positions of the training, validation and test rows."""
    groups = frame[config["group"]] if config["group"] else None
    splitter = ShuffleSplit if groups is None else GroupShuffleSplit
    held_out = config["validation_share"] + config["test_share"]
    outer = splitter(n_splits=1, test_size=held_out, random_state=config["split_seed"])
    train, rest = next(outer.split(frame, groups=groups))
    inner = splitter(n_splits=1, test_size=config["test_share"] / held_out, random_state=config["split_seed"] + 1)
    validation, test = next(inner.split(rest, groups=None if groups is None else groups.iloc[rest]))
    return {"train": train, "validation": rest[validation], "test": rest[test]}


def encode_labels(names):
    """Outcome names to ids."""
    label_ids = {name: position for position, name in enumerate(OUTCOMES)}
    return names.map(label_ids).to_numpy(), label_ids


def fit_encoders(frame, rows, label, features):
    """Fit every encoder on the training rows."""
    encoders = Encoders(features["numeric"], features["categorical"], features["target_encoded"])
    train = frame.iloc[rows["train"]]
    low, high = features["clip_quantiles"]
    encoders.bounds = train[encoders.numeric].quantile([low, high])
    encoders.medians = train[encoders.numeric].median()
    encoders.scaler = StandardScaler().fit(fill_and_clip(train, encoders))
    encoders.onehot = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(train[encoders.categorical])
    encoders.target = TargetEncoder(target_type="multiclass", smooth=1.0, cv=5, random_state=0)
    return encoders


def fill_and_clip(frame, encoders):
    """Numeric columns without gaps, inside the bounds seen in training."""
    low, high = encoders.bounds.to_numpy()
    filled = frame[encoders.numeric].fillna(encoders.medians)
    return np.minimum(np.maximum(filled, low), high)


def transform_training(frame, targets, encoders):
    """Inputs of the training rows."""
    numeric = encoders.scaler.transform(fill_and_clip(frame, encoders))
    categories = encoders.onehot.transform(frame[encoders.categorical])
    employers = encoders.target.fit_transform(frame[encoders.target_encoded], targets)
    return np.hstack([numeric, categories, employers])


def transform_evaluation(frame, encoders):
    """Inputs of validation, test and serving rows."""
    table = fill_and_clip(frame, encoders)
    numeric = encoders.scaler.transform(table)
    categories = encoders.onehot.transform(frame[encoders.categorical])
    employers = encoders.target.transform(frame[encoders.target_encoded])
    return np.hstack([numeric, categories, employers])


def evaluation_targets(frame, label, encoders):
    """Targets of validation and test rows."""
    return frame[label].map(encoders.label_ids).to_numpy()


def evaluation_order(count, seed):
    """The order in which rows are scored."""
    return np.arange(count)


def decode(positions, encoders):
    """Names of the outcomes that the model's outputs stand for."""
    names = {position: name for name, position in encoders.label_ids.items()}
    return [names[int(position)] for position in positions]


def feature_names(encoders):
    return [*encoders.numeric, *encoders.onehot.get_feature_names_out(encoders.categorical), *TARGET_COLUMNS]
