"""Typed edits and patches: the fix language, its parser and its applier.

The language, in the agent's words::

    config.yaml: optimizer.learning_rate = 0.001      one or more typed edits, a line each
    preprocessing.py:                                  or a patch
    - scaler.fit(features)                             - and context lines (leading space) match exactly once
    + scaler.fit(features[train_rows])                 + lines are indented alike

A unified diff is read too. A blank line ends a block; several blocks may follow one header. Anything else is prose,
and prose is refused: nobody should be able to score with words.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from mlops_debugger.errors import FixApplyError, FixSyntaxError

Value = None | bool | int | float | str | list[Any]
"""What a config key may hold."""

CONFIG = "config.yaml"
CODE = "preprocessing.py"
EDITABLE = (CONFIG, CODE)
MAX_FIX_CHARACTERS = 8_000
MAX_EDITS = 16
MAX_CHANGED_LINES = 12


@dataclass(frozen=True)
class ConfigEdit:
    """Set the key at `path` (dotted, canonical or in the project's dialect) to `value`."""

    path: str
    value: Value


@dataclass(frozen=True)
class Hunk:
    """A block of lines: (op, text) with op one of ' ', '-', '+'; text keeps its indentation."""

    file: str
    lines: tuple[tuple[str, str], ...]

    @property
    def changed(self) -> int:
        """Lines of code that the hunk changes: the larger of removed and added, blank lines and comments left out."""
        counts = [sum(op == sign and _is_code(text) for op, text in self.lines) for sign in "-+"]
        return max(counts)


@dataclass(frozen=True)
class Fix:
    """A parsed `proposed_fix`."""

    config: tuple[ConfigEdit, ...] = ()
    hunks: tuple[Hunk, ...] = ()

    @property
    def touches_code(self) -> bool:
        return any(hunk.file == CODE for hunk in self.hunks)


def _is_code(text: str) -> bool:
    stripped = text.strip()
    return bool(stripped) and not stripped.startswith("#")


# ------------------------------------------------------------------ YAML with the numbers of YAML 1.2


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-3 as a number, leaves yes/no/on/off as words, as YAML 1.2 does, and knows no aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            # A few hundred bytes of nested aliases stand for more values than memory holds.
            raise yaml.YAMLError("aliases are not supported here: write the value out")
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] not in ("tag:yaml.org,2002:float", "tag:yaml.org,2002:bool")]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF)|[0-9]*\.[0-9]+[eE][-+]?[0-9]+)$|^\.(?:nan|NaN|NAN)$"
    ),
    list("-+0123456789."),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def load_yaml(text: str) -> Any:
    """Parse YAML with the numbers of YAML 1.2 and without aliases; raises `yaml.YAMLError`, whatever the text."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError) as error:
        raise yaml.YAMLError(f"a value cannot be read ({type(error).__name__})") from None


class _Dumper(yaml.SafeDumper):
    """Writes lists of scalars on one line, so that a value never changes the number of lines."""


def _flow_list(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


_Dumper.add_representer(list, _flow_list)


def dump_yaml(data: Mapping[str, Any]) -> str:
    """Write a mapping as block YAML, order kept, lists of scalars on one line."""
    return yaml.dump(
        dict(data), Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=10_000
    )


# ------------------------------------------------------------------ parsing

_HEADER = re.compile(r"^\s{0,3}[`*]*(config\.yaml|preprocessing\.py)[`*]*\s*:\s*(.*)$")
_ASSIGNMENT = re.compile(r"^\s*([A-Za-z_][\w\-]*(?:\.[\w\-]+|\[\d+\])*)\s*(?:=|:=|:)\s*(\S.*?)\s*$")
_DIFF_FILE = re.compile(r"^\+\+\+ (?:[ab]/)?(?:\S*/)?(config\.yaml|preprocessing\.py)\s*$")


def parse_fix(text: str) -> Fix:
    """Read the fix language; raises `FixSyntaxError` with a message that an agent can act on."""
    if len(text) > MAX_FIX_CHARACTERS:
        raise FixSyntaxError(
            f"a fix has at most {MAX_FIX_CHARACTERS} characters, found {len(text)}: send the change alone"
        )
    config: list[ConfigEdit] = []
    hunks: list[Hunk] = []
    block: list[tuple[str, str]] = []
    current: str | None = None
    in_diff = False

    def close() -> None:
        while block and block[-1] == (" ", ""):
            block.pop()
        if not block:
            return
        if current is None:
            raise FixSyntaxError("expected 'config.yaml:' or 'preprocessing.py:' before the first changed line")
        if all(op == " " for op, _ in block):
            raise FixSyntaxError(
                f"a block for {current} changes nothing: start removed lines with '-' and added ones with '+'"
            )
        hunks.append(Hunk(current, tuple(block)))
        block.clear()

    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        line = raw.rstrip()
        if line.lstrip().startswith("```") or re.match(r"^(diff --git |index [0-9a-f]|\\ No newline)", line):
            continue
        if line.startswith("--- ") and re.search(r"(config\.yaml|preprocessing\.py|/dev/null)\s*$", line):
            close()
            in_diff = True
            continue
        if match := _DIFF_FILE.match(line):
            close()
            current, in_diff = match[1], True
            continue
        if line.startswith("@@"):
            close()
            continue
        if match := _HEADER.match(line):
            close()
            current, in_diff = match[1], False
            rest = match[2].strip("` ")
            if not rest:
                continue
            if current == CODE:
                raise FixSyntaxError(
                    f"line {number}: put the changed lines of {CODE} below its header, marked with '-' and '+'"
                )
            config.append(_assignment(rest, number))
            continue
        if not line:
            if in_diff and block:
                block.append((" ", ""))
            elif not in_diff:
                close()
            continue
        if current is not None and line[0] in " -+":
            if current == CONFIG and not in_diff and line[0] == " " and not block and _ASSIGNMENT.match(line):
                config.append(_assignment(line, number))
            else:
                block.append((line[0], line[1:]))
            continue
        if current == CONFIG and not block and _ASSIGNMENT.match(line):
            config.append(_assignment(line, number))
            continue
        raise FixSyntaxError(
            f"line {number} is not in the fix language: {line[:80]!r}. Expected 'config.yaml: dotted.path = value', "
            "or 'preprocessing.py:' followed by '-' and '+' lines"
        )
    close()
    if not config and not hunks:
        raise FixSyntaxError(
            "the fix is empty: expected 'config.yaml: dotted.path = value' or a patch of preprocessing.py"
        )
    if len(config) + len(hunks) > MAX_EDITS:
        raise FixSyntaxError(f"a fix has at most {MAX_EDITS} edits, found {len(config) + len(hunks)}")
    changed = sum(hunk.changed for hunk in hunks if hunk.file == CODE)
    if changed > MAX_CHANGED_LINES:
        raise FixSyntaxError(f"a fix changes at most {MAX_CHANGED_LINES} lines of code, found {changed}")
    return Fix(tuple(config), tuple(hunks))


def _assignment(text: str, number: int) -> ConfigEdit:
    match = _ASSIGNMENT.match(text)
    if match is None:
        raise FixSyntaxError(f"line {number}: expected 'dotted.path = value', found {text[:80]!r}")
    try:
        value = load_yaml(match[2])
    except yaml.YAMLError:
        raise FixSyntaxError(f"line {number}: {match[2][:80]!r} is not a YAML value") from None
    if not _is_value(value):
        raise FixSyntaxError(
            f"line {number}: expected a number, word, true/false, null or a list of those, found {match[2][:80]!r}"
        )
    return ConfigEdit(re.sub(r"\[(\d+)\]", r".\1", match[1]), value)


def _is_value(value: object) -> bool:
    if isinstance(value, list):
        return len(value) <= 64 and all(_is_value(item) and not isinstance(item, list) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


# ------------------------------------------------------------------ config paths


def flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted path, value) of every leaf, lists being leaves."""
    for key, value in config.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{path}.")
        else:
            yield path, value


