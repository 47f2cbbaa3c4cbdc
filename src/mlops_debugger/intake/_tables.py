"""Tables of rows: which column is what, and rows of one split brought into one order.

Tables of features hold raw columns, from before the pipeline's own scaling; see `_features.py` for what that means.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlops_debugger.errors import IntakeError
from mlops_debugger.intake._files import MAX_BINARY, Folder
from mlops_debugger.intake._labels import word
from mlops_debugger.intake._metric_tables import header
from mlops_debugger.intake._parquet import read_parquet

MAX_ROWS = 200_000
MAX_COLUMNS = 2_000
PARQUET = (".parquet", ".pq")
SPLITS = ("train", "validation", "test")

_ROLES = {
    **dict.fromkeys(("y_true", "target", "label", "labels", "ground_truth", "actual", "y"), "target"),
    **dict.fromkeys(("y_pred", "prediction", "predictions", "predicted", "pred", "y_hat"), "prediction"),
    **dict.fromkeys(("row_id", "id", "sample_id", "example_id", "uid"), "row_id"),
    **dict.fromkeys(("group", "group_id", "groups"), "group"),
    **dict.fromkeys(("timestamp", "time", "datetime", "date", "ds"), "time"),
    **dict.fromkeys(("split", "subset", "partition"), "split"),
    **dict.fromkeys(("index", "unnamed: 0", ""), "index"),
}
_SCORE = re.compile(r"(?:proba|prob|probability|score)_(.+)", re.IGNORECASE)
_SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "val", "valid", "dev", "eval"), "validation"),
    **dict.fromkeys(("test", "testing", "holdout"), "test"),
}
_STEM = re.compile(
    r"(?:(?P<answers>predictions|preds)(?:[_-](?P<of>[a-z]+))?|(?P<split>[a-z]+)(?:[_-](?P<kind>[a-z]+))?)"
)
_KINDS = {"predictions", "preds", "data", "set", "features", "split"}


@dataclass(frozen=True)
class Table:
    """Rows of one split from one file: a data frame, its columns by role, and the columns with probabilities."""

    file: str
    split: str
    frame: Any
    roles: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, str] = field(default_factory=dict)

    @property
    def answers(self) -> bool:
        return "prediction" in self.roles or bool(self.scores)

    @property
    def features(self) -> list[str]:
        used = {*self.roles.values(), *self.scores.values()}
        return [name for name in self.frame.columns if name not in used]

    def column(self, role: str) -> Any:
        return self.frame[self.roles[role]] if role in self.roles else None

    def taken(self, rows: Any) -> Table:
        return Table(self.file, self.split, self.frame.iloc[rows].reset_index(drop=True), self.roles, self.scores)


def split_of(file: str) -> str | None:
    """The split that a file's name stands for; "" for answers of no named split, None for other files."""
    stem, _, end = file.rpartition("/")[2].lower().rpartition(".")
    if f".{end}" not in (".csv", *PARQUET):
        return None
    match = _STEM.fullmatch(stem)
    if match is None:
        return None
    if match["answers"]:
        return _SPLIT_NAMES.get(match["of"]) if match["of"] else ""
    if match["kind"] and match["kind"] not in _KINDS:
        return None
    return _SPLIT_NAMES.get(match["split"])


def looks(folder: Folder, file: str) -> bool:
    """Is the file called like a table of rows, and has it a column that stands for something beside numbers?"""
    if split_of(file) is None:
        return False
    if file.endswith(PARQUET):
        return True
    names = {name.lower() for name in header(folder, file)}
    roles = {_ROLES[name] for name in names if name in _ROLES}
    return bool(roles & {"target", "prediction", "row_id"}) and not {"epoch", "loss"} & names


