"""Tables of rows: train.csv, validation.csv, test.csv and predictions.csv (or Parquet), whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.errors import IntakeError
from mlops_debugger.intake._features import encode
from mlops_debugger.intake._files import Folder
from mlops_debugger.intake._labels import class_names, is_regression, numeric, positions, score_columns
from mlops_debugger.intake._sources import Candidate, Reader, Source
from mlops_debugger.intake._tables import SPLITS, Table, joined, looks, read_tables

FloatArray = NDArray[np.float64]
_MAX_TABLES = 12
_RARE = 0.1


def find(folder: Folder) -> list[Candidate]:
    """One candidate: the tables of the folder that holds the first of them, the least deep one."""
    files = [file for file in folder.files if looks(folder, file)]
    if not files:
        return []
    first = min(files, key=lambda file: (file.count("/"), file))
    return [Candidate("", first, folder.modified(first))]


def read(folder: Folder, candidate: Candidate) -> Source:
    place = candidate.file.rpartition("/")[0]
    notes: list[str] = []
    tables: list[Table] = []
    files: list[str] = []
    for file in [f for f in folder.files if f.rpartition("/")[0] == place and looks(folder, f)][:_MAX_TABLES]:
        try:
            tables.extend(read_tables(folder, file, notes))
            files.append(file)
        except IntakeError as error:
            notes.append(f"left out: {error}")
    arrays: dict[str, FloatArray] = {}
    meta: dict[str, Any] = {}
    pairs = {s: pair for s in SPLITS if (pair := joined(tables, s, notes)) != (None, None)}
    _answers(pairs, arrays, meta, notes)
    _rows({split: rows for split, (rows, _) in pairs.items() if rows is not None}, arrays, meta, notes)
    return Source(arrays=arrays, meta=meta, files=tuple(files), notes=tuple(notes))


Pairs = Mapping[str, tuple[Table | None, Table | None]]


def _answers(pairs: Pairs, arrays: dict[str, FloatArray], meta: dict[str, Any], notes: list[str]) -> None:
    """Targets, predictions and probabilities, and the targets that the data hold beside those of the evaluation."""
    labels = {(s, i): t.column("target") for s, pair in pairs.items() for i, t in enumerate(pair) if t is not None}
    told = {split: answers.column("prediction") for split, (_, answers) in pairs.items() if answers is not None}
    scores = next((answers.scores for _, answers in pairs.values() if answers is not None and answers.scores), {})
    if is_regression(labels.values(), told.values(), bool(scores)):
        meta["task"] = "regression"
        for split in pairs:
            for what, column in (("target", _first(labels, split)), ("prediction", told.get(split))):
                if (values := numeric(column)) is not None:
                    arrays[f"{split}.{what}"] = values
        return
    if all(column is None for column in [*labels.values(), *told.values()]):
        return
    meta["task"] = "classification"
    soft = {s: _probability(column, labels.values()) for s, column in told.items()}
    hard = [column for split, column in told.items() if soft[split] is None]
    classes = class_names([*labels.values(), *hard], scores)
    meta["classes"], meta["source_classes"] = {"train": classes}, classes
    for split, (rows, answers) in pairs.items():
        target = _first(labels, split)
        if target is not None:
            arrays[f"{split}.target"] = positions(target, classes)
        raw = labels.get((split, 0))
        if raw is not None and rows is not answers and labels.get((split, 1)) is not None:
            arrays[f"{split}.source_target"] = np.nan_to_num(positions(raw, classes), nan=-1.0)
        if answers is None:
            continue
        ordered = score_columns(answers.scores, classes)
        if ordered is not None:
            arrays[f"{split}.score"] = np.stack([_values(answers.frame[name]) for name in ordered], axis=1)
            meta["model_outputs"] = len(ordered)
        elif answers.scores:
            notes.append(f"{answers.file}: the columns of probabilities are not named after the classes: left out")
        probability, column = soft.get(split), told.get(split)
        if probability is not None:
            arrays[f"{split}.score"] = np.stack([1 - probability, probability], axis=1)
            arrays[f"{split}.prediction"] = (probability > 0.5).astype(np.float64)
        elif column is not None:
            arrays[f"{split}.prediction"] = positions(column, classes)
        elif ordered is not None:
            arrays[f"{split}.prediction"] = np.argmax(arrays[f"{split}.score"], axis=1).astype(np.float64)


def _first(labels: Mapping[tuple[str, int], Any], split: str) -> Any:
    """The targets that the answers were held against, else those of the data."""
    own = labels.get((split, 1))
    return own if own is not None else labels.get((split, 0))


def _probability(column: Any, labels: Any) -> FloatArray | None:
    """Predictions that are probabilities of the second of two classes, as a column of fractions between 0 and 1."""
    values = numeric(column)
    if (
        values is None
        or not len(values)
        or not np.all((values >= 0) & (values <= 1))
        or np.all(values == np.round(values))
    ):
        return None
    return values if len(class_names(labels, ())) == 2 else None


def _values(column: Any) -> FloatArray:
    found = numeric(column)
    return np.full(len(column), np.nan) if found is None else found


def _rows(tables: Mapping[str, Table], arrays: dict[str, FloatArray], meta: dict[str, Any], notes: list[str]) -> None:
    """Features, row ids, groups and times."""
    featured = {s: t for s, t in tables.items() if t.features}
    if "train" in featured or len(featured) == len(tables):
        encoded, names, kinds = encode({s: t.frame[t.features] for s, t in featured.items()}, notes)
        if encoded:
            arrays.update({f"{split}.features": values for split, values in encoded.items()})
            meta["feature_names"], meta["feature_kinds"] = names, kinds
            meta["kind"] = _kind(arrays, meta)
    for role in ("row_id", "group"):
        columns = {split: t.column(role) for split, t in tables.items() if t.column(role) is not None}
        if role == "row_id" and len(columns) > 1 and all(_counts(column) for column in columns.values()):
            notes.append("row_id counts from the same number in every split, so it is a position and no id: left out")
            continue
        words = sorted({str(value) for column in columns.values() for value in column})
        at = {name: float(place) for place, name in enumerate(words)}
        for split, column in columns.items():
            own = numeric(column)
            whole = own is not None and bool(np.isfinite(own).all()) and bool(np.abs(own).max(initial=0) < 2**53)
            arrays[f"{split}.{role}"] = own if own is not None and whole else np.array([at[str(v)] for v in column])
    for split, table in tables.items():
        column = table.column("time")
        if column is not None and (seconds := _seconds(column)) is not None:
            arrays[f"{split}.time"] = seconds


def _counts(column: Any) -> bool:
    """Is it 0, 1, 2 … (or 1, 2, 3 …)?"""
    values = numeric(column)
    if values is None or not len(values):
        return False
    return values[0] in (0.0, 1.0) and bool(np.array_equal(values, np.arange(len(values)) + values[0]))


def _seconds(column: Any) -> FloatArray | None:
    """Times as seconds: numbers as they are, dates by the calendar."""
    import pandas

    values = numeric(column)
    if values is not None:
        return values
    try:
        times = pandas.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
        # In milliseconds every year that can be written fits; nanoseconds end in 2262.
        counts = times.dt.as_unit("ms").astype("int64").to_numpy()
    except (ValueError, OverflowError):
        return None
    missing = times.isna().to_numpy()
    return None if missing.mean() > 0.5 else np.where(missing, np.nan, counts / 1000.0)


def _kind(arrays: Mapping[str, FloatArray], meta: Mapping[str, Any]) -> str:
    target = arrays.get("train.target")
    if meta.get("task") != "classification" or target is None:
        return "tabular"
    known = target[np.isfinite(target)].astype(np.int64)
    counts = np.bincount(known) if known.size else np.zeros(0)
    return "rare_tabular" if counts.size and counts[counts > 0].min() <= _RARE * known.size else "tabular"


READER = Reader(110, "tables of rows (train, validation, test, predictions)", find, read)
