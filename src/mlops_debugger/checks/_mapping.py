"""Is the encoded target the same function of the raw label everywhere? Names, ids, and rows without a label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from mlops_debugger.checks import RunView
from mlops_debugger.checks._common import (
    SPLITS,
    FloatArray,
    IntArray,
    Measure,
    array,
    is_regression,
    largest,
    mapping,
    number,
    positions,
    vector,
    words,
)


def class_lists(view: RunView) -> Iterator[Measure]:
    """Class lists by stage, duplicates within one, and the width of the model's head."""
    lists = {
        stage: [str(name) for name in names]
        for stage, names in mapping(view, "classes").items()
        if isinstance(names, list | tuple) and names
    }
    if not lists:
        return
    shown = "; ".join(f"{stage}: {', '.join(names[:8])}" for stage, names in lists.items())
    if len(lists) > 1:
        differing = _differing(list(lists.values()))
        says = f"{differing} class positions have different names between stages ({shown})."
        yield Measure("class_list_differences", differing, len(lists), says, "class lists by stage")
    width = max(len(names) for names in lists.values())
    double = max(len(names) - len({n.strip().lower() for n in names}) for names in map(_named, lists.values()))
    says = f"{double} class names stand twice, case and spaces apart ({shown})."
    yield Measure("repeated_class_names", double, width, says, "class lists by stage")
    outputs = number(view, "model_outputs")
    if outputs is not None:
        gap = 0.0 if outputs == 1 and width == 2 else abs(outputs - width)
        says = f"The model has {outputs:g} outputs for {width} classes."
        yield Measure("outputs_without_class", gap, width, says, "class lists and model outputs")


def _named(names: list[str]) -> list[str]:
    """An empty name means that the stage never met the class: it contradicts nothing."""
    return [name for name in names if name]


def _differing(lists: list[list[str]]) -> int:
    count = 0
    for place in range(max(map(len, lists))):
        names = {found[place] for found in lists if place < len(found) and found[place]}
        short = any(place >= len(found) for found in lists)
        count += len(names) > 1 or (short and bool(names))
    return count


def label_maps(view: RunView) -> Iterator[Measure]:
    """Fingerprints of the label map by stage."""
    found = mapping(view, "fingerprints").get("label_map")
    if isinstance(found, Mapping) and len(found) > 1:
        different = len({str(value) for value in found.values()}) - 1
        shown = ", ".join(f"{stage} {str(value)[:12]}" for stage, value in found.items())
        says = f"The label map has {different + 1} fingerprint{'s' if different else ''} over the stages ({shown})."
        yield Measure("label_map_differences", different, len(found), says, "fingerprints of the label map by stage")


def encoded_labels(view: RunView) -> Iterator[Measure]:
    """The encoded target against the raw label, within and between splits."""
    if is_regression(view):
        return
    table = {split: pair for split in SPLITS if (pair := _raw_and_encoded(view, split)) is not None}
    mixed, orphaned, renamed, moved = [], [], [], []
    for split, (raw, target) in table.items():
        both = (raw >= 0) & (target >= 0)
        without = (raw < 0) & (target >= 0)
        where = f"raw labels and encoded targets of {split}"
        share = float(np.mean(without))
        says = f"{share:.2%} of the {split} rows have a target although their raw label is missing."
        orphaned.append(Measure("targets_without_label", share, len(raw), says, where))
        if not both.any():
            continue
        modal = _modal(raw[both], target[both])
        off = float(np.mean(modal[raw[both]] != target[both]))
        says = f"{off:.2%} of the {split} rows have another target than most rows with the same raw label."
        mixed.append(Measure("mixed_targets", off, int(both.sum()), says, where))
        wrong, example = _renamed(view, split, raw[both], target[both])
        says = f"{wrong:.2%} of the {split} rows carry the id of another class than their raw label names{example}."
        renamed.append(Measure("misnamed_targets", wrong, int(both.sum()), says, where))
        if split != "train" and "train" in table:
            known = (table["train"][0] >= 0) & (table["train"][1] >= 0)
            if known.any():
                moved.append(
                    _moved(_modal(table["train"][0][known], table["train"][1][known]), raw[both], target[both], split)
                )
    for found in (orphaned, mixed, renamed, moved):
        yield from largest(found)


