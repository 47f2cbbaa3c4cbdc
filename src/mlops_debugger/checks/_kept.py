"""Results that are kept by the contents of what they were computed from.

The twins of a scenario share most of their data, and what is dear to compute (forests, neighbours, ranks) depends on
data alone: the second twin gets it for the price of a hash.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import numpy as np

_KEPT = 8  # results of one function: a view asks for some two, its twin comes next
R = TypeVar("R")
Ts = TypeVarTuple("Ts")


class _Call:
    """Arguments that are equal where their contents are."""

    def __init__(self, arguments: tuple[object, ...]) -> None:
        self.arguments = arguments
        self.key = _contents(arguments)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Call) and self.key == other.key


def _contents(value: object) -> object:
    if isinstance(value, np.ndarray):
        digest = hashlib.sha1(np.ascontiguousarray(value).data, usedforsecurity=False).digest()
        return value.shape, value.dtype.str, digest
    return tuple(map(_contents, value)) if isinstance(value, tuple | list) else value


def kept(function: Callable[[*Ts], R]) -> Callable[[*Ts], R]:
    """Keep the last few results of a pure function of arrays and plain values; callers must not change them."""

    @functools.lru_cache(maxsize=_KEPT)
    def remembered(call: _Call) -> R:
        # The key stays in the cache: it must not hold the arrays.
        arguments, call.arguments = call.arguments, ()
        return function(*arguments)  # type: ignore[arg-type]

    @functools.wraps(function)
    def wrapper(*arguments: *Ts) -> R:
        return remembered(_Call(arguments))

    return wrapper
