"""Do all stages of the pipeline use the same fitted encoders?

Evidence: fingerprints of fitted state by stage (equality is exact), versions that the model card states where they are
hashes too, and what the inputs show: ids and categories that training never saw, unknown tokens (two-proportion test,
ratio above 2; those that lower case would cure), and held-out inputs that are centred on themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import numpy as np
from scipy import stats

from mlops_debugger.checks import Finding, NamedCheck, RunView, _bands
from mlops_debugger.checks._association import padding
from mlops_debugger.checks._common import (
    HELD_OUT,
    SPLITS,
    FloatArray,
    IntArray,
    Measure,
    feature_kinds,
    feature_names,
    features,
    finite,
    largest,
    mapping,
    ranked,
    text,
    vector,
)

_HASH = re.compile(r"[0-9a-f]{8,64}")


def _fingerprints(view: RunView) -> Iterator[Measure]:
    stages = {
        name: {str(stage): str(value) for stage, value in found.items()}
        for name, found in mapping(view, "fingerprints").items()
        if isinstance(found, Mapping) and found
    }
    compared = {name: found for name, found in stages.items() if len(found) > 1}
    if compared:
        differing = {name: found for name, found in compared.items() if len(set(found.values())) > 1}
        shown = differing or compared
        says = "; ".join(
            f"{name}: {', '.join(f'{s} {v[:12]}' for s, v in found.items())}" for name, found in shown.items()
        )
        said = f"{len(differing)} of {len(compared)} fitted components differ between stages ({says})."
        worst = tuple((name, float(len(set(found.values())))) for name, found in differing.items())
        where = f"fingerprints of {', '.join(compared)}"
        yield Measure("differing_components", len(differing), len(compared), said, where, worst)
    stated = {name: value for name, value in _stated(view).items() if name in stages}
    if stated:
        off = [name for name, value in stated.items() if value not in stages[name].values()]
        says = f"The model card states another hash than the run used for {len(off)} of {len(stated)} components."
        yield Measure("card_disagreements", len(off), len(stated), says, f"model card: {', '.join(stated)}")


def _stated(view: RunView) -> dict[str, str]:
    """Hashes that model_card.json states, by the name of their key."""
    try:
        card = json.loads(view.artifacts.get("model_card.json", "null"))
    except (ValueError, RecursionError):
        return {}
    found: dict[str, str] = {}
    waiting = [card]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            found |= {k: v for k, v in item.items() if isinstance(v, str) and _HASH.fullmatch(v)}
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return found


def _unknown_tokens(view: RunView) -> Iterator[Measure]:
    found = []
    train = vector(view, "train.unknown_share")
    for split in HELD_OUT:
        other = vector(view, f"{split}.unknown_share")
        if train is None or other is None:
            continue
        counts = [_token_counts(view, name, share) for name, share in (("train", train), (split, other))]
        rates = [float(unknown / max(total, 1.0)) for unknown, total in counts]
        gap = abs(rates[1] - rates[0])
        pooled = sum(c[0] for c in counts) / max(sum(c[1] for c in counts), 1.0)
        error = np.sqrt(pooled * (1 - pooled) * sum(1 / max(c[1], 1.0) for c in counts))
        p = float(stats.norm.sf(gap / error)) * 4 if error > 0 else 1.0
        alike = max(rates) <= 2 * min(rates)
        says = f"{rates[1]:.1%} of the tokens of {split} are unknown, {rates[0]:.1%} of those of train."
        where = f"tokens of train and {split}"
        found.append(Measure("unknown_gap", 0.0 if alike else gap, int(counts[1][1]), says, where, (), min(1.0, p)))
    yield from largest(found)


def _curable_tokens(view: RunView) -> Iterator[Measure]:
    """Unknown tokens that lower case, or the removal of blanks, would make known."""
    found = []
    for split in SPLITS:
        share = vector(view, f"{split}.curable_share")
        if share is None:
            continue
        curable, total = _token_counts(view, split, share)
        value = float(curable / max(total, 1.0))
        says = f"{value:.1%} of the tokens of {split} are unknown as they are, but known in lower case without blanks."
        found.append(Measure("curable_unknowns", value, int(total), says, f"tokens of {split} and the vocabulary"))
    yield from largest(found)


def _token_counts(view: RunView, split: str, share: FloatArray) -> tuple[float, float]:
    """Unknown tokens and all tokens of a split."""
    lengths = vector(view, f"{split}.length")
    weights = finite(lengths) if lengths is not None and len(lengths) == len(share) else np.ones(len(share))
    weights = np.clip(weights, 0, 1e6)
    return float((np.clip(finite(share), 0, 1) * weights).sum()), float(weights.sum())


def _unseen(view: RunView) -> Iterator[Measure]:
    """Token ids and category codes of held-out rows that occur nowhere in training, and shifted category shares."""
    train = features(view, "train")
    if train is None:
        return
    kinds, names = feature_kinds(view, train.shape[1]), feature_names(view, train.shape[1])
    tokens = text(view, "kind") == "text"
    codes = _codes(train, kinds)
    unseen: list[Measure] = []
    shifted: list[Measure] = []
    for split in HELD_OUT:
        other = features(view, split)
        if other is None or other.shape[1] != train.shape[1]:
            continue
        if tokens:
            used = other[other != padding(train)]
            share = float(np.mean(~np.isin(used, np.unique(train)))) if used.size else 0.0
            says = f"{share:.2%} of the token ids of {split} occur nowhere in training."
            unseen.append(Measure("unseen_codes", share, int(used.size), says, f"token ids of train and {split}"))
        elif codes.size:
            shares = np.array([np.mean(~np.isin(other[:, j], np.unique(train[:, j]))) for j in codes])
            kept = [names[int(j)] for j in codes]
            at = int(np.argmax(shares))
            where = f"{len(kept)} categorical inputs of train and {split}"
            says = f"{shares[at]:.2%} of the {split} rows hold a code of {kept[at]} that training never saw."
            unseen.append(Measure("unseen_codes", float(shares[at]), len(other), says, where, ranked(kept, shares)))
            shifted.append(_category_shift(train[:, codes], other[:, codes], kept, split, where))
    yield from largest(unseen)
    yield from largest(shifted)


def _codes(rows: FloatArray, kinds: list[str]) -> IntArray:
    """Positions of the columns that hold category codes: whole numbers, few of them."""
    found = []
    for j, kind in enumerate(kinds):
        if kind == "category" and np.all(rows[:, j] == np.round(rows[:, j])) and np.unique(rows[:, j]).size <= 200:
            found.append(j)
    return np.array(found, dtype=int)


def _category_shift(train: FloatArray, other: FloatArray, names: list[str], split: str, where: str) -> Measure:
    values, ps = [], []
    for j in range(train.shape[1]):
        seen = np.unique(np.concatenate([train[:, j], other[:, j]]))
        counts = np.array(
            [np.bincount(np.searchsorted(seen, part[:, j]), minlength=len(seen)) for part in (train, other)]
        )
        shares = counts / counts.sum(axis=1, keepdims=True)
        values.append(0.5 * float(np.abs(shares[0] - shares[1]).sum()))
        ps.append(float(stats.chi2_contingency(counts)[1]) if len(seen) > 1 else 1.0)
    at = int(np.argmax(values))
    says = f"Code shares of {names[at]} differ by {values[at]:.1%} between train and {split}."
    p = min(1.0, ps[at] * len(names) * 2)
    return Measure("category_distance", values[at], len(other), says, where, ranked(names, np.array(values)), p)


def _self_centred(view: RunView) -> Iterator[Measure]:
    found = []
    for split in HELD_OUT:
        rows = features(view, split)
        if rows is None or len(rows) < 20:
            continue
        kinds = np.array(feature_kinds(view, rows.shape[1]))
        numeric = rows[:, kinds == "numeric"]
        numeric = numeric[:, numeric.std(axis=0) > 1e-12]
        if numeric.shape[1] < 2:
            continue
        exact = (np.abs(numeric.mean(axis=0)) < 1e-7) & (np.abs(numeric.std(axis=0) - 1) < 1e-6)
        share = float(exact.mean())
        says = (
            f"{share:.0%} of the numeric inputs have mean exactly 0 and standard deviation exactly 1 on {split} alone."
        )
        found.append(
            Measure("self_centred_inputs", share, len(rows), says, f"{numeric.shape[1]} numeric inputs of {split}")
        )
    yield from largest(found)


PARTS: tuple[_bands.Part, ...] = (_fingerprints, _unknown_tokens, _curable_tokens, _unseen, _self_centred)


def run(view: RunView) -> Finding:
    """Fingerprints between stages, and what inputs tell about encoders."""
    missing = "the run noted no encoder fingerprints of two stages, and its inputs have neither tokens nor categories"
    return _bands.judge("encoder_version_match", view, PARTS, missing)


CHECK = NamedCheck(run=run)
