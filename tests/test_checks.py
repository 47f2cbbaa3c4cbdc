"""The eight checks on runs trained right here: healthy ones pass, corrupted ones are noticed, nothing raises."""

from __future__ import annotations

import functools
import hashlib
import json
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.metrics import f1_score

from mlops_debugger.checks import Finding, RunView, _bands, checks
from mlops_debugger.checks._kept import kept
from mlops_debugger.contract import SANITY_CHECKS
from mlops_debugger.forge.unit import look

Array = NDArray[np.float64]
Arrays = dict[str, Array]
SPLITS = ("train", "validation", "test")


# ------------------------------------------------------------------ runs that take place


def _softmax(outputs: Array) -> Array:
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _loss(score: Array, target: Array) -> float:
    return float(-np.log(score[np.arange(len(target)), target.astype(int)] + 1e-12).mean())


def _train(
    x: Mapping[str, Array], y: Mapping[str, Array], classes: int, epochs: int, seed: int
) -> tuple[Arrays, dict[str, Any]]:
    """A two-layer network by hand, so that every gradient norm is a real one; returns arrays and notes of the loop."""
    rng = np.random.default_rng(seed)
    width, batch = 32, 32
    weights = [rng.normal(size=(x["train"].shape[1], width)) / np.sqrt(x["train"].shape[1]), np.zeros(width)]
    weights += [rng.normal(size=(width, classes)) * 0.1, np.zeros(classes)]
    memory = [np.zeros_like(w) for w in weights]

    def forward(rows: Array) -> tuple[Array, Array]:
        hidden = np.maximum(rows @ weights[0] + weights[1], 0)
        return hidden, _softmax(hidden @ weights[2] + weights[3])

    rows, target = x["train"], y["train"]
    steps = int(np.ceil(len(rows) / batch))
    log: dict[str, list[Any]] = {
        k: [] for k in ("train_loss", "val_loss", "val_metric", "lr", "grad_norm", "grad_norm_max")
    }
    log |= {"clipped_share": [], "zero_share": [], "layer_grad_norm": [], "layer_update_ratio": []}
    losses: list[float] = []
    kept: list[list[Array]] = []
    for _ in range(epochs):
        order, norms = rng.permutation(len(rows)), []
        for i in range(steps):
            chosen = order[i * batch : (i + 1) * batch]
            hidden, score = forward(rows[chosen])
            losses.append(_loss(score, target[chosen]))
            slope = score.copy()
            slope[np.arange(len(chosen)), target[chosen].astype(int)] -= 1
            slope /= len(chosen)
            back = slope @ weights[2].T * (hidden > 0)
            gradients = [rows[chosen].T @ back, back.sum(axis=0), hidden.T @ slope, slope.sum(axis=0)]
            norms.append(float(np.sqrt(sum((g**2).sum() for g in gradients))))
            before = [w.copy() for w in weights]
            for w, g, m in zip(weights, gradients, memory, strict=True):
                m *= 0.9
                m += g
                w -= 0.05 * m
        moved = [np.linalg.norm(w - b) / (np.linalg.norm(b) + 1e-12) for w, b in zip(weights, before, strict=True)]
        score = forward(x["validation"])[1]
        log["train_loss"].append(float(np.mean(losses[-steps:])))
        log["val_loss"].append(_loss(score, y["validation"]))
        log["val_metric"].append(f1_score(y["validation"], score.argmax(axis=1), average="macro"))
        log["lr"].append(0.05)
        log["grad_norm"].append(float(np.median(norms)))
        log["grad_norm_max"].append(max(norms))
        log["clipped_share"].append(0.0)
        log["zero_share"].append(float(np.mean(np.concatenate([g.ravel() for g in gradients]) == 0)))
        log["layer_grad_norm"].append([float(np.linalg.norm(gradients[0])), float(np.linalg.norm(gradients[2]))])
        log["layer_update_ratio"].append([moved[0], moved[2]])
        kept.append([w.copy() for w in weights])
    best = int(np.argmin(log["val_loss"]))
    weights[:] = kept[best]
    arrays = {f"epoch.{name}": np.array(values, dtype=float) for name, values in log.items()}
    arrays |= {"step.loss": np.array(losses), "initial.loss": np.array(losses[:1])}
    for split in SPLITS:
        arrays[f"{split}.score"] = forward(x[split])[1]
        arrays[f"{split}.prediction"] = arrays[f"{split}.score"].argmax(axis=1).astype(float)
    meta = {"layers": ["hidden", "head"], "trainable": [True, True], "batch_size": batch, "steps_per_epoch": steps}
    meta |= {
        "epochs_planned": epochs,
        "epochs_run": epochs,
        "ended": "completed",
        "best_epoch": best + 1,
        "evaluated_epoch": best + 1,
    }
    return arrays, meta


