"""Card transactions as dictionaries of arrays: reading, labels, splits, inputs, and the policy for alerts."""

import os

import numpy as np
from sklearn.preprocessing import OneHotEncoder, StandardScaler

DAY = 86_400
DEPTH = 5
EURO = {"EUR": 1.0, "JPY": 0.0062, "USD": 0.9}
MINOR_UNITS = {"EUR": 100, "JPY": 1, "USD": 100}
LABELS = {"legitimate": 0, "fraud": 1}


def read_warehouse(source):
    """The exported table on the bank's clock, amounts in euros."""
    with np.load(os.path.join(source["folder"], "transactions.npz")) as archive:
        table = {name: archive[name] for name in archive.files}
    exported = int(table.pop("exported")[0])
    table["euros"] = table["amount"] * lookup(EURO, table["currency"])
    return table, exported


def read_gateway(folder, source):
    """Requests in the form of the warehouse; the gateway sends UTC and minor units."""
    with np.load(os.path.join(folder, "requests.npz")) as archive:
        table = {name: archive[name] for name in archive.files}
    table["when"] = table["when"] + source["utc_offset_hours"] * 3600
    major = table["amount"] / lookup(MINOR_UNITS, table["currency"])
    table["euros"] = major * lookup(EURO, table["currency"])
    return table


def lookup(mapping, names):
    """The mapping's value for every name."""
    known, place = np.unique(names, return_inverse=True)
    return np.array([mapping[name] for name in known])[place]


def pick(table, rows):
    """Some rows of a table."""
    return {name: values[rows] for name, values in table.items()}


def labelled_rows(table, exported, columns):
    """The rows that nobody can report any more."""
    age = (exported - table["when"]) / DAY
    closed = age >= columns["report_window_days"]
    return pick(table, closed)


def fraud_labels(table, columns):
    """Class positions: a fraud is what was reported within the window."""
    reported = table["reported_after"] <= columns["report_window_days"]
    return np.where(reported, LABELS["fraud"], LABELS["legitimate"])


def split_rows(table, source):
    """Positions of training, validation and test rows, in the order of time."""
    count = len(table["when"])
    order = np.argsort(table["when"], kind="stable")
    if source["split"] == "random":
        order = np.random.default_rng(source["split_seed"]).permutation(count)
    last = count - round(source["test_share"] * count)
    middle = last - round(source["validation_share"] * count)
    return {"train": order[:middle], "validation": order[middle:last], "test": order[last:]}


class Thinning:
    """Fewer legitimate rows to train on: so many for each fraud."""

    def __init__(self, source):
        self.per_fraud = source["negatives_per_fraud"]
        self.seed = source["split_seed"]
        self.kept = 1.0

    def thin(self, rows, target):
        """All frauds and some of the legitimate rows, in the order of `rows`."""
        common = np.flatnonzero(target[rows] == 0)
        wanted = min(len(common), round(self.per_fraud * (target[rows] == 1).sum()))
        self.kept = wanted / max(len(common), 1)
        chosen = np.random.default_rng(self.seed).permutation(common)[:wanted]
        return rows[np.sort(np.append(chosen, np.flatnonzero(target[rows] == 1)))]

    def apply(self, rows, target):
        """The rows of every split that are used."""
        return {**rows, "train": self.thin(rows["train"], target)}

    def true_odds(self, probabilities):
        """Probabilities among all transactions, from those among the thinned ones."""
        weighted = probabilities * np.array([1.0, self.kept])
        return weighted / weighted.sum(axis=1, keepdims=True)


class CardHistory:
    """Hours since, and euros of, the card's last transactions; NaN where there were fewer."""

    def from_table(self, table):
        order = np.lexsort((table["when"], table["card"]))
        card, when, euros = (table[name][order] for name in ("card", "when", "euros"))
        hours, spent = np.full((2, len(order), DEPTH), np.nan)
        for back in range(1, DEPTH + 1):
            same = card[back:] == card[:-back]
            hours[order[back:], back - 1] = np.where(same, np.abs(when[back:] - when[:-back]) / 3600, np.nan)
            spent[order[back:], back - 1] = np.where(same, euros[:-back], np.nan)
        return {"hours": hours, "spent": spent}

    def from_requests(self, table):
        return {"hours": table["recent_age"] / 3600, "spent": table["recent_euros"]}


