"""Rules that hold the evaluation side of preprocessing.py against its training side."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mlops_debugger.agents._dossier import Dossier
from mlops_debugger.agents._source import Function, Source, called, code_suspicion, literal
from mlops_debugger.agents._suspicion import Suspicion

_CUTTERS = ("words_of", "tokenize", "tokens_of", "split_words")
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


def extra_scaling(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """A constant by which evaluation divides and training does not, or a scaling that is applied twice."""
    for train, other in _sides(source):
        known = {value for node in ast.walk(train.node) if (value := _factor(node)) is not None}
        for node in ast.walk(other.node):
            if (
                isinstance(node, ast.BinOp)
                and (value := _factor(node)) is not None
                and value not in known
                and value != 1
            ):
                after = source.replaced((node, source.segment(node.left)))
                why = f"{other.name} scales by {value:g}, {train.name} does not"
                yield from code_suspicion(
                    source, 9, "preprocessing_bug", f"{other.name}.{_target(other, node)}", after, why
                )
        seen: dict[str, ast.Assign] = {}
        for statement in other.node.body:
            if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.BinOp):
                continue
            used = " ".join(sorted(re.findall(r"\w+\.(\w+)", source.segment(statement.value))))
            if used in seen and used:
                name = source.segment(statement.targets[0])
                after = source.replaced((statement.value, name))
                why = f"{other.name} applies {used} twice"
                yield from code_suspicion(source, 8.5, "preprocessing_bug", f"{other.name}.{name}", after, why)
            seen[used] = statement


def _factor(node: ast.AST) -> float | None:
    """The constant by which a multiplication or division scales."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        value = literal(node.right)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return None


def _target(function: Function, inside: ast.AST) -> str:
    """The variable that the statement around a node assigns."""
    for statement in ast.walk(function.node):
        if isinstance(statement, ast.Assign) and any(node is inside for node in ast.walk(statement)):
            target = statement.targets[0]
            return target.id if isinstance(target, ast.Name) else function.name
    return function.name


