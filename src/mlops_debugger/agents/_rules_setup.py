"""Rules about what the config says of data, features, model and evaluation, held against the model card."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlops_debugger.agents._dossier import Dossier, Leaf, config_suspicion, walk, words
from mlops_debugger.agents._suspicion import Suspicion
from mlops_debugger.contract import FailureCategory

_EVALUATION = r"eval|report|test|scor"
_DATA = r"data|source|input"
_LINEAR = ("identity", "linear", "none", "null")


# ------------------------------------------------------------------ evaluation


def evaluated_split(run: Dossier) -> Iterator[Suspicion]:
    for leaf in run.find(r"split|on|subset|partition", _EVALUATION):
        if isinstance(leaf.value, str) and re.match(r"train|fit|val|dev", leaf.value.lower()):
            why = f"the test figures are computed on {leaf.value}"
            yield from config_suspicion(9.5, "evaluation_bug", leaf, "test", why)


def evaluated_checkpoint(run: Dossier) -> Iterator[Suspicion]:
    for leaf in run.find(r"checkpoint|ckpt|weights|snapshot|model", _EVALUATION):
        if isinstance(leaf.value, str) and leaf.value.lower() not in ("best", "last", "final", "latest", "selected"):
            why = f"the evaluation is pinned to {leaf.value}"
            yield from config_suspicion(9, "evaluation_bug", leaf, "best", why)


def top_k(run: Dossier) -> Iterator[Suspicion]:
    for leaf in run.find(r"top_?k|k", _EVALUATION):
        if isinstance(leaf.value, int) and leaf.value > 1:
            why = f"an answer among the first {leaf.value} counts as right"
            yield from config_suspicion(9, "evaluation_bug", leaf, 1, why)


def averaging(run: Dossier) -> Iterator[Suspicion]:
    agreed = next((value for _, value in run.card_values(r"average") if isinstance(value, str)), None)
    for leaf in run.find(r"average|averaging"):
        if agreed is not None and isinstance(leaf.value, str):
            why = f"{leaf.value} averaging, agreed was {agreed}"
            yield from config_suspicion(9, "evaluation_bug", leaf, agreed, why)


# ------------------------------------------------------------------ data and features


def label_column(run: Dossier) -> Iterator[Suspicion]:
    agreed = [value.get("column") for _, value in run.card_values(r"label|target") if isinstance(value, dict)]
    column = next((value for value in agreed if isinstance(value, str)), None)
    for leaf in run.find(r"label|target|label_column|target_column", _DATA):
        if column is not None and isinstance(leaf.value, str):
            why = f"labels are read from {leaf.value}, agreed was {column}"
            yield from config_suspicion(9.5, "label_mismatch", leaf, column, why)


def late_columns(run: Dossier) -> Iterator[Suspicion]:
    """Inputs that the card says are not known yet when a prediction is due."""
    late: set[str] = set()
    for _, value in run.card_values(r"known.*|available.*"):
        if isinstance(value, str) and (match := re.search(r"(?:except|but not|without)\s+(.*)", value)):
            late.update(words(match[1]))
    for leaf in run.leaves:
        if isinstance(leaf.value, list) and (found := [name for name in leaf.value if name in late]):
            kept = [name for name in leaf.value if name not in late]
            why = f"{', '.join(found)} is only known after the outcome"
            yield from config_suspicion(9.5, "data_leakage", leaf, kept, why)


def grouping(run: Dossier) -> Iterator[Suspicion]:
    """No key that keeps relatives in one split, although the policy asks for it."""
    columns = run.stats.get("source", {}).get("columns") if isinstance(run.stats.get("source"), dict) else None
    if "exactly one split" not in run.card_text or not isinstance(columns, list):
        return
    keys = [name for name in columns if str(name).endswith("_id") and name != "row_id"]
    keys.sort(key=lambda name: str(name).removesuffix("_id") not in run.card_text)
    for leaf in run.find(r".*(group|together|customer_key|entity).*"):
        if leaf.value in (None, "", "row_id") and keys:
            why = "rows of one owner may fall into several splits"
            yield from config_suspicion(9, "data_leakage", leaf, keys[0], why)


def time_order(run: Dossier) -> Iterator[Suspicion]:
    for leaf in run.find(r"strategy|split|method", r"data|split"):
        if leaf.value in ("random", "shuffle", "shuffled") and re.search(r"in time|chronolog", run.card_text):
            why = f"a {leaf.value} split of rows that follow one another in time"
            yield from config_suspicion(9, "data_leakage", leaf, "time", why)


def horizon(run: Dossier) -> Iterator[Suspicion]:
    """Lags that are shorter than the horizon do not exist yet when a forecast is asked for."""
    ahead = run.first(r"horizon|steps_ahead")
    agreed = next((value for _, value in run.card_values(r"steps_ahead|horizon") if isinstance(value, int)), None)
    if ahead is not None and isinstance(agreed, int):
        why = f"the horizon is {ahead.value}, agreed was {agreed}"
        yield from config_suspicion(8, "data_leakage", ahead, agreed, why)
    for leaf in run.find(r"lags?"):
        lags = leaf.value if isinstance(leaf.value, list) else []
        steps = agreed if agreed is not None else ahead.value if ahead is not None else None
        if not isinstance(steps, int) or not lags or not all(isinstance(lag, int) for lag in lags):
            continue
        short = [lag for lag in lags if lag < steps]
        if short:
            kept = sorted({*(steps + step for step in range(len(short))), *(lag for lag in lags if lag >= steps)})
            why = f"lags {short} are shorter than the horizon of {steps}"
            yield from config_suspicion(9.5, "data_leakage", leaf, kept, why)


# ------------------------------------------------------------------ model


def narrow(run: Dossier) -> Iterator[Suspicion]:
    for leaf in run.find(r"hidden(_(dims?|units?|sizes?|layers|widths?))?|widths?|layers|units|layer_sizes"):
        sizes = leaf.value if isinstance(leaf.value, list) else []
        if sizes and all(isinstance(size, int) for size in sizes) and min(sizes) < 4:
            usual = max(64, *sizes)
            why = f"a layer of {min(sizes)} lets next to nothing through"
            yield from config_suspicion(
                9.5, "architecture_bug", leaf, [usual if size < 4 else size for size in sizes], why
            )
        elif leaf.number is not None and leaf.number < 4 and "hidden" in leaf.name:
            yield from config_suspicion(9, "architecture_bug", leaf, 48, f"{leaf.value} hidden units")


def activations(run: Dossier) -> Iterator[Suspicion]:
    for leaf in run.find(r"(hidden_)?activation|nonlinearity"):
        if str(leaf.value).lower() in _LINEAR:
            why = "without a non-linear activation the network is one linear map"
            yield from config_suspicion(9.5, "architecture_bug", leaf, "relu", why)
    for leaf in run.find(r"(output|final|last|head)_activation"):
        if str(leaf.value).lower() not in _LINEAR and not isinstance(
            run.results.get("test", {}).get("confusion"), list
        ):
            why = f"a {leaf.value} at the output cannot give every value of the target"
            yield from config_suspicion(9.5, "architecture_bug", leaf, "identity", why)


def frozen(run: Dossier) -> Iterator[Suspicion]:
    for leaf in run.find(r"fr(ee|o)ze.*"):
        if isinstance(leaf.value, list) and leaf.value:
            why = f"{', '.join(map(str, leaf.value))} never trains"
            yield from config_suspicion(9, "architecture_bug", leaf, [], why)
        elif leaf.value is True:
            yield from config_suspicion(9, "architecture_bug", leaf, False, "part of the model never trains")


def filters(run: Dossier) -> Iterator[Suspicion]:
    for leaf in run.find(r"kernel(_size)?|filter_size|window", r"model|net"):
        if leaf.value == 1:
            why = "a filter of size 1 sees no neighbours"
            yield from config_suspicion(9, "architecture_bug", leaf, 3, why)
    for leaf in run.find(r"(first_)?strides?"):
        if leaf.number is not None and leaf.number > 2:
            why = f"a stride of {leaf.value} skips most of the input"
            yield from config_suspicion(8, "architecture_bug", leaf, 1, why)
    for leaf in run.find(r"(bn|norm|batch_?norm)_momentum"):
        if leaf.number is not None and not 0.02 <= leaf.number <= 0.6:
            why = f"running statistics with momentum {leaf.value} follow too slowly or not at all"
            yield from config_suspicion(9, "architecture_bug", leaf, 0.1, why)
    for leaf in run.find(r"channels|filters|embedding(_dim)?|embed_dim"):
        if leaf.number is not None and leaf.number <= 2:
            yield from config_suspicion(8, "architecture_bug", leaf, 16, f"{leaf.path} of {leaf.value} is too small")


def agreed_ranges(run: Dossier) -> Iterator[Suspicion]:
    """Whatever else the card gives a range for, under the same name as the config."""
    for path, value in walk(run.card):
        name = path.rpartition(".")[2].lower()
        if not isinstance(value, list) or len(value) != 2 or not all(isinstance(item, int | float) for item in value):
            continue
        if name in ("lr", "learning_rate", "epochs") or "learning_rate" in path:
            continue
        for leaf in run.leaves:
            if leaf.name == name and leaf.number is not None and not value[0] <= leaf.number <= value[1]:
                why = f"{leaf.path} is {leaf.value}, agreed was {value[0]} to {value[1]}"
                yield from config_suspicion(8.5, _category(leaf), leaf, _inside(leaf.value, value), why)


def _inside(value: object, bounds: list[float]) -> float:
    middle = (bounds[0] * bounds[1]) ** 0.5 if bounds[0] > 0 else sum(bounds) / 2
    return round(middle) if isinstance(value, int) else float(f"{middle:.2g}")


def _category(leaf: Leaf) -> FailureCategory:
    """The category of a key that no rule of its own stands behind: it follows the section."""
    if re.search(r"model|net|arch", leaf.section):
        return "architecture_bug"
    if re.search(_EVALUATION, leaf.section):
        return "evaluation_bug"
    if re.search(r"token|feature|prep|crop|augment|input", leaf.section):
        return "preprocessing_bug"
    return "data_leakage" if re.search(r"data|split", leaf.section) else "config_error"


RULES = (
    evaluated_split, evaluated_checkpoint, top_k, averaging,
    label_column, late_columns, grouping, time_order, horizon,
    narrow, activations, frozen, filters, agreed_ranges,
)  # fmt: skip