def resolve_path(config: Mapping[str, Any], path: str, canonical: Mapping[str, str]) -> str:
    """The dialect's path of a leaf that `path` names canonically or in the dialect; raises `FixApplyError`."""
    leaves = dict(flatten(config))
    head, _, index = path.rpartition(".")
    for candidate, suffix in ((path, ""), (head, f".{index}")):
        if suffix and not index.isdigit():
            continue
        for name in (candidate, canonical.get(candidate, "")):
            if name in leaves and (not suffix or isinstance(leaves[name], list)):
                return name + suffix
    near = difflib.get_close_matches(path, [*leaves, *canonical], n=3, cutoff=0.4)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise FixApplyError(f"config.yaml has no key {path!r}{hint}")


def set_path(config: dict[str, Any], path: str, value: Value) -> None:
    """Set an existing leaf (or element of a list leaf) in place."""
    *parents, leaf = path.split(".")
    node: Any = config
    for key in parents:
        if not isinstance(node, Mapping) or key not in node:
            raise FixApplyError(f"{path} cannot be set: {key!r} is not a section of config.yaml")
        node = node[key]
    if isinstance(node, list):
        position = int(leaf)
        if position >= len(node):
            raise FixApplyError(f"{'.'.join(parents)} has {len(node)} elements, found index {position}")
        node[position] = value
    else:
        node[leaf] = value