def read_tables(folder: Folder, file: str, notes: list[str]) -> list[Table]:
    """The file's rows, a table for every split in it. Raises `IntakeError` where it is no table."""
    frame = _frame(folder, file, notes)
    if len(frame) > MAX_ROWS:
        notes.append(f"{file}: the first {MAX_ROWS} of its rows were read")
        frame = frame.iloc[:MAX_ROWS]
    frame.columns = [str(name) for name in frame.columns]
    if len(frame.columns) > MAX_COLUMNS:
        raise IntakeError(f"{file}: expected at most {MAX_COLUMNS} columns, found {len(frame.columns)}: leave some out")
    if not frame.columns.is_unique:
        raise IntakeError(f"{file}: expected a name for every column, each once, found one twice")
    if not len(frame):
        raise IntakeError(f"{file}: expected rows, found none")
    roles: dict[str, str] = {}
    for name in frame.columns:
        role = _ROLES.get(name.strip().lower())
        if role is not None:
            roles.setdefault(role, name)
    told = {name: match[1] for name in frame.columns if (match := _SCORE.fullmatch(name))}
    sure = "prediction" in roles or any(name.lower().startswith("prob") for name in told)
    scores = {label: name for name, label in told.items()} if sure else {}
    if "split" not in roles:
        return [Table(file, split_of(file) or "test", frame, roles, scores)]
    return _by_split(Table(file, "", frame, roles, scores), notes)


def _by_split(table: Table, notes: list[str]) -> list[Table]:
    names = table.column("split").map(word).str.strip().str.lower()
    found = []
    for split in SPLITS:
        rows = np.flatnonzero(names.map(_SPLIT_NAMES).to_numpy() == split)
        if rows.size:
            part = table.taken(rows)
            found.append(Table(part.file, split, part.frame, part.roles, part.scores))
    unknown = sorted(set(names) - set(_SPLIT_NAMES))
    if unknown:
        notes.append(
            f"{table.file}: rows of the splits {', '.join(unknown[:5])} were left out; known are {', '.join(SPLITS)}"
        )
    return found


def _frame(folder: Folder, file: str, notes: list[str]) -> Any:
    import pandas

    content = folder.bytes(file, MAX_BINARY)
    if file.endswith(PARQUET):
        return read_parquet(content, file, MAX_ROWS, MAX_COLUMNS, notes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pandas.read_csv(io.BytesIO(content), low_memory=False, nrows=MAX_ROWS + 1)
        except (ValueError, pandas.errors.ParserError, OverflowError, RecursionError) as error:
            reason = " ".join(str(error).split())[:120]
            raise IntakeError(f"{file}: expected a CSV table, found something else ({reason})") from None


def joined(tables: Sequence[Table], split: str, notes: list[str]) -> tuple[Table | None, Table | None]:
    """The split's table of features and its table of answers, row by row alike; one of them may be None.

    Rows are matched by row_id where both have one; without it, tables of one length are taken to be in one order as
    long as their labels agree.
    """
    mine = [table for table in tables if table.split == split]
    answers = next((table for table in mine if table.answers), None)
    rows = next((table for table in mine if not table.answers), None)
    if answers is None or rows is None:
        return (rows or answers), answers
    ids, others = _ids(answers), _ids(rows)
    if ids is not None and others is not None:
        at = {key: place for place, key in enumerate(others)}
        kept = [place for place, key in enumerate(ids) if key in at]
        if not kept:
            notes.append(f"{answers.file} and {rows.file} share no row_id on {split}: {rows.file} was left out there")
            return answers, answers
        if len(kept) < max(len(ids), len(others)):
            notes.append(f"{split}: the {len(kept)} rows that stand in both {answers.file} and {rows.file} were used")
        return rows.taken([at[ids[place]] for place in kept]), answers.taken(kept)
    if not _alike(answers, rows):
        notes.append(f"{split}: {answers.file} and {rows.file} cannot be matched row by row: give both a row_id")
        return answers, answers
    notes.append(f"{split}: {answers.file} and {rows.file} have no row_id and were taken to be in the same order")
    return rows, answers


def _alike(one: Table, other: Table) -> bool:
    """Have both as many rows, and the same labels in the same order where both have labels?"""
    if len(one.frame) != len(other.frame):
        return False
    labels, others = one.column("target"), other.column("target")
    return labels is None or others is None or list(map(word, labels)) == list(map(word, others))


def _ids(table: Table) -> list[str] | None:
    column = table.column("row_id")
    if column is None or not column.is_unique:
        return None
    return [str(key) for key in column]
