"""Finding the place of a block of lines in a text, and changing it there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from mlops_debugger.edits._fix import Hunk
from mlops_debugger.errors import FixApplyError

Signed = list[tuple[str, str]]
"""Lines of a block, each with its sign."""

_END = re.compile(r"\r\n|\n|\r")
_SHOWN = 120
"""Characters of a line that a message quotes."""


def split_lines(text: str) -> list[tuple[str, str]]:
    """(line, its ending) of every line; the last has none, and is empty where the text ends with a line ending."""
    found, position = [], 0
    for match in _END.finditer(text):
        found.append((text[position : match.start()], match[0]))
        position = match.end()
    return [*found, (text[position:], "")]


def apply_hunk(hunk: Hunk, text: str) -> str:
    """The text with the block carried out where its lines stand; raises `FixApplyError` where they do not, or twice."""
    parts = split_lines(text)
    lines = [line for line, _ in parts]
    for reading in _readings(hunk):
        old = [line for op, line in reading if op != "+"]
        if not any(line.strip() for line in old):
            raise FixApplyError(
                f"a block for {hunk.file} adds lines without saying where: give the line before as context"
            )
        if found := list(_find(old, lines)):
            start, held, base = _only(hunk, found)
            return _replaced(hunk, reading, parts, start, base, held)
    raise FixApplyError(_no_match(hunk, lines))


def _readings(hunk: Hunk) -> Iterator[Signed]:
    """The ways to read what follows the sign: as code at once, or as a space and then code."""
    yield list(hunk.lines)
    signed = [text for op, text in hunk.lines if op != " " and text.strip()]
    if signed and all(text.startswith(" ") for text in signed):
        yield [(op, text[1:] if op != " " else text) for op, text in hunk.lines]


def _only(hunk: Hunk, found: Sequence[tuple[int, str, str]]) -> tuple[int, str, str]:
    """The one place that is meant: the only one, or the one at the line that a unified diff names."""
    named = [place for place in found if hunk.at is not None and place[0] + 1 == hunk.at]
    if len(found) == 1 or named:
        return (named or list(found))[0]
    places = ", ".join(str(start + 1) for start, _, _ in found[:5])
    raise FixApplyError(
        f"a block matches {hunk.file} in {len(found)} places (lines {places}): add a context line before or after"
    )


def _replaced(hunk: Hunk, reading: Signed, parts: list[tuple[str, str]], start: int, base: str, held: str) -> str:
    """The text with the block at `start` carried out; `base` is the block's common indentation, `held` the text's."""
    ends = [end for _, end in parts if end]
    usual = parts[start][1] or (max(set(ends), key=ends.count) if ends else "\n")
    replaced: list[tuple[str, str]] = []
    position = start
    for op, line in reading:
        if op == "+":
            # A line takes the ending of the line that it follows, so that mixed texts stay as mixed as they were.
            end = parts[position - 1][1] if position > start else usual
            replaced.append((_indented(hunk, line, base, held), end))
        else:
            if op == " ":
                replaced.append(parts[position])
            position += 1
    result = [*parts[:start], *replaced, *parts[position:]]
    body = "".join(line + (end or usual) for line, end in result[:-1])
    return body + (result[-1][0] if result else "")


def _indented(hunk: Hunk, line: str, base: str, held: str) -> str:
    """An added line with the block's common indentation exchanged for that of the text."""
    if not line.strip():
        return ""
    indent, code = _indent(line), line.strip()
    if indent.startswith(base):
        return held + indent[len(base) :] + code
    missing = base[len(indent) :]
    if base.startswith(indent) and held.endswith(missing):
        return held[: len(held) - len(missing)] + code
    raise FixApplyError(f"an added line is indented less than {hunk.file} allows there: {code[:80]!r}")


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _common(lines: Iterable[str]) -> str:
    """The indentation that all lines share, blank ones left out."""
    return _shared([_indent(line) for line in lines if line.strip()])