class MerchantRisk:
    """Share of frauds by merchant, drawn towards the overall share where there are few rows."""

    def __init__(self, weight):
        self.weight = weight

    def fit(self, merchants, target):
        self.names, place = np.unique(merchants, return_inverse=True)
        self.prior = target.mean()
        self.frauds = np.bincount(place, weights=target)
        self.rows = np.bincount(place)
        return self

    def _counts(self, merchants):
        place = np.searchsorted(self.names, merchants).clip(0, len(self.names) - 1)
        known = self.names[place] == merchants
        return np.where(known, self.frauds[place], 0.0), np.where(known, self.rows[place], 0)

    def _share(self, frauds, rows):
        return (frauds + self.weight * self.prior) / (rows + self.weight)

    def transform_fitted(self, merchants, target):
        """Rows that were fitted on: each by the others of its merchant."""
        frauds, rows = self._counts(merchants)
        return self._share(frauds - target, rows - 1)

    def transform(self, merchants):
        frauds, rows = self._counts(merchants)
        share = self._share(frauds, rows)
        return np.where(rows > 0, share, self.prior)


class Inputs:
    """The matrix that the network sees, fitted on the training rows."""

    def __init__(self, columns):
        self.columns = columns
        self.risk = MerchantRisk(columns["merchant_weight"])

    def numbers(self, table, history):
        """Numeric columns by name, in the order of the config."""
        hour = table["when"] % DAY / DAY * 2 * np.pi
        known = np.isfinite(history["spent"])
        usual = np.log(np.where(known, history["spent"], 1.0)).sum(axis=1) / np.where(known.any(axis=1), known.sum(axis=1), np.nan)
        found = {
            **{name: table[name] for name in ("card_age", "chargeback_fee", "card_disputes")},
            "amount": np.log1p(table["euros"]),
            "against_usual": np.log(table["euros"]) - usual,
            "quiet_hours": np.log1p(history["hours"][:, 0]),
            "burst": (history["hours"] < 24).sum(axis=1),
            "distance": np.log1p(table["distance"]),
            "hour_sin": np.sin(hour),
            "hour_cos": np.cos(hour),
        }
        return np.column_stack([found[name] for name in self.columns["numeric"]]).astype(float)

    def fit(self, table, history, target, rows):
        """Fit every part on the given rows."""
        seen = pick(table, rows)
        numbers = self.numbers(table, history)[rows]
        self.bounds = np.nanquantile(numbers, self.columns["clip"], axis=0)
        self.medians = np.nan_to_num(np.nanmedian(numbers, axis=0))
        self.scaler = StandardScaler().fit(self.fill_and_clip(numbers))
        self.onehot = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(self.words(seen))
        self.risk.fit(seen["merchant"], target[rows])
        return self

    def words(self, table):
        return np.column_stack([table[name] for name in self.columns["categorical"]])

    def fill_and_clip(self, numbers):
        """Numbers without gaps, inside the bounds seen in training."""
        filled = np.where(np.isnan(numbers), self.medians, numbers)
        return np.minimum(np.maximum(filled, self.bounds[0]), self.bounds[1])

    def matrix(self, table, history, shares):
        numbers = self.scaler.transform(self.fill_and_clip(self.numbers(table, history)))
        blank = np.isnan(history["hours"][:, 0]).astype(float)
        risk = np.log(shares / (1 - shares)) + 2.2
        return np.column_stack([numbers, self.onehot.transform(self.words(table)), blank, risk])

    def transform_training(self, table, history, target):
        """Rows that were fitted on."""
        return self.matrix(table, history, self.risk.transform_fitted(table["merchant"], target))

    def transform(self, table, history):
        """Rows of validation, of test and of the gateway."""
        return self.matrix(table, history, self.risk.transform(table["merchant"]))

    def names(self):
        words = self.onehot.get_feature_names_out(self.columns["categorical"])
        return [*self.columns["numeric"], *words, "first_seen", "merchant_risk"]


class AlertPolicy:
    """As many alerts as there were frauds among the rows that it is fitted on."""

    def fit(self, score, target):
        self.threshold = float(np.quantile(score, 1 - np.mean(target)))
        return self

    def flag(self, score):
        return (score >= self.threshold).astype(int)


def gateway_scores(probabilities, thinning):
    """Scores as the gateway compares them with the threshold."""
    return thinning.true_odds(probabilities)


def evaluation_targets(target, rows):
    """Targets of the rows of a split."""
    return target[rows]


def evaluation_order(count, seed):
    """The order in which rows are scored."""
    return np.arange(count)


def decode(positions):
    """Names of the answers."""
    names = {position: name for name, position in LABELS.items()}
    return [names[int(position)] for position in positions]