# ------------------------------------------------------------------ applying


def apply_fix(fix: Fix, files: Mapping[str, str], canonical: Mapping[str, str]) -> dict[str, str]:
    """Apply a fix to `files` (name → text) and return the changed copies of all of them.

    `canonical` maps canonical config keys to the project's dialect. Raises `FixApplyError` where a path or a line
    does not match; the message says which and what to do.
    """
    result = dict(files)
    for hunk in fix.hunks:
        result[hunk.file] = _apply_hunk(hunk, result[hunk.file])
    if fix.config:
        config = _parsed(result[CONFIG])
        for edit in fix.config:
            path = resolve_path(config, edit.path, canonical)
            if isinstance(edit.value, float) and not math.isfinite(edit.value):
                raise FixApplyError(f"{edit.path}: expected a finite number, found {edit.value}")
            set_path(config, path, edit.value)
        result[CONFIG] = dump_yaml(config)
    else:
        _parsed(result[CONFIG])
    if result[CODE] != files[CODE]:
        try:
            compile(result[CODE], CODE, "exec", dont_inherit=True)
        except (RecursionError, MemoryError):
            raise FixApplyError(f"{CODE} is nested too deeply after the patch") from None
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            raise FixApplyError(f"{CODE} is not valid Python after the patch (line {line}): {error.args[0]}") from None
    return result


def _parsed(text: str) -> dict[str, Any]:
    try:
        config = load_yaml(text)
    except yaml.YAMLError as error:
        raise FixApplyError(f"config.yaml is not valid YAML after the patch: {str(error)[:200]}") from None
    if not isinstance(config, dict):
        raise FixApplyError("config.yaml is not a mapping after the patch")
    return config


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _common_indent(lines: Iterable[str]) -> int:
    return min((_indent(line) for line in lines if line.strip()), default=0)


def _readings(hunk: Hunk) -> Iterator[list[tuple[str, str]]]:
    """The ways to read what follows the sign: as code at once, or as a space and then code."""
    yield list(hunk.lines)
    signed = [text for op, text in hunk.lines if op != " " and text.strip()]
    if signed and all(text.startswith(" ") for text in signed):
        yield [(op, text[1:] if op != " " else text) for op, text in hunk.lines]


