"""The only source of randomness: named, independent streams derived from a seed."""

from __future__ import annotations

import hashlib

import numpy as np


def derive(*parts: str | int) -> int:
    """Hash the parts into a seed in [0, 2**63): equal parts give equal seeds, any difference an unrelated one."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, str | int):
            raise TypeError(f"seed parts are str or int, found {type(part).__name__}: name the stream in words")
        text = f"{'i' if isinstance(part, int) else 's'}{part}"
        digest.update(f"{len(text)}:{text}".encode())
    return int.from_bytes(digest.digest(), "little") >> 1


def generator(*parts: str | int) -> np.random.Generator:
    """A NumPy generator on the stream that `parts` name."""
    return np.random.Generator(np.random.PCG64(derive(*parts)))
