"""Rules about labels in preprocessing.py: how they are read, numbered, named, and paired with predictions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mlops_debugger.agents._dossier import Dossier
from mlops_debugger.agents._source import Function, Source, called, code_suspicion
from mlops_debugger.agents._suspicion import Suspicion

_SHUFFLES = ("permutation", "shuffle", "permuted", "randperm")
_REFITS = ("factorize", "unique", "get_dummies", "fit_transform", "LabelEncoder", "value_counts")
_MAP = re.compile(r"ids|map|index|lookup|positions|codes|classes|names")


def shuffled_order(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Rows are scored in another order than their targets."""
    for function in source.functions:
        if not function.evaluates or "split" in function.name:
            continue
        for node in ast.walk(function.node):
            value = node.value if isinstance(node, ast.Return) else None
            if isinstance(value, ast.Call) and called(value) in _SHUFFLES and function.parameters:
                after = source.replaced((value, f"np.arange({function.parameters[0]})"))
                field = f"{function.name}.{called(value)}"
                why = "evaluation rows are scored in random order, their targets stay in file order"
                yield from code_suspicion(source, 9.5, "evaluation_bug", field, after, why)


def sorted_names(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """A class list or vocabulary in alphabetical order where the order of training counts."""
    for function in source.functions:
        if function.trains or re.search(r"column|feature", function.name):
            continue
        for call in function.calls("sorted", "set"):
            if call.keywords or len(call.args) != 1 or not isinstance(call.args[0], ast.Attribute):
                continue
            inner = source.segment(call.args[0])
            mapping = re.search(r"ids|map|index|lookup", call.args[0].attr)
            after = source.replaced((call, f"sorted({inner}, key={inner}.get)" if mapping else inner))
            label = bool(re.search(r"decode|name|label|class|target|code|queue", function.name + call.args[0].attr))
            why = f"{inner} is put into alphabetical order, training numbered it otherwise"
            yield from code_suspicion(
                source, 9, "label_mismatch" if label else "preprocessing_bug", f"{function.name}.sorted", after, why
            )


def renumbered_targets(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Evaluation targets that are numbered anew instead of with the map of training."""
    function = source.function(r"(eval|valid|test).*(target|label)|(target|label).*(eval|valid|test)")
    if function is None or len(function.parameters) < 2:
        return
    numbering = [called(call) for call in function.calls(*_REFITS)]
    numbering += [
        node.attr for node in ast.walk(function.node) if isinstance(node, ast.Attribute) and node.attr == "cat"
    ]
    if not numbering:
        return
    state = function.parameters[-1]
    statements = [item for item in function.node.body if not _is_doc(item)]
    after = _rewritten(source, statements, f"return {_encode(source, function, state)}")
    why = "evaluation targets are numbered by what occurs in the evaluation rows"
    yield from code_suspicion(source, 9.5, "label_mismatch", f"{function.name}.{numbering[0]}", after, why)


def _encode(source: Source, function: Function, state: str) -> str:
    """Encoding with the map that other functions read from the fitted state."""
    frame, label = function.parameters[0], function.parameters[1]
    used = [attr for other in source.functions for attr in sorted(other.attributes(state)) if _MAP.search(attr)]
    maps = [attr for attr in used if re.search(r"ids|map|index|lookup", attr)]
    if maps or not used:
        return f"{frame}[{label}].map({state}.{maps[0] if maps else 'label_ids'}).to_numpy()"
    return f"np.array([{state}.{used[0]}.index(name) for name in {frame}[{label}]])"


def filled_labels(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Rows without a label get one."""
    for function in source.functions:
        label = next((name for name in function.parameters if re.search(r"label|target", name)), None)
        if label is None or not list(function.calls("fillna", "ffill", "bfill")):
            continue
        frame = function.parameters[0]
        statements = [item for item in function.node.body if not _is_doc(item)]
        others = function.parameters[1 : function.parameters.index(label)]
        if others:
            kept = ", ".join([f"{frame}[keep].reset_index(drop=True)", *(f"{name}[keep]" for name in others)])
            lines = [f"keep = {frame}[{label}].notna().to_numpy()", f"return {kept}"]
        else:
            lines = [f"return {frame}.dropna(subset=[{label}]).reset_index(drop=True)"]
        why = "rows whose label is missing are given one instead of being left out"
        after = _rewritten(source, statements, "\n".join(lines))
        yield from code_suspicion(source, 9, "label_mismatch", f"{function.name}.fillna", after, why)


def _is_doc(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _rewritten(source: Source, statements: list[ast.stmt], lines: str) -> str:
    """The statements of a body, one after the other, replaced by these lines."""
    if not statements:
        return source.text
    indent = " " * statements[0].col_offset
    new = lines.replace("\n", f"\n{indent}").split("\n")
    text = source.text.split("\n")
    first, last = statements[0].lineno - 1, (statements[-1].end_lineno or statements[-1].lineno) - 1
    new[0] = indent + new[0]
    return "\n".join([*text[:first], *new, *text[last + 1 :]])


RULES = (shuffled_order, sorted_names, renumbered_targets, filled_labels)