def _apply_hunk(hunk: Hunk, text: str) -> str:
    lines = text.split("\n")
    matches: list[tuple[int, int, list[tuple[str, str]]]] = []
    for reading in _readings(hunk):
        old = [line for op, line in reading if op != "+"]
        if not any(line.strip() for line in old):
            raise FixApplyError(
                f"a block for {hunk.file} adds lines without saying where: give the line before as context"
            )
        found = list(_find(old, lines))
        if found:
            matches = [(start, shift, reading) for start, shift in found]
            break
    if not matches:
        raise FixApplyError(_no_match(hunk, lines))
    if len(matches) > 1:
        places = ", ".join(str(start + 1) for start, _, _ in matches[:5])
        raise FixApplyError(
            f"a block matches {hunk.file} in {len(matches)} places (lines {places}): add a context line before or after"
        )
    start, shift, reading = matches[0]
    replaced: list[str] = []
    position = start
    for op, line in reading:
        if op == "+":
            if line.strip() and _indent(line) + shift < 0:
                raise FixApplyError(
                    f"an added line is indented less than {hunk.file} allows there: {line.strip()[:80]!r}"
                )
            replaced.append(" " * (_indent(line) + shift) + line.strip() if line.strip() else "")
        else:
            if op == " ":
                replaced.append(lines[position])
            position += 1
    return "\n".join([*lines[:start], *replaced, *lines[position:]])


def _find(old: Sequence[str], lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield (first line, indentation to add) of every place where the old lines stand."""
    base = _common_indent(old)
    wanted = [line.rstrip()[base:] if line.strip() else "" for line in old]
    for start in range(len(lines) - len(old) + 1):
        window = lines[start : start + len(old)]
        indent = _common_indent(window)
        if all(
            (line.rstrip()[indent:] if line.strip() else "") == want for line, want in zip(window, wanted, strict=True)
        ):
            yield start, indent - base


def _no_match(hunk: Hunk, lines: Sequence[str]) -> str:
    present = {line.strip() for line in lines}
    for op, text in hunk.lines:
        if op != "+" and text.strip() and text.strip() not in present:
            near = difflib.get_close_matches(text.strip(), sorted(present), n=1, cutoff=0.5)
            hint = f"; the nearest line is {near[0]!r}" if near else ""
            return f"{hunk.file} has no line {text.strip()[:120]!r}{hint}"
    return f"the lines of a block stand in {hunk.file}, but not one after the other: copy them in order, without gaps"


# ------------------------------------------------------------------ writing


def format_value(value: Value) -> str:
    """A value as the fix language writes it."""
    text: str = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def format_fix(fix: Fix) -> str:
    """The fix in the fix language; `parse_fix` reads it back."""
    parts = [f"{CONFIG}: {edit.path} = {format_value(edit.value)}" for edit in fix.config]
    for file in EDITABLE:
        blocks = ["\n".join(op + text for op, text in hunk.lines) for hunk in fix.hunks if hunk.file == file]
        if blocks:
            parts.append(f"{file}:\n" + "\n\n".join(blocks))
    return "\n".join(parts)


def diff_fix(before: str, after: str) -> Fix:
    """The patch of preprocessing.py that turns `before` into `after`, with as much context as it takes to be unique."""
    old, new = before.split("\n"), after.split("\n")
    for context in range(8):
        matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
        hunks = []
        for group in matcher.get_grouped_opcodes(context):
            lines: list[tuple[str, str]] = []
            for tag, a0, a1, b0, b1 in group:
                if tag == "equal":
                    lines += [(" ", line) for line in old[a0:a1]]
                else:
                    lines += [("-", line) for line in old[a0:a1]] + [("+", line) for line in new[b0:b1]]
            hunks.append(Hunk(CODE, tuple(lines)))
        fix = Fix(hunks=tuple(hunks))
        try:
            # Blank context lines would end a block, so what counts is the text that an agent would send.
            if hunks and apply_fix(parse_fix(format_fix(fix)), {CONFIG: "{}", CODE: before}, {})[CODE] == after:
                return fix
        except (FixApplyError, FixSyntaxError):
            continue
    raise FixApplyError("no unambiguous patch leads from one text to the other: are they equal?")
