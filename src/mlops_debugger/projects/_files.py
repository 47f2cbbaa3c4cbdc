"""Data files as bytes: CSV and NPY, written without pandas, byte for byte repeatable."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def csv_bytes(columns: Mapping[str, Sequence[object] | NDArray[np.generic]]) -> bytes:
    """A CSV of equally long columns; None and NaN are blank, floats have up to six digits after the point."""
    rendered = [_cells(values.tolist() if isinstance(values, np.ndarray) else values) for values in columns.values()]
    lines = [",".join(columns), *(",".join(row) for row in zip(*rendered, strict=True))]
    return ("\n".join(lines) + "\n").encode()


def _cells(values: Sequence[object]) -> Sequence[str]:
    """A column as text. Columns of one type are written in one go, since every run that is trained pays for this."""
    kinds = set(map(type, values))
    if kinds <= {float, np.float64}:
        texts = ("%.6f\n" * len(values) % tuple(values)).split("\n")[:-1]
        return ["" if text == "nan" else text.rstrip("0").rstrip(".") for text in texts]
    if float in kinds or np.float64 in kinds:
        return [_cell(value) for value in values]
    plain = [text if value is not None else "" for text, value in zip(map(str, values), values, strict=True)]
    return [f'"{text}"' if "," in text else text for text in plain] if "," in "".join(plain) else plain


def _cell(value: object) -> str:
    """One value of a column of several types."""
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    text = str(value)
    return f'"{text}"' if "," in text else text


def npy_bytes(array: NDArray[np.generic]) -> bytes:
    """An NPY file (no pickle)."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
