"""The likest of many names, as `difflib.get_close_matches` finds them, without comparing most of them.

Somebody who mistypes a path is answered by the nearest ones. Comparing it with the 400 paths of a large artifact takes
difflib 8 ms, in which a server answers nobody else. Two texts share at most as many characters as each character's
lesser count sums up to, whatever their order; NumPy finds that bound for all names at once (30 µs), and only names
whose bound could still win are compared. The result is difflib's, to the letter.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Sequence

import numpy as np

_CLASSES = 128
"""Characters are counted modulo this: names are ASCII, and where others fall together the bound only gets looser."""
Counts = np.ndarray[tuple[int, int], np.dtype[np.int32]]


def closest(word: str, names: Sequence[str], *, count: int, cutoff: float) -> list[str]:
    """Up to `count` of `names` whose ratio to `word` is at least `cutoff`, the likest first."""
    if not names:
        return []
    counts, lengths = _counted(tuple(names))
    shared = np.minimum(counts, _count(word)).sum(axis=1)
    together = lengths + len(word)
    bounds = np.where(together > 0, 2.0 * shared / np.maximum(together, 1), 1.0)
    matcher = difflib.SequenceMatcher()
    matcher.set_seq2(word)
    best: list[tuple[float, str]] = []
    for position in np.argsort(-bounds, kind="stable"):
        # Rounding must not push a bound below the ratio that it bounds.
        bound = bounds[position] + 1e-9
        if bound < cutoff or (len(best) == count and bound < best[-1][0]):
            break
        matcher.set_seq1(names[position])
        ratio = matcher.ratio()
        if ratio >= cutoff:
            # Among equals difflib prefers the name that sorts last.
            best = sorted([*best, (ratio, names[position])], reverse=True)[:count]
    return [name for _, name in best]


@functools.lru_cache(maxsize=256)
def _counted(names: tuple[str, ...]) -> tuple[Counts, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """How often each character stands in each name, [names, characters], and the names' lengths."""
    return np.stack([_count(name) for name in names]), np.array([len(name) for name in names])


def _count(text: str) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return np.bincount(points % _CLASSES, minlength=_CLASSES).astype(np.int32)
