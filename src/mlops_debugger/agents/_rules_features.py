"""Rules about features in preprocessing.py: time, units, types, encoders and copies."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mlops_debugger.agents._dossier import Dossier, walk
from mlops_debugger.agents._source import Source, called, code_suspicion, literal
from mlops_debugger.agents._suspicion import Suspicion

_NEGATIONS = {"not", "no", "never", "nor", "none", "hardly", "without", "cannot"}


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


def short_shift(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """A history that ends after the origin: shifted by less than the horizon, or ahead."""
    if run.first("horizon") is None:
        return
    for function in source.functions:
        for call in function.calls("shift"):
            argument = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "periods"), None)
            if argument is None or re.search(r"label|target|forecast", function.name):
                continue
            text, number = source.segment(argument), literal(argument)
            owner = re.match(r"(\w+)\[", text)
            options = [name for name in function.parameters if re.search("feature|option|config", name)]
            name = owner[1] if owner else next(iter(options), "")
            halved = "horizon" in text and text != f'{name}["horizon"]'
            if name and (halved or isinstance(number, int)):
                after = source.replaced((argument, f'{name}["horizon"]'))
                why = f"readings are moved by {text} steps, a forecast is due a whole horizon ahead"
                yield from code_suspicion(source, 9, "data_leakage", f"{function.name}.shift", after, why)


def clocks(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Times in UTC go to local time by adding the offset."""
    if "utc" not in run.card_text:
        return
    for function in source.functions:
        names = {n.id for n in ast.walk(function.node) if isinstance(n, ast.Name)} | set(function.parameters)
        offset = next((name for name in sorted(names) if "offset" in name), None)
        if offset is None:
            continue
        for node in ast.walk(function.node):
            if not isinstance(node, ast.Assign) or not re.search(r"local|first|start", source.segment(node.targets[0])):
                continue
            text = source.segment(node.value)
            column = re.match(r"\w+\[\"\w+\"\]", text)
            right = column is not None and re.search(rf"\+ *{offset}|add\({offset}\)", text)
            if column is not None and not right:
                after = source.replaced((node.value, f"{column[0]} + {offset}"))
                name = source.segment(node.targets[0])
                why = f"{column[0]} is in UTC and is used as local time without adding {offset}"
                yield from code_suspicion(source, 8.5, "preprocessing_bug", f"{function.name}.{name}", after, why)


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


