"""Rules about features in preprocessing.py: windows, encoders, casts, and both sides of the data path."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mlops_debugger.agents._dossier import Dossier
from mlops_debugger.agents._source import Function, Source, called, code_suspicion, literal
from mlops_debugger.agents._suspicion import Suspicion

_NAMES = r"label|target|order|name|decode|split"


def _sides(source: Source) -> Iterator[tuple[Function, Function]]:
    """(training function, evaluation function) that prepare the same kind of thing."""
    for train in source.functions:
        kind = re.sub(r"_?(train(ing)?|fit)_?", "", train.name)
        if not train.trains or kind == train.name or re.search(_NAMES, train.name):
            continue
        for other in source.functions:
            if (
                other.evaluates
                and re.sub(r"_?(eval(uation)?|serv(ing|ed)?|test|valid(ation)?)_?", "", other.name) == kind
            ):
                yield train, other


def sorted_columns(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Evaluation columns in another order than the one that was fitted."""
    for function in source.functions:
        if not function.evaluates:
            continue
        for node in ast.walk(function.node):
            keep: ast.expr | None = None
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Call) and called(node.slice) == "sorted":
                keep = node.value
            elif isinstance(node, ast.Call) and called(node) in ("sort_index", "sort_values"):
                keep = node.func.value if isinstance(node.func, ast.Attribute) else None
            if keep is not None:
                after = source.replaced((node, source.segment(keep)))
                name = called(node) if isinstance(node, ast.Call) else "sorted"
                why = "evaluation columns are sorted, training columns keep the configured order"
                yield from code_suspicion(source, 9, "preprocessing_bug", f"{function.name}.{name}", after, why)


def missing_transform(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """A fitted transformer that training applies and evaluation leaves out."""
    for train, other in _sides(source):
        for scaler in _applied(source, train) - _applied(source, other):
            call = next(iter(other.calls("to_numpy", "values", "asarray")), None)
            if call is None or not isinstance(call.func, ast.Attribute):
                continue
            table = source.segment(call.func.value if called(call) != "asarray" else call.args[0])
            after = source.replaced((call, f"{scaler}.transform({table})"))
            why = f"{train.name} applies {scaler}, {other.name} does not"
            yield from code_suspicion(source, 9.5, "preprocessing_bug", f"{other.name}.{called(call)}", after, why)


def _applied(source: Source, function: Function) -> set[str]:
    """Fitted parts of a state that are applied, such as `encoders.scaler`."""
    owners = (call.func.value for call in function.calls("transform") if isinstance(call.func, ast.Attribute))
    return {source.segment(owner) for owner in owners if isinstance(owner, ast.Attribute)}


def centred_window(run: Dossier, source: Source) -> Iterator[Suspicion]:
    for function in source.functions:
        for call in function.calls("rolling"):
            keyword = next((item for item in call.keywords if item.arg == "center"), None)
            if keyword is not None and literal(keyword.value) is True:
                kept = [*map(source.segment, call.args)]
                kept += [f"{k.arg}={source.segment(k.value)}" for k in call.keywords if k is not keyword]
                after = source.replaced((call, f"{source.segment(call.func)}({', '.join(kept)})"))
                why = "a centred window looks ahead of its row"
                yield from code_suspicion(source, 9.5, "data_leakage", f"{function.name}.center", after, why)


def in_sample_encoding(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """An encoder that uses the targets, fitted on rows and applied to the same rows without cross-fitting."""
    for function in source.functions:
        for call in function.calls("transform"):
            inner = call.func.value if isinstance(call.func, ast.Attribute) else None
            if not isinstance(inner, ast.Call) or called(inner) != "fit" or len(inner.args) != 2:
                continue
            if [source.segment(a) for a in call.args] == [source.segment(inner.args[0])]:
                owner = source.segment(inner.func).removesuffix(".fit")
                given = ", ".join(map(source.segment, inner.args))
                after = source.replaced((call, f"{owner}.fit_transform({given})"))
                why = "every training row sees its own target in the mean of its category"
                yield from code_suspicion(source, 9.5, "data_leakage", f"{function.name}.fit", after, why)


def integer_casts(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Fractions that are cut off, or differences of unsigned bytes that wrap round."""
    for function in source.functions:
        if re.search(r"cop(y|ies)|augment|label|target|decode", function.name):
            continue
        for call in function.calls("astype"):
            kind = source.segment(call.args[0]) if call.args else ""
            inner = call.func.value if isinstance(call.func, ast.Attribute) else None
            if inner is None or isinstance(inner, ast.Compare) or not re.search(r"u?int|\.dtype", kind):
                continue
            text = source.segment(inner)
            why = f"{text} is cast to {kind}, so that fractions are lost or values wrap round"
            after = source.replaced((call, f"{text}.astype(float)"))
            yield from code_suspicion(source, 8.5, "preprocessing_bug", f"{function.name}.astype", after, why)


RULES = (sorted_columns, missing_transform, centred_window, in_sample_encoding, integer_casts)
