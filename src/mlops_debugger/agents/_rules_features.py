"""Rules about features in preprocessing.py: windows, and both sides of the data path."""

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


RULES = (missing_transform, centred_window)