def _shared(texts: Sequence[str]) -> str:
    """The beginning that all texts share."""
    if not texts:
        return ""
    low, high = min(texts), max(texts)
    end = next((place for place, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[:end]


def _bare(line: str, indent: str) -> str:
    return line.rstrip()[len(indent) :] if line.strip() else ""


def _find(old: Sequence[str], lines: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Yield (first line, the text's common indentation, the block's) of every place where the old lines stand."""
    base = _common(old)
    wanted = [_bare(line, base) for line in old]
    bare = [line.strip() for line in lines]
    sought = [line.strip() for line in old]
    for start in range(len(lines) - len(old) + 1):
        if any(bare[start + offset] != want for offset, want in enumerate(sought)):
            continue
        window = lines[start : start + len(old)]
        held = _common(window)
        if [_bare(line, held) for line in window] == wanted:
            yield start, held, base


def _no_match(hunk: Hunk, lines: Sequence[str]) -> str:
    """Which line of a block does not match, and what stands in its place."""
    wanted = [text.strip() for op, text in hunk.lines if op != "+"]
    bare = [line.strip() for line in lines]
    start, hits = _nearest(wanted, bare)
    if hits == len(wanted):
        return (
            f"the lines of a block stand in {hunk.file} at line {start + 1}, but not with these indentations: "
            f"{_uneven(hunk, lines[start : start + len(wanted)])}"
        )
    present = set(bare)
    for text in wanted:
        if text and text not in present:
            return f"{hunk.file} has no line {text[:_SHOWN]!r}{_instead(text, wanted, bare, start, hits)}"
    broken = next(place for place, text in enumerate(wanted) if _at(bare, start + place) != text)
    return (
        f"the lines of a block stand in {hunk.file}, but not one after the other: {wanted[broken][:_SHOWN]!r} is "
        f"expected at line {start + broken + 1}, where {_at(bare, start + broken)[:_SHOWN]!r} stands: copy them in "
        "order, without gaps"
    )


def _nearest(wanted: Sequence[str], bare: Sequence[str]) -> tuple[int, int]:
    """Where most lines of the block would match, and how many of them; blank lines say nothing by themselves."""
    best = (0, 0)
    for start in range(max(1, len(bare) - len(wanted) + 1)):
        hits = sum(a == b for a, b in zip(wanted, bare[start : start + len(wanted)], strict=False))
        said = any(a == b and a for a, b in zip(wanted, bare[start : start + len(wanted)], strict=False))
        if said and hits > best[1]:
            best = (start, hits)
    return best


def _instead(text: str, wanted: Sequence[str], bare: Sequence[str], start: int, hits: int) -> str:
    """What stands where the missing line is expected: in its place among its neighbours, else the likest line."""
    if hits:
        number = start + list(wanted).index(text) + 1
        return f"; where it is expected, at line {number}, stands {_at(bare, number - 1)[:_SHOWN]!r}"
    short = sorted({line[:_SHOWN] for line in bare if line})
    near = difflib.get_close_matches(text[:_SHOWN], short, n=1, cutoff=0.5)
    if not near:
        return ""
    number = next(place for place, line in enumerate(bare, start=1) if line[:_SHOWN] == near[0])
    return f"; the nearest line is {near[0]!r} (line {number})"


def _at(lines: Sequence[str], position: int) -> str:
    return lines[position] if position < len(lines) else "(the end of the file)"


def _uneven(hunk: Hunk, window: Sequence[str]) -> str:
    """The first step in indentation that differs between the block and the text."""
    old = [text for op, text in hunk.lines if op != "+"]
    pairs = [(mine, theirs) for mine, theirs in zip(old, window, strict=True) if mine.strip()]
    for (mine, theirs), (mine_next, theirs_next) in pairwise(pairs):
        if _step(mine, mine_next) != _step(theirs, theirs_next):
            return (
                f"{mine_next.strip()[:_SHOWN]!r} stands there as {theirs_next[:_SHOWN]!r}: copy the lines as they are"
            )
    return "copy the lines as they are, tabs included"


def _step(first: str, second: str) -> tuple[str, str]:
    """How the indentation changes from one line to the next."""
    shared = _shared([_indent(first), _indent(second)])
    return _indent(first)[len(shared) :], _indent(second)[len(shared) :]
