"""Claims and quote requests: units, the split, the table of inputs, and the way back to EUR.

Plain functions over frames; `Fitted` is everything that is learnt from the training claims.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

WORK = ["windscreen", "brakes", "paint", "gearbox", "bodywork", "electrics", "suspension", "clutch"]
EUR_PER_UNIT = {"EUR": 1.0, "PLN": 0.23}
KM_PER_MILE = 1.609344
HOURLY_RATE = 60.0
FOLDS = 5
TRANSFORMS = {
    "log1p": (np.log1p, np.expm1),
    "asinh": (np.arcsinh, np.sinh),
    "none": (np.asarray, np.asarray),
}


class Fitted(NamedTuple):
    numeric: list
    low: pd.Series
    high: pd.Series
    middle: pd.Series
    mean: pd.Series
    sd: pd.Series
    categories: dict
    levels: dict
    usual_level: float
    transform: str
    target_mean: float
    target_sd: float


def read_claims(path, target):
    """Settled claims in EUR and kilometres, one row a claim."""
    claims = pd.read_csv(path, parse_dates=["reported_on"])
    settled = labelled_rows(latest_revisions(claims), target)
    return settled.assign(parts_price=listed_prices(settled), cost=claim_costs(settled, target))


def read_requests(path):
    """Requests of the quoting service, in the columns of claims."""
    requests = pd.read_csv(path, parse_dates=["received_on"])
    reading = requests["odometer"].mask(requests["odometer"] < 0)
    in_miles = requests["odometer_unit"] == "mi"
    mileage = reading.where(~in_miles, reading * KM_PER_MILE)
    names = dict(enumerate(WORK))
    return requests.assign(mileage_km=mileage, work=requests["work_code"].map(names))


def latest_revisions(claims):
    """A claim is revised until it is settled; the last revision has the estimate that counts."""
    ordered = claims.sort_values(["claim_id", "revision"])
    return ordered.drop_duplicates(subset=["claim_id"], keep="last")


def labelled_rows(claims, target):
    """Claims whose amount is known."""
    known = claims.dropna(subset=[target])
    return known.reset_index(drop=True)


def claim_costs(claims, target):
    """Amounts in EUR."""
    rates = claims["currency"].map(EUR_PER_UNIT)
    return claims[target] * rates


def listed_prices(claims):
    """List prices of parts in EUR; dealers export hundredths."""
    prices = claims["parts_price"].where(claims["network"] != "dealer", claims["parts_price"] / 100.0)
    return prices * claims["currency"].map(EUR_PER_UNIT)


def split_rows(count, data):
    """Positions of the training, validation and test claims."""
    order = np.random.default_rng(data["shuffle_seed"]).permutation(count)
    test = round(count * data["test_part"])
    validation = round(count * data["validation_part"])
    return {"train": order[test + validation :], "validation": order[test : test + validation], "test": order[:test]}


def markup(claims):
    """How far a claim went beyond its estimate, as a log ratio."""
    return np.log(claims["cost"] / (HOURLY_RATE * claims["planned_hours"] + claims["parts_price"]))


def level_table(claims, key, smoothing):
    """Mean markup by key, drawn towards the mean of all."""
    groups = markup(claims).groupby(claims[key]).agg(["sum", "count"])
    return (groups["sum"] + smoothing * markup(claims).mean()) / (groups["count"] + smoothing)


def training_levels(claims, key, smoothing):
    """Levels of the training claims, each from the claims of the other folds."""
    fold = np.arange(len(claims)) % FOLDS
    parts = []
    for number in range(FOLDS):
        others = claims[fold != number]
        parts.append(claims.loc[fold == number, key].map(level_table(others, key, smoothing)))
    return pd.concat(parts).sort_index()


def numeric_table(frame, numeric):
    """Numeric columns; hours and prices on a log scale."""
    table = frame[numeric].astype(float)
    skewed = [name for name in numeric if name.endswith(("_hours", "_price"))]
    return table.assign(**{name: np.log1p(table[name]) for name in skewed})


def fit(frame, rows, prep):
    """Everything that is learnt from the training claims."""
    train = frame.iloc[rows["train"]]
    table = numeric_table(train, prep["numeric"])
    low, high = table.quantile(prep["clip"][0]), table.quantile(prep["clip"][1])
    filled = table.fillna(table.median()).clip(low, high, axis=1)
    target = TRANSFORMS[prep["target_transform"]][0](train["cost"])
    known = train
    return Fitted(
        numeric=list(prep["numeric"]),
        low=low,
        high=high,
        middle=table.median(),
        mean=filled.mean(),
        sd=filled.std(),
        categories={name: sorted(train[name].unique()) for name in prep["categories"]},
        levels={key: level_table(known, key, prep["level_smoothing"]) for key in prep["level_keys"]},
        usual_level=markup(train).mean(),
        transform=prep["target_transform"],
        target_mean=target.mean(),
        target_sd=target.std(),
    )


def one_hot(frame, fitted):
    """A column for every known value of every category."""
    return np.column_stack([frame[name] == value for name, values in fitted.categories.items() for value in values]).astype(float)


def scaled(table, fitted):
    """Numeric columns without gaps, bounded, in standard deviations."""
    bounded = table.fillna(fitted.middle).clip(fitted.low, fitted.high, axis=1)
    return ((bounded - fitted.mean) / fitted.sd).to_numpy()


def training_inputs(frame, fitted, prep):
    """Inputs of the training claims."""
    levels = [training_levels(frame, key, prep["level_smoothing"]) for key in fitted.levels]
    known = np.column_stack([column.fillna(fitted.usual_level) for column in levels])
    return np.hstack([scaled(numeric_table(frame, fitted.numeric), fitted), one_hot(frame, fitted), 3.0 * (known - fitted.usual_level)])


def inputs_of(frame, fitted):
    """Inputs of validation and test claims and of requests."""
    levels = [frame[key].map(table) for key, table in fitted.levels.items()]
    known = np.column_stack([column.fillna(fitted.usual_level) for column in levels])
    table = numeric_table(frame, fitted.numeric)
    numeric = scaled(table, fitted)
    return np.hstack([numeric, one_hot(frame, fitted), 3.0 * (known - fitted.usual_level)])


def input_names(fitted):
    return [
        *fitted.numeric,
        *(f"{name}={value}" for name, values in fitted.categories.items() for value in values),
        *(f"{key}_level" for key in fitted.levels),
    ]


def scaled_targets(costs, fitted):
    """Costs on the scale that the model learns."""
    forward, _ = TRANSFORMS[fitted.transform]
    return (np.asarray(forward(costs)) - fitted.target_mean) / fitted.target_sd


def evaluation_targets(frame):
    """What answers are held against, in EUR."""
    return frame["cost"].to_numpy()


def evaluation_order(count, seed):
    """The order in which claims are priced for a report."""
    return np.arange(count)


def costs_from(outputs, fitted):
    """EUR from what the model gives."""
    _, backward = TRANSFORMS[fitted.transform]
    return backward(outputs * fitted.target_sd + fitted.target_mean)


def quotes(outputs, fitted):
    """Answers to requests, in EUR and cents."""
    _, backward = TRANSFORMS[fitted.transform]
    amounts = backward(outputs * fitted.target_sd + fitted.target_mean)
    return np.round(np.maximum(amounts, 0.0), 2)


def scored_claims(targets, costs):
    """Which claims of a split count in its report."""
    return np.isfinite(targets) & np.isfinite(costs)


def cost_errors(targets, costs):
    """Error of every claim, as a log ratio."""
    ratio = np.log1p(np.maximum(costs, 0.0)) - np.log1p(targets)
    return np.abs(ratio)