def inverted_choice(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Training inverts the rows that a flag marks; evaluation inverts the others, or all of them."""
    for train, other in _sides(source) if source else ():
        if "1.0 - " not in source.segment(train.node):
            continue
        for call in other.calls("where"):
            if len(call.args) != 3:
                continue
            condition, yes, no = (source.segment(argument) for argument in call.args)
            flag = condition.removeprefix("~").strip("() ")
            plain = next((text for text in (yes, no) if "1" not in text), None) or yes.rpartition("-")[2].strip()
            inverse = f"1.0 - {plain}"
            right = (flag, inverse, plain) if not condition.startswith("~") else (condition, plain, inverse)
            if (condition, yes, no) != right:
                after = source.replaced((call, f"{source.segment(call.func)}({', '.join(right)})"))
                why = f"{other.name} inverts other rows than {train.name}"
                yield from code_suspicion(source, 8.5, "preprocessing_bug", f"{other.name}.where", after, why)


def exchanged_axes(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Rows and columns of images change places on the evaluation side."""
    for function in source.functions:
        if function.trains:
            continue
        for call in function.calls("transpose"):
            order = [literal(argument) for argument in call.args]
            if order == [0, 3, 2, 1] and isinstance(call.func, ast.Attribute):
                after = source.replaced((call, f"{source.segment(call.func.value)}.transpose(0, 3, 1, 2)"))
                why = "rows and columns change places"
                yield from code_suspicion(source, 9, "preprocessing_bug", f"{function.name}.transpose", after, why)
        for call in function.calls("swapaxes"):
            if len(call.args) == 3:
                array, first, second = (source.segment(argument) for argument in call.args)
                after = source.replaced((call, f"np.moveaxis({array}, {first}, {second})"))
                why = "swapping two axes exchanges rows and columns as well"
                yield from code_suspicion(source, 8, "preprocessing_bug", f"{function.name}.swapaxes", after, why)


def different_reading(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Sibling readers take rows by an index column; one of them does not."""
    readers = [function for function in source.functions if function.name.startswith(("read_", "load_"))]
    keys = [match for f in readers if (match := re.search(r'\[\w+\["(\w+)"\]\.to_numpy\(\)\]', source.segment(f.node)))]
    for other in readers if keys else ():
        column = keys[0][1]
        assigned = [n for n in other.node.body if isinstance(n, ast.Assign)]
        texts = [source.segment(node) for node in assigned]
        frame = next((n for n, text in zip(assigned, texts, strict=True) if "read_csv" in text), None)
        array = next((n for n, text in zip(assigned, texts, strict=True) if "load(" in text), None)
        taken = [node for node in assigned if node not in (frame, array)]
        if f'"{column}"' in source.segment(other.node) or frame is None or array is None or not taken:
            continue
        stored = source.segment(array.targets[0])
        after = source.replaced(
            (taken[-1].value, f'{stored}[{source.segment(frame.targets[0])}["{column}"].to_numpy()]')
        )
        why = f"other readers take rows by {column}, {other.name} by their position"
        yield from code_suspicion(source, 8.5, "preprocessing_bug", f"{other.name}.{stored}", after, why)


def unfolded_case(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Most siblings fold the case of a text before they cut it up; one does not."""
    users = [f for f in source.functions if list(f.calls(*_CUTTERS))]
    folding = [f for f in users if re.search(r"lower|casefold", source.segment(f.node))]
    if len(folding) < 1 or len(folding) == len(users):
        return
    for function in users:
        call = next(function.calls(*_CUTTERS))
        if function not in folding and call.args:
            argument = source.segment(call.args[0])
            after = source.replaced((call.args[0], f"{argument}.lower()"))
            why = f"{folding[0].name} folds the case of its texts, {function.name} does not"
            yield from code_suspicion(source, 9, "preprocessing_bug", function.name + "." + called(call), after, why)


def scale_not_undone(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """What is scaled before training has to be scaled back before it is handed out or scored."""
    forward = source.function(r"^(scale|standardi[sz]e|normali[sz]e)_")
    back = source.function(r"decode|inverse|postprocess|unscale")
    if forward is None or back is None:
        return
    state = forward.parameters[-1]
    spread = sorted(forward.attributes(state) - back.attributes(state), key=lambda name: "mean" in name)
    outputs = back.parameters[0]
    if spread and state in back.parameters:
        after = _scaled_back(source, back, outputs, state, spread)
        why = f"{forward.name} uses {', '.join(spread)}, {back.name} does not undo it"
        yield from code_suspicion(source, 9, "evaluation_bug", f"{back.name}.{outputs}", after, why)
    for function in source.functions:
        takes_all = set(back.parameters) <= set(function.parameters)
        if function.evaluates and function is not back and takes_all and not list(function.calls(back.name)):
            yield from _scored_unscaled(source, function, back)


def _scaled_back(source: Source, back: Function, outputs: str, state: str, spread: list[str]) -> str:
    for node in ast.walk(back.node):
        if isinstance(node, ast.Name) and node.id == outputs and isinstance(node.ctx, ast.Load):
            text = outputs
            for name in spread:
                text += f" {'+' if 'mean' in name else '*'} {state}.{name}"
            return source.replaced((node, text))
    return source.text


def _scored_unscaled(source: Source, function: Function, back: Function) -> Iterator[Suspicion]:
    """Targets and predictions are returned in units of the training labels."""
    value = function.node.body[-1].value if isinstance(function.node.body[-1], ast.Return) else None
    if not isinstance(value, ast.Tuple) or len(value.elts) != 2:
        return
    frame = function.parameters[0]
    body = [item for item in function.node.body if not isinstance(item, ast.Expr)]
    decoded = f"{back.name}({', '.join(back.parameters)})"
    lines = source.text.split("\n")
    indent = " " * body[0].col_offset
    new = f'{indent}return {frame}["target"].to_numpy(), {decoded}'
    after = "\n".join([*lines[: body[0].lineno - 1], new, *lines[body[-1].end_lineno or body[-1].lineno :]])
    why = "the error is computed before level and scale are undone"
    yield from code_suspicion(source, 9, "evaluation_bug", f"{function.name}.outputs", after, why)


RULES = (
    sorted_columns, missing_transform, extra_scaling, inverted_choice, exchanged_axes,
    different_reading, unfolded_case, scale_not_undone,
)  # fmt: skip