def _raw_and_encoded(view: RunView, split: str) -> tuple[IntArray, IntArray] | None:
    raw, target = vector(view, f"{split}.source_target"), vector(view, f"{split}.target")
    if raw is None or target is None or len(raw) != len(target):
        return None
    return positions(raw), positions(target)


def _modal(raw: IntArray, target: IntArray) -> IntArray:
    """Raw position → the target that most of its rows have; −1 where there is no row."""
    table = np.zeros((int(raw.max()) + 1, int(target.max()) + 1))
    np.add.at(table, (raw, target), 1)
    return np.where(table.sum(axis=1) > 0, table.argmax(axis=1), -1).astype(np.int64)


def _moved(trained: IntArray, raw: IntArray, target: IntArray, split: str) -> Measure:
    """Rows whose raw label has another id than it had in training."""
    expected = np.where(raw < len(trained), trained[np.minimum(raw, len(trained) - 1)], -1)
    share = float(np.mean((expected >= 0) & (expected != target)))
    says = f"{share:.2%} of the {split} rows have another id than the same raw label has in training."
    return Measure("remapped_targets", share, len(raw), says, f"raw labels and encoded targets of train and {split}")


def _renamed(view: RunView, split: str, raw: IntArray, target: IntArray) -> tuple[float, str]:
    """Share of rows whose id is listed under another raw label's name, and an example."""
    stages = mapping(view, "classes")
    listed = stages.get("train") if split == "train" else stages.get("evaluation", stages.get("train"))
    sources = [name.strip().lower() for name in words(view, "source_classes")]
    if not isinstance(listed, list | tuple):
        return 0.0, ""
    names = [str(name).strip().lower() for name in listed]
    share, example, most = 0.0, "", 0
    for at, source in enumerate(sources):
        if source not in names:
            continue
        off = (raw == at) & (target < len(names)) & (target != names.index(source))
        off &= np.array([bool(names[t]) if t < len(names) else False for t in target], dtype=bool)
        share += float(off.mean())
        if off.sum() > most:
            most = int(off.sum())
            example = f" ({source!r} as {names[int(target[off][0])]!r})"
    return share, example


def sound_targets(view: RunView) -> Iterator[Measure]:
    """Targets that are no class position at all, and equal inputs with different targets."""
    bad, conflicts = [], []
    for split in SPLITS:
        values = array(view, f"{split}.target")
        if values is None:
            continue
        broken = ~np.isfinite(values)
        if not is_regression(view):
            broken |= (values < 0) | (values != np.round(values))
        share = float(broken.mean())
        bad.append(
            Measure("unusable_targets", share, len(values), f"{share:.2%} of the {split} targets are no sound value.")
        )
        hashes, target = vector(view, f"{split}.row_hash"), vector(view, f"{split}.target")
        if hashes is not None and target is not None and len(hashes) == len(target):
            share = _conflicting(hashes, target)
            says = f"{share:.2%} of the {split} rows have the same inputs as a row with another target."
            conflicts.append(
                Measure("conflicting_rows", share, len(target), says, f"row hashes and targets of {split}")
            )
    yield from largest(bad)
    yield from largest(conflicts)


def _conflicting(hashes: FloatArray, target: FloatArray) -> float:
    _, group = np.unique(hashes, return_inverse=True)
    low, high = (np.full(int(group.max()) + 1, value) for value in (np.inf, -np.inf))
    np.minimum.at(low, group, target)
    np.maximum.at(high, group, target)
    return float(np.mean((low != high)[group]))
