"""Values for plants: read from the healthy config, drawn as somebody would type them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from mlops_debugger.errors import CatalogError
from mlops_debugger.faults import Config

T = TypeVar("T")


def number(config: Config, key: str) -> float:
    """A numeric value of the config; raises `CatalogError`."""
    value = config[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CatalogError(f"{key}: expected a number, found {value!r}")
    return value


def between(rng: np.random.Generator, low: float, high: float, digits: int = 2) -> float:
    """Log-uniform between two positive bounds, with a few digits that count."""
    return float(f"{float(np.exp(rng.uniform(np.log(low), np.log(high)))):.{digits - 1}e}")


def scaled(rng: np.random.Generator, value: float, low: float, high: float) -> float:
    """The value times a log-uniform factor."""
    return between(rng, value * low, value * high)


def one_of(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]