def unknown_words(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """A comparison with a value that differs from the data's in case alone, so that it never holds."""
    values = {path.rpartition(".")[2] for path, _ in walk(run.stats.get("source"), inner=True)}
    folded = {value.lower(): value for value in values}
    for function in source.functions:
        for node in ast.walk(function.node):
            if not isinstance(node, ast.Compare) or len(node.comparators) != 1:
                continue
            word = literal(node.comparators[0])
            if isinstance(word, str) and word not in values and word.lower() in folded:
                after = source.replaced((node.comparators[0], f'"{folded[word.lower()]}"'))
                why = f"no row holds {word!r}; the data say {folded[word.lower()]!r}"
                yield from code_suspicion(source, 9.5, "preprocessing_bug", f"{function.name}.{word}", after, why)


def units(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """A variable says thousands and the factor says something else, or the wrong rows are multiplied."""
    for function in source.functions:
        if "thousand" not in source.segment(function.node):
            continue
        for node in ast.walk(function.node):
            value: ast.expr | None = node.right if isinstance(node, ast.BinOp) else None
            value = node.value if isinstance(node, ast.AugAssign) else value
            factor = literal(value) if value is not None else None
            if value is not None and isinstance(factor, int | float) and factor > 1 and factor != 1000:
                after = source.replaced((value, "1000.0"))
                why = f"amounts in thousands are multiplied by {factor:g}"
                yield from code_suspicion(source, 9.5, "preprocessing_bug", f"{function.name}.balance", after, why)
        for call in function.calls("where"):
            if len(call.args) == 2 and isinstance(call.args[0], ast.Name) and "thousand" in call.args[0].id:
                after = source.replaced((call.args[0], f"~{call.args[0].id}"))
                why = "where() keeps the rows that the condition marks and multiplies the others"
                yield from code_suspicion(source, 9.5, "preprocessing_bug", f"{function.name}.where", after, why)


def integer_casts(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Fractions that are cut off, or differences of unsigned bytes that wrap round."""
    for function in source.functions:
        if re.search(r"cop(y|ies)|augment|label|target|decode", function.name):
            continue
        for call in function.calls("astype"):
            kind = source.segment(call.args[0]) if call.args else ""
            if not isinstance(call.func, ast.Attribute) or not re.search(r"u?int|\.dtype", kind):
                continue
            inner = source.segment(call.func.value)
            cast = re.escape(source.segment(call))
            subtracted = re.search(rf"- *{cast}|subtract\([^()]*{cast}", source.text)
            after = source.replaced((call, f"{inner}.astype(np.float64)" if subtracted else inner))
            why = f"{inner} is cast to {kind}, where fractions are lost or values wrap round"
            yield from code_suspicion(source, 8.5, "preprocessing_bug", f"{function.name}.astype", after, why)


def stop_words(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Negations turn the meaning of a text round: a stop list must not have them."""
    match = re.search(r"(?m)^(STOP\w*) = (.+)$", source.text)
    if match is None:
        return
    listed = re.findall(r"[a-z']+", re.sub(r"frozenset|set|split", "", match[2]))
    found = [word for word in listed if word in _NEGATIONS]
    if found:
        kept = ", ".join(f'"{word}"' for word in listed if word not in _NEGATIONS)
        after = source.text.replace(match[0], f"{match[1]} = {{{kept}}}")
        why = f"the stop list drops {', '.join(found)}, which turns meanings round"
        yield from code_suspicion(source, 9.5, "preprocessing_bug", match[1], after, why)


def copies_before_split(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Copies or oversampling before the split put relatives of one row into several splits."""
    for function in source.functions:
        calls = sorted(function.calls(), key=lambda call: call.lineno)
        split = next((call for call in calls if "split" in called(call)), None)
        copy = next((call for call in calls if re.search(r"copies|augment|oversample|resample", called(call))), None)
        if split is None or copy is None or copy.lineno >= split.lineno:
            continue
        statement = next((s for s in function.node.body if copy in ast.walk(s)), None)
        end = function.node.body[-1]
        if not isinstance(statement, ast.Assign) or not isinstance(end, ast.Return):
            continue
        lines = source.text.split("\n")
        parts, rest = source.segment(end).removeprefix("return ").strip(), ", ".join(map(source.segment, copy.args[2:]))
        indent = " " * end.col_offset
        moved = f'{indent}{parts}["train"] = {called(copy)}(*{parts}["train"], {rest})'
        lines.insert(end.lineno - 1, moved)
        del lines[statement.lineno - 1 : statement.end_lineno]
        why = f"{called(copy)} runs before the split, so copies of a row fall into several splits"
        yield from code_suspicion(source, 9, "data_leakage", f"{function.name}.{called(copy)}", "\n".join(lines), why)


def duplicates(run: Dossier, source: Source) -> Iterator[Suspicion]:
    """Rows that repeat are told apart by a column that differs between the copies, or kept altogether."""
    fields = next((leaf.value for leaf in run.find(r"fields|text_fields|columns")), None)
    for function in source.functions:
        if not re.search(r"distinct|dedup|unique|duplicate", function.name):
            continue
        wanted = str(fields) if isinstance(fields, list) else None
        calls = list(function.calls("drop_duplicates", "duplicated"))
        for call in calls:
            subset = next((k.value for k in call.keywords if k.arg == "subset"), call.args[0] if call.args else None)
            text = source.segment(subset) if subset is not None else ""
            if wanted and (subset is None or re.search(r"_id\b|_at\b|date|time", text)):
                head = source.segment(call.func)
                after = source.replaced((call, f"{head}(subset={wanted})"))
                why = "copies differ in the columns that are compared, so they are kept and fall into several splits"
                yield from code_suspicion(source, 9, "data_leakage", f"{function.name}.subset", after, why)
        end = function.node.body[-1]
        if not calls and wanted and isinstance(end, ast.Return) and isinstance(end.value, ast.Call):
            root = source.segment(end.value).split(".")[0].split("[")[0]
            after = source.replaced((end.value, f"{root}.drop_duplicates(subset={wanted}).reset_index(drop=True)"))
            why = f"{function.name} keeps every copy"
            yield from code_suspicion(source, 9, "data_leakage", f"{function.name}.{root}", after, why)


RULES = (
    centred_window, short_shift, clocks, in_sample_encoding, unknown_words, units,
    integer_casts, stop_words, copies_before_split, duplicates,
)  # fmt: skip
