"""Site load: readings and weather, the table of inputs, splits, scaling, and the way back to MWh."""

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

HOURS_PER_STEP = 3
STEPS_PER_DAY = 8
STEPS_PER_WEEK = 56
STEP = pd.Timedelta(hours=HOURS_PER_STEP)
REQUEST_ARRAYS = ("load", "meter", "temperature")


@dataclass
class Scaling:
    """What was fitted on the training rows."""

    bounds: pd.DataFrame
    medians: pd.Series
    inputs: StandardScaler
    label_mean: float
    label_sd: float


def read_history(data):
    """Readings of the site on its own clock, with the temperature forecast for the same hours."""
    frame = pd.read_csv(os.path.join(data["folder"], "history.csv"), parse_dates=["time"])
    weather = pd.read_csv(os.path.join(data["folder"], "weather.csv"), parse_dates=["valid_at"])
    return join_weather(frame.assign(series=0), weather.assign(series=0), pd.Timedelta(hours=data["utc_offset_hours"]))


def read_requests(folder, data):
    """Forecast requests as one long frame; the last row of every request is the one to forecast."""
    requests = pd.read_csv(os.path.join(folder, "requests.csv"), parse_dates=["starts_at", "weather_from"])
    load, meter, temperature = (np.load(os.path.join(folder, f"{name}.npy")) for name in REQUEST_ARRAYS)
    offset = pd.Timedelta(hours=data["utc_offset_hours"])
    first = requests["starts_at"] + offset
    frame = pd.DataFrame(
        {
            "row_id": np.repeat(requests["row_id"].to_numpy(), load.shape[1]),
            "time": stamps(first, load.shape[1]),
            "load": load.ravel(),
            "backup": (meter.ravel() == 2).astype(int),
            "series": np.repeat(np.arange(len(requests)), load.shape[1]),
        }
    )
    weather = pd.DataFrame(
        {
            "valid_at": stamps(requests["weather_from"], temperature.shape[1]),
            "temperature": temperature.ravel(),
            "series": np.repeat(np.arange(len(requests)), temperature.shape[1]),
        }
    )
    return join_weather(frame, weather, offset)


def stamps(first, count):
    """Times of `count` steps from each of the first times on."""
    return (first.to_numpy()[:, None] + np.arange(count) * STEP.to_timedelta64()).ravel()


def join_weather(frame, weather, offset):
    """Add the temperature forecast; weather is stamped in UTC, readings on the site's clock."""
    local = weather["valid_at"] + offset
    table = weather.assign(time=local).drop(columns="valid_at")
    return frame.merge(table, on=["series", "time"], how="left")


def energy(frame):
    """Load in MWh a step; the backup meter reports mean power in MW."""
    return frame["load"].where(frame["backup"] == 0, frame["load"] * HOURS_PER_STEP)


def input_table(frame, features):
    """Inputs of every row from what is known `horizon` steps before it, relative to the level of the last week.

    Requests bring more than a week of readings, so looking back from their last row stays inside the request.
    """
    load = energy(frame).groupby(frame["series"]).ffill()
    known = load.shift(features["horizon"])
    table = pd.DataFrame({"level": known.rolling(STEPS_PER_WEEK).mean()})
    for lag in features["lags"]:
        table[f"lag_{lag}"] = load.shift(lag) - table["level"]
    for window in features["windows"]:
        recent = known.rolling(window)
        table[f"mean_{window}"] = recent.mean() - table["level"]
        table[f"sd_{window}"] = recent.std()
    table["temperature"] = frame["temperature"]
    hour, weekday = frame["time"].dt.hour, frame["time"].dt.day_of_week
    table["weekend"] = (weekday >= 5).astype(float)
    for order in range(1, features["harmonics"] + 1):
        for name, turn in (("day", hour / 24), ("week", (weekday + hour / 24) / 7)):
            table[f"{name}_sin_{order}"] = np.sin(2 * np.pi * order * turn)
            table[f"{name}_cos_{order}"] = np.cos(2 * np.pi * order * turn)
    return table


def forecast_load(frame):
    """Load that is forecast for every row, in MWh."""
    return energy(frame)


def training_labels(frame, table):
    """What the network learns: load of the row above the level of the week before."""
    return forecast_load(frame) - table["level"]


def evaluation_targets(frame):
    """What forecasts are held against, in MWh."""
    return forecast_load(frame)


def labelled_rows(frame):
    """The rows that have a reading and a full week before it."""
    usable = frame.dropna(subset=["label", "target"])
    return usable.reset_index(drop=True)


def split_rows(count, split):
    """Positions of the training, validation and test rows."""
    test = round(count * split["test_share"])
    held_out = test + round(count * split["validation_share"])
    order = np.arange(count)
    if split["strategy"] == "random":
        order = np.concatenate(train_test_split(order, test_size=held_out, random_state=split["seed"]))
    train, validation, test = np.split(order, [count - held_out, count - test])
    return {"train": train, "validation": validation, "test": test}


def input_columns(table):
    """Everything but the level, which is added back to the forecast."""
    return [name for name in table.columns if name != "level"]


def fit_scaling(table, labels, features):
    """Fit bounds, medians and scales on the training rows."""
    table = table[input_columns(table)]
    bounds, medians = table.quantile(features["clip_quantiles"]), table.median()
    scaling = Scaling(bounds, medians, StandardScaler(), labels.mean(), labels.std())
    scaling.inputs.fit(fill_and_clip(table, scaling))
    return scaling


def fill_and_clip(table, scaling):
    """Inputs without gaps, inside the bounds seen in training."""
    low, high = scaling.bounds.to_numpy()
    filled = table[scaling.medians.index].fillna(scaling.medians)
    return np.minimum(np.maximum(filled, low), high)


def scale_labels(labels, scaling):
    return ((labels - scaling.label_mean) / scaling.label_sd).to_numpy()


def transform_training(table, scaling):
    """Inputs of the training rows."""
    return scaling.inputs.transform(fill_and_clip(table, scaling))


def transform_evaluation(table, scaling):
    """Inputs of validation, test and requested rows."""
    bounded = fill_and_clip(table, scaling)
    return scaling.inputs.transform(bounded)


def evaluation_order(count, seed):
    """The order in which rows are forecast."""
    return np.arange(count)


def decode(outputs, table, scaling):
    """Forecasts in MWh from what the network gives."""
    above = outputs * scaling.label_sd + scaling.label_mean
    return above + table["level"].to_numpy()


def scored_pairs(frame, table, outputs, scaling):
    """Targets and forecasts as they are scored."""
    forecasts = decode(outputs, table, scaling)
    return frame["target"].to_numpy(), forecasts