def _hashes(rows: Array) -> Array:
    return np.array(
        [int(hashlib.sha256(row.tobytes()).hexdigest()[:12], 16) for row in np.ascontiguousarray(rows)], dtype=float
    )


def _split(count: int, rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    order = rng.permutation(count)
    cuts = (int(count * 0.6), int(count * 0.8))
    return {name: np.sort(part) for name, part in zip(SPLITS, np.split(order, cuts), strict=True)}


def _report(arrays: Arrays) -> str:
    blocks: dict[str, Any] = {"metric": "f1", "average": "macro"}
    for split in ("validation", "test"):
        target, told = arrays[f"{split}.target"], arrays[f"{split}.prediction"]
        accuracy, f1 = float(np.mean(target == told)), float(f1_score(target, told, average="macro"))
        loss = _loss(arrays[f"{split}.score"], target)
        blocks[split] = {"n": len(target), "loss": round(loss, 4), "accuracy": round(accuracy, 4), "f1": round(f1, 4)}
    return json.dumps(blocks)


def _classification(
    kind: str, raw: Array, inputs: Callable[[Array], Array], target: Array, names: list[str], seed: int
) -> RunView:
    """Split, train and record a classification; `inputs` turns saved features into what the network gets."""
    rng = np.random.default_rng(seed)
    rows = _split(len(raw), rng)
    arrays: Arrays = {}
    for split, index in rows.items():
        arrays[f"{split}.row_id"] = index.astype(float)
        arrays[f"{split}.features"] = raw[index]
        arrays[f"{split}.row_hash"] = _hashes(raw[index])
        arrays[f"{split}.target"] = target[index].astype(float)
        arrays[f"{split}.source_target"] = target[index].astype(float)
    classes = int(target.max()) + 1
    arrays |= {"source.class_counts": np.bincount(target).astype(float), "test.repeat_gap": np.zeros(len(rows["test"]))}
    x = {split: inputs(raw[index]) for split, index in rows.items()}
    trained, meta = _train(x, {split: target[index] for split, index in rows.items()}, classes, 14, seed)
    arrays |= trained
    words = [f"label {k}" for k in range(classes)]
    meta |= {"task": "classification", "kind": kind, "metric": "f1", "source_classes": words, "model_outputs": classes}
    meta |= {"classes": {"train": words, "evaluation": words}, "feature_names": names}
    meta |= {"fingerprints": {"label_map": {"train": "3fa9c1d2e4b5", "evaluation": "3fa9c1d2e4b5"}}}
    meta["rows"] = {"source": len(raw), "prepared": len(raw)}
    card = json.dumps({"evaluation": {"primary_metric": "macro_f1"}})
    return RunView({"eval_results.json": _report(arrays), "model_card.json": card}, arrays, meta)


@functools.cache
def tabular(seed: int = 0) -> RunView:
    rng = np.random.default_rng(seed)
    numeric = rng.normal(size=(1500, 8))
    code = rng.integers(0, 4, size=1500)
    logits = np.c_[numeric[:, 0] + numeric[:, 1], -numeric[:, 0] + 0.5 * code, numeric[:, 2] - numeric[:, 3]]
    target = (1.5 * logits + rng.gumbel(size=(1500, 3))).argmax(axis=1)
    raw = np.c_[numeric, code[:, None] == np.arange(4)].astype(float)
    names = [f"n{j}" for j in range(8)] + [f"code_{j}" for j in range(4)]
    view = _classification("tabular", raw, lambda rows: rows, target, names, seed)
    kinds = ["numeric"] * 8 + ["category"] * 4
    return RunView(view.artifacts, view.arrays, {**view.meta, "feature_kinds": kinds})


@functools.cache
def image(seed: int = 0) -> RunView:
    digits = load_digits()
    kept = np.random.default_rng(seed).permutation(len(digits.target))[:1200]
    names = [f"p{j}" for j in range(64)]
    return _classification("image", digits.data[kept] / 16.0, lambda rows: rows, digits.target[kept], names, seed)


@functools.cache
def prose(seed: int = 0) -> RunView:
    """Texts of token ids 2…59, padded with 0 at the end; some tokens speak for a class."""
    rng = np.random.default_rng(seed)
    target, ids = rng.integers(0, 3, size=1200), np.zeros((1200, 20))
    for i, label in enumerate(target):
        length = rng.integers(8, 18)
        tokens = rng.integers(2, 60, size=length)
        topical = rng.random(length) < 0.25
        ids[i, :length] = np.where(topical, 2 + 6 * label + rng.integers(0, 6, size=length), tokens)

    def bag(rows: Array) -> Array:
        return np.stack([(rows == token).sum(axis=1) for token in range(2, 60)], axis=1).astype(float)

    view = _classification("text", ids, bag, target, [f"t{j}" for j in range(20)], seed)
    arrays = dict(view.arrays)
    for split in SPLITS:
        arrays[f"{split}.length"] = (arrays[f"{split}.features"] > 0).sum(axis=1).astype(float)
        arrays[f"{split}.unknown_share"] = np.full(len(arrays[f"{split}.length"]), 0.01)
        arrays[f"{split}.curable_share"] = np.zeros(len(arrays[f"{split}.length"]))
    return RunView(view.artifacts, arrays, view.meta)


@functools.cache
def series(seed: int = 0) -> RunView:
    """Ridge on lags of a seasonal series, four horizons, split by time."""
    rng = np.random.default_rng(seed)
    t = np.arange(1200)
    values = (
        20
        + 3 * np.sin(t * 2 * np.pi / 24)
        + np.convolve(rng.normal(size=1205), [0.5, 0.3, 0.2, 0.2, 0.1, 0.1], "valid")
    )
    start = np.arange(24, len(values) - 4)
    raw = np.stack([values[start - lag] for lag in range(24)], axis=1)
    target = np.stack([values[start + h] for h in range(1, 5)], axis=1)
    bounds = {"train": (0, 700), "validation": (704, 900), "test": (904, len(start))}
    scale = raw[:700].mean(), raw[:700].std()
    model = Ridge(1.0).fit((raw[:700] - scale[0]) / scale[1], target[:700])
    arrays: Arrays = {"source.series": values}
    report: dict[str, Any] = {"metric": "mae"}
    for split, (low, high) in bounds.items():
        x = (raw[low:high] - scale[0]) / scale[1]
        told = model.predict(x)
        arrays |= {f"{split}.features": x, f"{split}.target": target[low:high], f"{split}.prediction": told}
        arrays |= {f"{split}.time": start[low:high].astype(float), f"{split}.row_id": start[low:high].astype(float)}
        report[split] = {"n": high - low, "mae": round(float(np.abs(told - target[low:high]).mean()), 4)}
    meta = {"task": "regression", "kind": "series", "metric": "mae"}
    return RunView({"eval_results.json": json.dumps(report)}, arrays, meta)


# ------------------------------------------------------------------ what is done to them


def changed(view: RunView, arrays: Mapping[str, Array | None] | None = None, **meta: Any) -> RunView:
    """The run with other arrays (None takes one away) and other notes."""
    kept = {**view.arrays, **(arrays or {})}
    return RunView(view.artifacts, {n: v for n, v in kept.items() if v is not None}, {**view.meta, **meta})


def finding(name: str, view: RunView) -> Finding:
    return checks()[name].run(view)


def noticed(name: str, view: RunView, *statistics: str, verdict: str = "fail") -> Finding:
    """The check says so, and one of the statistics says why, decisively or among the worst."""
    found = finding(name, view)
    assert found.verdict == verdict, found
    named = {found.statistic, *(word for word, _ in found.worst)}
    assert named & set(statistics), found
    return found


RUNS = {"tabular": tabular, "image": image, "text": prose, "series": series}


def test_the_eight_checks_are_the_contracts() -> None:
    assert tuple(checks()) == SANITY_CHECKS


@pytest.mark.parametrize("name", SANITY_CHECKS)
@pytest.mark.parametrize("kind", RUNS)
def test_healthy_runs_do_not_fail(kind: str, name: str) -> None:
    found = finding(name, RUNS[kind]())
    assert found.verdict != "fail", found
    if found.verdict == "not_applicable":
        assert (kind, name) in {
            ("series", "gradient_norms"),
            ("series", "loss_trajectory"),
            ("series", "encoder_version_match"),
        }, found
    else:
        assert found.summary.endswith(".") and found.compared and found.threshold is not None
        assert found.healthy.startswith(("at most ", "at least "))
    json.dumps(found.as_dict())


@pytest.mark.parametrize("name", SANITY_CHECKS)
def test_nothing_to_look_at_is_not_applicable(name: str) -> None:
    found = finding(name, RunView({}))
    assert (found.verdict, found.value) == ("not_applicable", None)


@pytest.mark.parametrize("name", SANITY_CHECKS)
def test_findings_repeat(name: str) -> None:
    assert finding(name, tabular(3)) == finding(name, tabular(3))


def test_what_is_kept_is_kept_by_contents() -> None:
    asked: list[str] = []

    @kept
    def total(word: str, rows: Array, others: tuple[Array, ...]) -> float:
        asked.append(word)
        if not rows.size:
            raise ValueError("nothing to add up")
        return float(rows.sum() + sum(part.sum() for part in others))

    rows = np.arange(6.0).reshape(2, 3)
    assert total("a", rows, (rows,)) == total("a", rows.copy(), (rows.copy(order="F"),)) == 30.0
    assert asked == ["a"]
    changed = rows.copy()
    changed[1, 2] = np.nextafter(5.0, 6.0)
    for unlike in (changed, rows.T, rows.reshape(-1), rows.astype(np.float32), -rows, rows[:, ::-1]):
        total("a", unlike, (rows,))
        total("a", rows, (unlike,))
    assert len(asked) == 13
    for _ in range(2):
        with pytest.raises(ValueError, match="nothing"):
            total("a", np.empty(0), ())
    assert len(asked) == 15
    held = weakref.ref(big := np.ones(1000))
    total("b", big, ())
    del big
    assert held() is None, "what is kept must not hold the arrays"


@pytest.mark.parametrize("kind", RUNS)
def test_what_is_kept_of_a_twin_changes_no_finding(kind: str) -> None:
    view = RUNS[kind]()
    bent = dict(view.arrays)
    bent["test.features"] = bent["test.features"][::-1].copy()
    twin = RunView(view.artifacts, bent, view.meta)
    code = "import json, pickle, sys; from mlops_debugger.forge.unit import look;"
    code += "from mlops_debugger.checks import RunView;"
    code += "print(json.dumps(look(RunView(*pickle.load(sys.stdin.buffer)))))"
    told = pickle.dumps((dict(twin.artifacts), bent, dict(twin.meta)))
    alone = subprocess.run([sys.executable, "-c", code], input=told, stdout=subprocess.PIPE, check=True).stdout
    look(view)
    assert json.dumps(look(twin)) == alone.decode().strip()


def test_every_statistic_has_a_floor() -> None:
    for check in SANITY_CHECKS:
        for limits in _bands.floors(check).values():
            assert limits.excess(limits.warn, limits.fail) <= 1.0
            assert limits.verdict(limits.healthy) == "pass" or limits.scale == "log"


# ------------------------------------------------------------------ labels


def test_permuted_evaluation_targets() -> None:
    view = tabular()
    renamed = {
        f"{s}.target": np.array([1.0, 2.0, 0.0])[view.arrays[f"{s}.target"].astype(int)] for s in ("validation", "test")
    }
    found = noticed("label_consistency", changed(view, renamed), "renaming_gain", "remapped_targets")
    assert found.statistic in ("renaming_gain", "remapped_targets", "misnamed_targets")


def test_shuffled_evaluation_targets() -> None:
    view = image()
    mixed = np.random.default_rng(1).permutation(view.arrays["test.target"])
    noticed(
        "label_consistency",
        changed(view, {"test.target": mixed, "test.source_target": None}),
        "dependence",
        "dependence_gap",
    )


def test_relabelled_training_rows_at_the_end_of_the_file() -> None:
    view = image()
    target = view.arrays["train.target"].copy()
    tail = len(target) * 2 // 3
    target[tail:] = np.random.default_rng(2).permutation(target[tail:])
    statistics = ("change_point", "contradicted_training", "confused_pair_gap")
    found = noticed(
        "label_consistency", changed(view, {"train.target": target, "train.source_target": None}), *statistics
    )
    assert "%" in found.summary


def test_label_map_fingerprints_and_names() -> None:
    prints = {"label_map": {"train": "3fa9c1d2e4b5", "evaluation": "000000000000"}}
    found = noticed("label_consistency", changed(tabular(), fingerprints=prints), "label_map_differences")
    assert found.statistic == "label_map_differences"
    assert (
        noticed("encoder_version_match", changed(tabular(), fingerprints=prints), "differing_components").worst[0][0]
        == "label_map"
    )
    lists = {"train": ["label 0", "label 1", "label 2"], "evaluation": ["label 2", "label 1", "label 0"]}
    noticed("label_consistency", changed(tabular(), classes=lists), "class_list_differences")


def test_rows_without_label_that_have_a_target() -> None:
    raw = tabular().arrays["train.source_target"].copy()
    raw[::10] = -1
    noticed("label_consistency", changed(tabular(), {"train.source_target": raw}), "targets_without_label")


def test_targets_at_another_offset_of_the_series() -> None:
    view = series()
    later = view.arrays["source.series"][view.arrays["test.time"].astype(int)[:, None] + np.arange(0, 4)]
    noticed("label_consistency", changed(view, {"test.target": later}), "offset_differences")


# ------------------------------------------------------------------ leakage


def test_rows_in_two_splits() -> None:
    view = tabular()
    both = {}
    for part in ("row_id", "row_hash", "features", "target", "prediction", "score", "source_target"):
        test = view.arrays[f"test.{part}"].copy()
        test[:60] = view.arrays[f"train.{part}"][:60]
        both[f"test.{part}"] = test
    noticed("data_leakage", changed(view, both), "row_id_overlap")
    del both["test.row_id"]
    noticed("data_leakage", changed(view, both), "equal_rows")
    missed = both["test.prediction"].copy()
    missed[60:] = (missed[60:] + 1) % 3
    noticed("data_leakage", changed(view, {**both, "test.prediction": missed}), "seen_rows_lead")
    near = both["test.features"] + np.random.default_rng(0).normal(size=both["test.features"].shape) * 0.01
    noticed("data_leakage", changed(view, {"test.features": near}), "near_rows")


def test_few_distinct_rows_are_no_leak() -> None:
    """Equal inputs that chance explains do not count: low-cardinality tables are full of them."""
    rng = np.random.default_rng(0)
    arrays: Arrays = {}
    for split, n in (("train", 900), ("validation", 300), ("test", 300)):
        rows = rng.integers(0, 3, size=(n, 4)).astype(float)
        arrays |= {f"{split}.features": rows, f"{split}.row_hash": _hashes(rows)}
    assert finding("data_leakage", RunView({}, arrays)).verdict == "pass"


def test_an_input_that_is_the_target() -> None:
    view, told = tabular(), {}
    for split in SPLITS:
        rows = view.arrays[f"{split}.features"].copy()
        rows[:, 5] = view.arrays[f"{split}.target"] + np.random.default_rng(5).normal(size=len(rows)) * 0.05
        told[f"{split}.features"] = rows
    noticed("data_leakage", changed(view, told), "single_input_beyond_rest", "single_input_lead")
    noticed("data_leakage", changed(view, {"train.features": told["train.features"]}), "training_only_relation")


def test_a_strong_input_among_strong_inputs_is_no_leak() -> None:
    """In easy data many inputs tell the class: one that tells no more than the others is not why."""
    view, told = tabular(), {}
    for split in SPLITS:
        rows, target = view.arrays[f"{split}.features"].copy(), view.arrays[f"{split}.target"]
        for column in range(8):
            noise = np.random.default_rng([column, SPLITS.index(split)]).normal(size=len(rows))
            rows[:, column] = (target == column % 3) + noise * 0.35
        told[f"{split}.features"] = rows
    noticed("data_leakage", changed(view, told), "single_input_separation", verdict="warn")


def test_held_out_rows_before_the_last_training_row() -> None:
    view = series()
    time = np.random.default_rng(0).permutation(np.concatenate([view.arrays[f"{s}.time"] for s in SPLITS]))
    cuts = np.cumsum([len(view.arrays[f"{s}.time"]) for s in SPLITS])[:2]
    mixed = {f"{s}.time": np.sort(part) for s, part in zip(SPLITS, np.split(time, cuts), strict=True)}
    noticed("data_leakage", changed(view, mixed), "time_overlap")


def _one_step(**shifts: int) -> RunView:
    """The series with a one-step target and three lags as inputs; `shifts` moves the lags of a split."""
    values, arrays = series().arrays["source.series"], {}
    for split, (low, high) in {"train": (30, 700), "validation": (700, 900), "test": (900, 1150)}.items():
        at, off = np.arange(low, high), shifts.get(split, 0)
        rows = np.stack([values[at - lag + off] for lag in (3, 4, 8)], axis=1)
        noise = np.random.default_rng(low).normal(size=len(at))
        arrays |= {f"{split}.features": rows, f"{split}.target": values[at], f"{split}.prediction": values[at] + noise}
        arrays[f"{split}.time"] = at.astype(float)
    return RunView({}, arrays, {"task": "regression", "kind": "series", "feature_names": ["lag_3", "lag_4", "lag_8"]})


def test_lagged_inputs_that_know_another_target() -> None:
    assert finding("label_consistency", _one_step()).verdict == "pass"
    assert finding("data_leakage", _one_step()).verdict != "fail"
    noticed("label_consistency", _one_step(test=1), "lag_differences", "lag_unlike_name")
    shifted = _one_step(train=1, validation=1, test=1)
    assert "lag_8 repeats the target of 7 positions" in noticed("label_consistency", shifted, "lag_unlike_name").summary
    ahead = _one_step(train=5, validation=5, test=5)
    noticed("data_leakage", ahead, "later_target_match")
    card = RunView({"model_card.json": '{"forecast": {"steps_ahead": 6}}'}, _one_step().arrays, _one_step().meta)
    noticed("data_leakage", card, "lag_below_horizon")


# ------------------------------------------------------------------ gradients and losses


def test_gradients_out_of_range() -> None:
    view = tabular()
    layers = view.arrays["epoch.layer_grad_norm"] * [1e-5, 1.0]
    noticed("gradient_norms", changed(view, {"epoch.layer_grad_norm": layers}), "first_to_last_low")
    still = view.arrays["epoch.layer_update_ratio"] * [0.0, 1.0]
    assert (
        "hidden"
        in noticed("gradient_norms", changed(view, {"epoch.layer_update_ratio": still}), "unmoved_layers").summary
    )
    noticed("gradient_norms", changed(view, trainable=[False, True]), "layers_without_updates")
    norms = view.arrays["epoch.grad_norm"].copy()
    norms[3] = np.inf
    noticed("gradient_norms", changed(view, {"epoch.grad_norm": norms}), "nonfinite_norms")
    noticed("gradient_norms", changed(view, {"epoch.zero_share": np.full(14, 0.97)}), "zero_share")


def test_odd_loss_curves() -> None:
    view = tabular()
    curve = view.arrays["epoch.train_loss"]
    noticed("loss_trajectory", changed(view, {"epoch.train_loss": np.full(14, curve[0])}), "loss_drop", "flat_epochs")
    noticed("loss_trajectory", changed(view, {"epoch.val_loss": np.linspace(0.6, 3.0, 14)}), "validation_rise")
    noticed("loss_trajectory", changed(view, {"initial.loss": np.array([40.0])}), "first_loss_high")
    noticed("loss_trajectory", changed(view, {"epoch.lr": 0.1 * 0.1 ** np.arange(14.0)}), "low_rate_epochs")
    noticed("loss_trajectory", changed(view, {"epoch.train_loss": 1.1 - 0.8 * np.linspace(0, 1, 14) ** 3}), "late_drop")
    noticed("loss_trajectory", changed(view, steps_per_epoch=1, batch_size=32), "rows_per_epoch_low", "steps_per_epoch")
    noticed("loss_trajectory", changed(view, ended="diverged"), "nonfinite_losses")
    pattern = np.tile(np.linspace(1.5, 0.2, 29), 14)
    noticed("loss_trajectory", changed(view, {"step.loss": pattern}), "position_effect")


# ------------------------------------------------------------------ classes, inputs, encoders


def test_classes_out_of_proportion() -> None:
    view = image()
    few = view.arrays["test.target"].argsort(kind="stable")[:120]
    cut = {n: v[few] for n, v in view.arrays.items() if n.startswith("test.")}
    noticed("class_balance", changed(view, cut), "split_distance")
    noticed("class_balance", changed(view, {"test.prediction": np.zeros(240)}), "never_predicted", "predicted_distance")
    noticed("class_balance", changed(view, rows={"source": 6000, "prepared": 6000}), "unused_rows")
    source = view.arrays["source.class_counts"] * np.array([3.0] + [1.0] * 9)
    assert (
        "label 0"
        in noticed("class_balance", changed(view, {"source.class_counts": source}), "removed_by_class").summary
    )


def test_inputs_that_differ_between_splits() -> None:
    view = tabular()
    shifted = view.arrays["test.features"].copy()
    shifted[:, 2] += 2.0
    assert (
        "n2"
        in noticed("feature_statistics", changed(view, {"test.features": shifted}), "mean_shift", "ks_distance").summary
    )
    swapped = view.arrays["test.features"].copy()
    swapped[:, [0, 5]] = swapped[:, [5, 0]]
    noticed("feature_statistics", changed(view, {"test.features": swapped}), "relation_change")
    holes = view.arrays["test.features"].copy()
    holes[::7, 1] = np.nan
    noticed("feature_statistics", changed(view, {"test.features": holes}), "nonfinite_share")
    flipped = image().arrays["test.features"].reshape(-1, 8, 8)[:, ::-1].reshape(-1, 64)
    noticed(
        "feature_statistics", changed(image(), {"test.features": flipped}), "mean_image_distance", "relation_change"
    )


def test_texts_that_differ_between_splits() -> None:
    view = prose()
    ids = np.random.default_rng(0).permutation(np.arange(2, 60))
    other = view.arrays["test.features"].copy()
    other[other > 0] = ids[other[other > 0].astype(int) - 2]
    noticed("feature_statistics", changed(view, {"test.features": other}), "token_distance", "relation_change")
    left = np.stack([np.concatenate([row[row == 0], row[row > 0]]) for row in view.arrays["test.features"]])
    noticed("feature_statistics", changed(view, {"test.features": left}), "padding_gap")
    unknown = np.full(240, 0.3)
    noticed("encoder_version_match", changed(view, {"test.unknown_share": unknown}), "unknown_gap")
    noticed("encoder_version_match", changed(view, {"test.curable_share": unknown}), "curable_unknowns")


def test_inputs_of_a_series_in_another_order() -> None:
    view = series()
    rows = np.random.default_rng(0).permutation(view.arrays["test.features"])
    noticed("feature_statistics", changed(view, {"test.features": rows}), "autocorrelation_change")


def test_held_out_inputs_scaled_on_themselves() -> None:
    rows = tabular().arrays["test.features"].copy()
    rows[:, :8] = (rows[:, :8] - rows[:, :8].mean(axis=0)) / rows[:, :8].std(axis=0)
    noticed("encoder_version_match", changed(tabular(), {"test.features": rows}), "self_centred_inputs")


# ------------------------------------------------------------------ metrics


def _reported(view: RunView, **blocks: Any) -> RunView:
    report = json.loads(view.artifacts["eval_results.json"])
    for name, block in blocks.items():
        report[name] = {**report.get(name, {}), **block} if isinstance(block, dict) else block
    return RunView({**view.artifacts, "eval_results.json": json.dumps(report)}, view.arrays, view.meta)


def test_reports_that_disagree() -> None:
    view = tabular()
    wrong = _reported(view, test={"f1": 0.99})
    noticed("metric_gap_analysis", wrong, "reported_unlike_answers")
    train = float(np.mean(view.arrays["train.target"] == view.arrays["train.prediction"]))
    found = noticed("metric_gap_analysis", _reported(view, test={"accuracy": train}), "reported_unlike_answers")
    assert "accuracy on train" in found.summary
    noticed("metric_gap_analysis", _reported(view, test={"n": 12}), "reported_n_difference")
    live = {"n": 300, "accuracy": 0.4, "f1": 0.35}
    assert "live" in noticed("metric_gap_analysis", _reported(view, live=live), "test_over_live").summary
    noticed("metric_gap_analysis", _reported(view, metric="accuracy"), "metric_differs_from_card")
    noticed("metric_gap_analysis", changed(view, evaluated_epoch=1), "evaluated_off_best")
    noticed("metric_gap_analysis", changed(view, {"test.repeat_gap": np.full(300, 0.1)}), "changed_when_repeated")
    flat = np.full_like(view.arrays["test.score"], 1 / 3)
    noticed("metric_gap_analysis", changed(view, {"test.score": flat}), "answers_unlike_scores")


def test_answers_that_a_simple_model_beats() -> None:
    view = tabular()
    target, told = view.arrays["test.target"], view.arrays["test.prediction"].copy()
    told[::3] = (target[::3] + 1) % 3
    kept = {n: v for n, v in view.arrays.items() if not n.startswith("validation.") and n != "test.score"}
    silent = RunView({}, {**kept, "test.prediction": told}, view.meta)
    found = noticed("metric_gap_analysis", silent, "simple_model_lead", "train_over_held_out")
    assert any("a simple model" in said for said in (found.summary, *found.also))
    assert found.as_dict()["p_value"] is not None
    forecasts = series()
    flat = np.full_like(forecasts.arrays["test.prediction"], 20.0)
    noticed("metric_gap_analysis", changed(forecasts, {"test.prediction": flat}), "simple_model_lead")


def test_gaps_of_errors_have_a_sampling_error_too() -> None:
    """Few rows: the same relative gap that fails on many means nothing."""
    view = series()
    error = json.loads(view.artifacts["eval_results.json"])["test"]["mae"]
    live = {"mae": error * 1.5}
    noticed("metric_gap_analysis", _reported(view, live={**live, "n": 900}), "test_over_live")
    assert "test_over_live" not in {
        name for name, _ in finding("metric_gap_analysis", _reported(view, live={**live, "n": 4})).worst
    }
    better = _reported(view, metric="log_mae", validation={"log_mae": 0.4}, live={"log_mae": 8.1, "n": 900})
    better = _reported(better, test={"log_mae": 0.4})
    found = noticed("metric_gap_analysis", better, "test_over_live", "validation_over_live")
    assert "live_over_test" not in {found.statistic, *(name for name, _ in found.worst)}, "an error is better when low"


def test_a_gap_within_the_sampling_error_does_not_count() -> None:
    live = {"n": 25, "f1": json.loads(tabular().artifacts["eval_results.json"])["test"]["f1"] - 0.1}
    assert finding("metric_gap_analysis", _reported(tabular(), live=live)).verdict != "fail"


# ------------------------------------------------------------------ nothing raises

_ODD = st.sampled_from(("empty", "nan", "inf", "huge", "constant", "short", "single", "negative", "matrix", "absent"))


def _spoil(values: Array, how: str) -> Array | None:
    if how == "absent":
        return None
    if how in ("nan", "inf", "huge", "constant"):
        return np.full_like(values, {"nan": np.nan, "inf": -np.inf, "huge": 1e300, "constant": 1.0}[how])
    parts = {"empty": values[:0], "short": values[: len(values) // 3], "single": values[:1], "negative": -values - 0.5}
    return parts[how] if how in parts else np.tile(values.reshape(len(values), -1), (1, 2))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data(), kind=st.sampled_from(sorted(RUNS)))
def test_no_input_raises(data: st.DataObject, kind: str) -> None:
    view = RUNS[kind]()
    arrays = {n: v[:90] if n.startswith(SPLITS) else v for n, v in view.arrays.items()}
    names = data.draw(st.lists(st.sampled_from(sorted(arrays)), min_size=1, max_size=8))
    spoilt = {name: _spoil(arrays[name], data.draw(_ODD)) for name in names}
    odd = (
        st.none()
        | st.integers(-2, 10**30)
        | st.text(max_size=3)
        | st.lists(st.none(), max_size=3)
        | st.just({"train": [None]})
    )
    notes = {key: data.draw(odd) for key in data.draw(st.lists(st.sampled_from(sorted(view.meta)), max_size=4))}
    report = data.draw(
        st.sampled_from(("", "[1]", "{", '{"test": {"n": null, "f1": NaN}}', view.artifacts["eval_results.json"]))
    )
    broken = RunView({"eval_results.json": report, "model_card.json": report}, {}, {})
    broken = RunView(
        broken.artifacts, {k: v for k, v in {**arrays, **spoilt}.items() if v is not None}, {**view.meta, **notes}
    )
    for check in checks().values():
        json.dumps(check.run(broken).as_dict(), allow_nan=False)
