"""Do splits share rows, groups or times, and does an input know the target too well?

Evidence: overlap by row id, equal inputs and near neighbours (against chance from shuffled columns), groups, times;
errors on held-out rows that training has seen against those on others; the strongest single input (rank correlation,
AUC; single tokens of texts) against all others together; one that relates to the target in training only, and repeated
values that stand for a class.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats
from sklearn.model_selection import StratifiedKFold

from mlops_debugger.checks import Finding, NamedCheck, RunView, _bands, _copies, _overlap
from mlops_debugger.checks._association import associations, auc, classifier, fisher, inputs, targets
from mlops_debugger.checks._common import (
    BoolArray,
    FloatArray,
    IntArray,
    Measure,
    feature_kinds,
    feature_names,
    finite,
    is_regression,
    labelled,
    largest,
    pairs,
    ranked,
    sample,
    text,
    vector,
)
from mlops_debugger.checks._kept import kept

_STRONG = 0.9  # |2 AUC - 1| from which a single input is held against all others


def _single_input(view: RunView) -> Iterator[Measure]:
    """The input that alone tells most about the target."""
    if is_regression(view):
        yield from _single_correlation(view)
        return
    rows, names = inputs(view)
    answer = targets(view, "train")
    if "train" not in rows or answer is None or answer[1][-1] >= len(rows["train"]) or len(answer[1]) < 40:
        return
    used = rows["train"][answer[1]]
    shares = answer[0].mean(axis=0)
    usual = [k for k in range(answer[0].shape[1]) if min(shares[k], 1 - shares[k]) >= 0.02]
    if not usual:
        return
    strongest, separation = _separations(used, answer[0], usual)
    strong = [names[j] for j in strongest]
    by_input = separation.max(axis=1)
    at = int(np.argmax(by_input))
    second = float(np.sort(by_input)[-2]) if len(by_input) > 1 else 0.0
    says = (
        f"{strong[at]} alone separates a class from the others with AUC {0.5 + by_input[at] / 2:.3f}; the next best "
        "input reaches "
        f"{0.5 + second / 2:.3f}."
    )
    worst = ranked(strong, 0.5 + by_input / 2)
    where = f"{len(names)} inputs and the target of train"
    yield Measure("single_input_separation", float(by_input[at]), len(used), says, where, worst)
    yield Measure("single_input_lead", float(by_input[at]) - second, len(used), says, where, worst)
    if by_input[at] > _STRONG:
        input_at = strongest[at]
        yield _beyond_rest(view, used, answer[0][:, usual[int(separation[at].argmax())]] > 0, input_at, names[input_at])


@kept
def _separations(rows: FloatArray, answer: FloatArray, usual: list[int]) -> tuple[list[int], FloatArray]:
    """The strongest inputs, and |2 AUC - 1| of each for each of the usual classes."""
    strongest = _strongest(rows, answer)
    values = [[abs(2 * auc(rows[:, j], answer[:, k] > 0) - 1) for k in usual] for j in strongest]
    return strongest, np.array(values)


def _beyond_rest(view: RunView, rows: FloatArray, positive: BoolArray, at: int, name: str) -> Measure:
    """Does a strong input tell more than all others together? In easy data that are sound the others know too."""
    chosen = sample(len(rows), 800, "rest")
    rows, positive = rows[chosen], positive[chosen]
    others = np.delete(rows, at, axis=1)
    alone = max(auc(rows[:, at], positive), auc(-rows[:, at], positive))
    rest = 0.5
    if others.shape[1] and min(positive.sum(), (~positive).sum()) >= 6:
        score = np.zeros(len(positive))
        for used, held in StratifiedKFold(3, shuffle=True, random_state=0).split(others, positive):
            model = classifier(text(view, "kind")).fit(others[used], positive[used])
            part = others[held]
            score[held] = (
                model.predict_proba(part)[:, 1] if hasattr(model, "predict_proba") else model.decision_function(part)
            )
        rest = max(0.5, auc(score, positive))
    error = np.sqrt(sum(_auc_variance(value, positive) for value in (alone, rest)))
    p = float(stats.norm.sf((alone - rest) / error)) if error > 0 else 0.0
    says = (
        f"{name} alone separates a class from the others with AUC {alone:.3f}; a model on all other inputs reaches "
        f"{rest:.3f} out of fold."
    )
    where = f"{len(rows)} rows of train, {others.shape[1]} other inputs"
    return Measure("single_input_beyond_rest", 2 * (alone - rest), len(rows), says, where, ((name, alone),), p)


def _auc_variance(value: float, positive: BoolArray) -> float:
    """After Hanley and McNeil (Radiology 143, 1982)."""
    hits, misses = float(positive.sum()), float((~positive).sum())
    if not hits or not misses:
        return 0.0
    one, two = value / (2 - value), 2 * value**2 / (1 + value)
    spread = value * (1 - value) + (hits - 1) * (one - value**2) + (misses - 1) * (two - value**2)
    return max(spread, 0.0) / (hits * misses)


def _strongest(rows: FloatArray, answer: FloatArray, count: int = 8) -> list[int]:
    """Positions of the inputs with the largest linear correlation, which are worth an exact look."""
    centred, other = rows - rows.mean(axis=0), answer - answer.mean(axis=0)
    norm = np.outer(np.sqrt((centred**2).sum(axis=0)), np.sqrt((other**2).sum(axis=0)))
    strength = np.abs(np.divide(centred.T @ other, norm, out=np.zeros_like(norm), where=norm > 0)).max(axis=1)
    return [int(j) for j in np.argsort(-strength, kind="stable")[:count]]


def _single_correlation(view: RunView) -> Iterator[Measure]:
    found = associations(view).get("train")
    if found is None or found.n < 40 or not found.values.size:
        return
    strength = np.abs(found.values).max(axis=1)
    at = int(np.argmax(strength))
    says = f"{found.names[at]} alone has a rank correlation of {strength[at]:.4f} with the target."
    where = f"{len(strength)} inputs and the target of train"
    yield Measure(
        "unexplained_by_one", 1 - float(strength[at]) ** 2, found.n, says, where, ranked(found.names, strength)
    )


def _training_only(view: RunView) -> Iterator[Measure]:
    """An input that relates to the target in training more than on held-out rows."""
    found = associations(view)
    measures = []
    for first, split in pairs():
        if first not in found or split not in found or not found[first].values.size:
            continue
        one, other = found[first], found[split]
        _, p = fisher(one, other)
        width = min(one.values.shape[1], other.values.shape[1])
        loss = np.abs(one.values[:, :width]) - np.abs(other.values[:, :width])
        at, column = np.unravel_index(int(np.argmax(loss)), loss.shape)
        says = (
            f"{one.names[at]} correlates {one.values[at, column]:+.2f} with the target on train but "
            f"{other.values[at, column]:+.2f} on {split}."
        )
        worst = ranked(one.names, loss.max(axis=1))
        where = f"{len(one.names)} inputs, train and {split}"
        corrected = min(1.0, 2 * float(p[at, column]))
        measures.append(
            Measure("training_only_relation", float(loss[at, column]), other.n, says, where, worst, corrected)
        )
    yield from largest(measures)


def _repeated_values(view: RunView) -> Iterator[Measure]:
    """Do values that repeat inside a continuous input stand for one class each?"""
    pair = labelled(view, "train")
    if pair is None or len(pair[0]) < 100 or text(view, "kind") in ("text", "image"):
        return
    rows, target = pair
    kinds, names = feature_kinds(view, rows.shape[1]), feature_names(view, rows.shape[1])
    numeric = [j for j, kind in enumerate(kinds) if kind == "numeric"]
    values = np.array([_purity(rows[:, j], target) for j in numeric])
    if not values.size:
        return
    at = int(np.argmax(values))
    says = f"Which of its repeated values {names[numeric[at]]} takes tells the class (Cramér's V {values[at]:.2f})."
    worst = ranked([names[j] for j in numeric], values)
    yield Measure(
        "repeated_values_tell_class", float(values[at]), len(rows), says, "repeated values of numeric inputs", worst
    )


def _purity(column: FloatArray, target: IntArray) -> float:
    """Cramér's V of class and value, over the values inside the range that repeat although most do not."""
    values, where, counts = np.unique(column, return_inverse=True, return_counts=True)
    inside = counts >= max(8, len(column) // 200)
    inside[[0, -1]] = False
    if len(values) < len(column) // 4 or inside.sum() < 2:
        return 0.0
    chosen = inside[where]
    table = np.zeros((len(values), int(target.max()) + 1))
    np.add.at(table, (where[chosen], target[chosen]), 1)
    table = table[inside][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return 0.0
    chi2, p = stats.chi2_contingency(table)[:2]
    return float(np.sqrt(chi2 / (table.sum() * (min(table.shape) - 1)))) if p < 0.001 else 0.0


def _file_order(view: RunView) -> Iterator[Measure]:
    """An input that grows with the position in the file."""
    rows, names = inputs(view)
    row = vector(view, "train.row_id")
    if "train" not in rows or row is None or len(row) != len(rows["train"]) or len(row) < 40:
        return
    if text(view, "kind") != "tabular":
        return
    position = stats.rankdata(finite(row))
    strength = np.array([_rank_correlation(column, position) for column in rows["train"].T])
    at = int(np.argmax(strength))
    says = f"{names[at]} has a rank correlation of {strength[at]:.3f} with the row id."
    yield Measure(
        "input_follows_row_id",
        float(strength[at]),
        len(row),
        says,
        "inputs and row ids of train",
        ranked(names, strength),
    )


def _rank_correlation(column: FloatArray, position: FloatArray) -> float:
    ranks = stats.rankdata(column)
    return abs(float(np.corrcoef(ranks, position)[0, 1])) if ranks.std() > 0 and position.std() > 0 else 0.0


PARTS: tuple[_bands.Part, ...] = (
    _overlap.ids,
    _overlap.equal_rows,
    _overlap.near_rows,
    _overlap.groups,
    _overlap.times,
    _overlap.seen_rows,
    _copies.known_too_early,
    _single_input,
    _training_only,
    _repeated_values,
    _file_order,
)


def run(view: RunView) -> Finding:
    """Overlap between splits and inputs that know the target, against chance and the healthy range."""
    return _bands.judge("data_leakage", view, PARTS, "the run saved neither row ids nor inputs of two splits")


CHECK = NamedCheck(run=run)
