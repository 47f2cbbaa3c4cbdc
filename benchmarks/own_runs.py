"""Alarms on healthy runs of strangers: data sets that scikit-learn ships, sound pipelines, tables as diagnose reads them.

    python benchmarks/own_runs.py [SEEDS]

Prints, for every data set, how often a statistic warns or fails, and how many of the runs have no check that fails.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlops_debugger.intake import diagnose, read_run

SETS = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}


def models(regression: bool, seed: int):
    if regression:
        return Ridge(), RandomForestRegressor(100, min_samples_leaf=5, random_state=seed)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return linear, RandomForestClassifier(100, min_samples_leaf=3, random_state=seed)


def write(folder: Path, x: pd.DataFrame, y: np.ndarray, model, seed: int, metric: str) -> None:
    """Split at random, train, and leave the tables and the report that a careful person would."""
    keep = None if metric == "mae" else y
    train, test = train_test_split(np.arange(len(x)), test_size=0.2, random_state=seed, stratify=keep)
    train, held = train_test_split(
        train, test_size=0.2, random_state=seed, stratify=None if keep is None else keep[train]
    )
    model.fit(x.to_numpy()[train], y[train])
    told, report = [], {"primary_metric": metric}
    for split, rows in (("train", train), ("validation", held), ("test", test)):
        table = x.iloc[rows].copy()
        table.insert(0, "row_id", rows)
        table["label"] = y[rows]
        table.to_csv(folder / f"{split}.csv", index=False)
        answer = model.predict(x.to_numpy()[rows])
        part = pd.DataFrame({"row_id": rows, "split": split, "y_true": y[rows], "y_pred": answer})
        if metric == "accuracy":
            for name, score in zip(model.classes_, model.predict_proba(x.to_numpy()[rows]).T, strict=True):
                part[f"proba_{name}"] = score
        told.append(part)
        value = np.abs(answer - y[rows]).mean() if metric == "mae" else (answer == y[rows]).mean()
        if split != "train":
            report[split] = {metric: float(value)}
    pd.concat(told).to_csv(folder / "predictions.csv", index=False)
    (folder / "eval_results.json").write_text(json.dumps(report))


def main(seeds: int) -> None:
    for name, load in SETS.items():
        data = load(as_frame=True)
        metric = "mae" if name == "diabetes" else "accuracy"
        alarms: Counter[str] = Counter()
        runs = sound = 0
        for seed in range(seeds):
            for model in models(metric == "mae", seed):
                with tempfile.TemporaryDirectory() as place:
                    write(Path(place), data.data, data.target.to_numpy(), model, seed, metric)
                    found = diagnose(read_run(Path(place)))
                runs += 1
                sound += found.verdict != "fail"
                alarms.update(
                    f"{check} {finding.verdict}: {finding.statistic}"
                    for check, finding in found.findings.items()
                    if finding.verdict in ("warn", "fail")
                )
        print(f"{name}: no check fails on {sound} of {runs} runs")
        for alarm, count in sorted(alarms.items()):
            print(f"  {count:>3}  {alarm}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
