"""Raw columns as features: encoded as numbers that checks may compare between splits.

A table shows columns as they were before the pipeline. So numeric ones are put on the scale of the training rows
(mean 0, standard deviation 1, cut at ±10), which leaves every comparison between splits as it was, and says nothing of
the scale that the model got; words become codes. Columns that take one value over and over, or few whole numbers, are
marked as such: that is a trait of the raw data and no sign of clipping or filling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_debugger.intake._labels import word

FloatArray = NDArray[np.float64]
_FEW_VALUES = 20
_MAX_CODES = 200
_OWN_CODES = 17
_MODAL = 0.05
_BOUND = 10.0
_MAX_CELLS = 20_000_000


def encode(frames: Mapping[str, Any], notes: list[str]) -> tuple[dict[str, FloatArray], list[str], list[str]]:
    """Split → features (n, d), their names and kinds, of the columns that every split has. `frames` are data frames."""
    first = "train" if "train" in frames else next(iter(frames), "")
    if not first:
        return {}, [], []
    own = set(frames[first].columns)
    for split in [split for split, frame in frames.items() if len(own & set(frame.columns)) * 2 < len(own)]:
        notes.append(f"{split} has few of the columns of {first}: its features were left out")
        frames = {name: frame for name, frame in frames.items() if name != split}
    common = [name for name in frames[first].columns if all(name in frame.columns for frame in frames.values())]
    for split, frame in frames.items():
        extra = [str(name) for name in frame.columns if name not in common]
        if extra:
            notes.append(f"columns of {split} that another split lacks were left out: {', '.join(extra[:8])}")
    rows = sum(len(frame) for frame in frames.values())
    if rows * len(common) > _MAX_CELLS:
        notes.append(f"only the first {_MAX_CELLS // rows} feature columns were used: the tables are very large")
        common = common[: _MAX_CELLS // rows]
    columns: dict[str, list[FloatArray]] = {split: [] for split in frames}
    names: list[str] = []
    kinds: list[str] = []
    for name in common:
        found = _column({split: frame[name] for split, frame in frames.items()}, first)
        if found is None:
            notes.append(f"column {name} was left out: its words are nearly all different")
            continue
        values, kind = found
        names.append(str(name))
        kinds.append(kind)
        for split, part in values.items():
            columns[split].append(part)
    if not names:
        return {}, [], []
    return {split: np.stack(parts, axis=1) for split, parts in columns.items()}, names, kinds


def _column(parts: Mapping[str, Any], first: str) -> tuple[dict[str, FloatArray], str] | None:
    """The column as numbers by split, and its kind."""
    numbers = {split: _numbers(part) for split, part in parts.items()}
    if any(part is None for part in numbers.values()):
        return _codes(parts, first)
    raw = {split: part for split, part in numbers.items() if part is not None}
    known = raw[first][np.isfinite(raw[first])]
    everything = np.concatenate([part[np.isfinite(part)] for part in raw.values()])
    few = bool(np.all(everything == np.round(everything))) and np.unique(everything).size <= _FEW_VALUES
    with np.errstate(all="ignore"):
        middle = float(np.median(known)) if known.size else 0.0
        mean, spread = (float(known.mean()), float(known.std())) if known.size else (0.0, 0.0)
        if not np.isfinite(mean) or not np.isfinite(spread):
            mean, spread = middle, 0.0
        scale = spread if spread > 1e-12 * max(1.0, abs(mean)) else 1.0
        used = {
            split: np.clip((np.where(np.isfinite(part), part, middle) - mean) / scale, -_BOUND, _BOUND)
            for split, part in raw.items()
        }
    counts = np.unique(used[first], return_counts=True)[1]
    return used, "mixed" if few or counts.max() >= max(2, _MODAL * len(used[first])) else "numeric"


def _numbers(part: Any) -> FloatArray | None:
    """A numeric or truth column as float64, NaN where it is empty; None for words."""
    if part.dtype.kind not in "biuf" and str(part.dtype) not in ("boolean", "Int64", "Float64"):
        return np.full(len(part), np.nan) if part.isna().all() else None
    return np.asarray(part.to_numpy(dtype=np.float64, na_value=np.nan))


def _codes(parts: Mapping[str, Any], first: str) -> tuple[dict[str, FloatArray], str] | None:
    words = {split: [word(value) for value in part] for split, part in parts.items()}
    seen = sorted({name for part in words.values() for name in part})
    total = sum(len(part) for part in words.values())
    if len(seen) > min(_MAX_CODES, max(2, total // 2)):
        return None
    # The commonest have a code of their own, the others share one, and so do words that the first split never had:
    # codes stay small, since nothing but the number of words would make them large.
    # Counted as Python's words: an array of them would be as wide as the longest, in every row.
    common = sorted(Counter(words[first]).items(), key=lambda item: (-item[1], item[0]))
    kept = sorted(name for name, _ in common[:_OWN_CODES])
    at = {name: float(place - _OWN_CODES // 2) for place, name in enumerate(kept)}
    others = dict.fromkeys((name for name, _ in common), float(_OWN_CODES - _OWN_CODES // 2))
    unseen = float(_OWN_CODES - _OWN_CODES // 2 + 1)
    codes = {**others, **at}
    return {split: np.array([codes.get(name, unseen) for name in part]) for split, part in words.items()}, "category"
