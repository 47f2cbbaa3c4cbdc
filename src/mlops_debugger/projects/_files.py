"""Data files as bytes: CSV and NPY, written without pandas, byte for byte repeatable."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def csv_bytes(columns: Mapping[str, Sequence[object] | NDArray[np.generic]]) -> bytes:
    """A CSV of equally long columns; None and NaN are blank, floats have up to six digits after the point."""
    rendered = [[_cell(value) for value in _plain(values)] for values in columns.values()]
    lines = [",".join(columns), *(",".join(row) for row in zip(*rendered, strict=True))]
    return ("\n".join(lines) + "\n").encode()


def _plain(values: Sequence[object] | NDArray[np.generic]) -> Sequence[object]:
    return values.tolist() if isinstance(values, np.ndarray) else values


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if value != value else f"{value:.6f}".rstrip("0").rstrip(".")
    text = str(value)
    return f'"{text}"' if "," in text else text


def npy_bytes(array: NDArray[np.generic]) -> bytes:
    """An NPY file (no pickle)."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
