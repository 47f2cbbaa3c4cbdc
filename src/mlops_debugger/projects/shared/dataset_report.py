"""dataset_stats.json: what went into a run, split by split."""

import numpy as np

from tracking import write_json


def describe_features(matrix, names, limit=40):
    """Moments, bounds and distinct values of the prepared columns."""
    report = {}
    for column, name in enumerate(names[:limit]):
        values = matrix[:, column].astype(float)
        report[name] = {
            "mean": values.mean(),
            "sd": values.std(),
            "min": values.min(),
            "median": np.median(values),
            "max": values.max(),
            "distinct": len(np.unique(values)),
        }
    return report


def class_counts(names):
    values, counts = np.unique(np.asarray(names, dtype=str), return_counts=True)
    return {str(value): int(count) for value, count in zip(values, counts)}


def curable_share(words, table):
    """Share of a text's words that are unknown only because of case, or of blanks around them."""
    unknown = [word for word in words if word not in table]
    return sum(word.strip().lower() in table for word in unknown) / max(len(words), 1)


def write_dataset_report(dataset, source, splits, preparation):
    """Write dataset_stats.json.

    `source` describes the files as read, `splits` maps a split to its description (rows, classes or target, features,
    …), `preparation` lists fitted components and their versions.
    """
    write_json("dataset_stats.json", {"dataset": dataset, "source": source, "splits": splits, "preparation": preparation})
