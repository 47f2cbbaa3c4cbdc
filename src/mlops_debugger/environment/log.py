"""train.log as records: filters by keyword and by epoch, an epoch's figures, a metric's series."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_debugger.bank.store import KEPT
from mlops_debugger.environment.logforms import PLAIN, Form, form_of
from mlops_debugger.environment.plain import Plain, shown, to_plain

MAX_KEYWORD = 200
_EPOCH = re.compile(r"(\d{1,6})(?:/\d{1,6})?", re.ASCII)
_RANGE = re.compile(r"epoch:(\d{1,6})(?:-(\d{1,6}))?", re.ASCII)
_GRAVE = frozenset(("WARNING", "ERROR", "CRITICAL"))


@dataclass(frozen=True)
class Log:
    """A parsed log. `records` are texts with their continuation lines, `folded` the same without regard to case.

    `epochs` says which epoch was under way at each record (None before the first and after the last one logged);
    `tree` has "epoch" → number → figures, "metrics" → name → epoch → figure, and the metrics at the top as well.
    `names` maps the team's own names to those of the tree where they differ. `levels` are words in capitals, "" where a
    record has none. `headings` are the positions of records that name the columns of a table. `spelled` are the records
    with the figures of an epoch as key=value pairs under the names of the tree.
    """

    records: tuple[str, ...]
    folded: tuple[str, ...]
    epochs: tuple[int | None, ...]
    tree: dict[str, Plain]
    names: dict[str, str]
    levels: tuple[str, ...]
    headings: frozenset[int]
    spelled: tuple[str, ...]

    @functools.cached_property
    def span(self) -> tuple[int, int] | None:
        """First and last epoch logged, or None."""
        known = [epoch for epoch in self.epochs if epoch is not None]
        return (min(known), max(known)) if known else None

    @property
    def warnings(self) -> int:
        """How many records are warnings, errors or worse."""
        return sum(level in _GRAVE for level in self.levels)


@functools.lru_cache(maxsize=KEPT)
def parse_log(text: str) -> Log:
    """Split a log into records and read their figures. Shared between episodes: never hand parts of it out."""
    lines = text.splitlines()
    form = form_of(lines)
    columns = next((line.split() for line in lines if form.heading.match(line)), [])
    records = _records(lines, form)
    marks: list[int | None] = []
    figures: dict[str, Plain] = {}
    series: dict[str, Plain] = {}
    names: dict[str, str] = {}
    spelled: list[str] = []
    for record in records:
        pairs = form.read(record.partition("\n")[0], columns)
        match = _EPOCH.fullmatch(pairs.pop("epoch", ""))
        marks.append(int(match[1]) if match else None)
        spelled.append(record)
        if match is None:
            continue
        epoch = str(int(match[1]))
        names |= {own: name for own in pairs if (name := form.rename(own)) and name != own}
        values = {name: _value(value) for own, value in pairs.items() if (name := form.rename(own))}
        spelled[-1] = " ".join((f"epoch={epoch}", *(f"{key}={value}" for key, value in values.items())))
        known = figures.setdefault(epoch, {})
        if isinstance(known, dict):
            known.update(values)
        for key, value in values.items():
            line = series.setdefault(key, {})
            if isinstance(line, dict):
                line[epoch] = value
    # A warning stands before the line that sums its epoch up, so an unmarked record belongs to the next marked one.
    following: int | None = None
    under_way: list[int | None] = []
    for mark in reversed(marks):
        following = mark if mark is not None else following
        under_way.append(following)
    under_way.reverse()
    first = next((position for position, mark in enumerate(marks) if mark is not None), len(marks))
    under_way[:first] = [None] * first
    tree: dict[str, Plain] = {**series, "metrics": dict(series), "epoch": figures}
    return Log(
        records=tuple(records),
        folded=tuple(record.casefold() for record in records),
        epochs=tuple(under_way),
        tree=tree,
        names=names,
        levels=tuple(match[1].upper() if (match := form.level.match(record)) else "" for record in records),
        headings=frozenset(position for position, record in enumerate(records) if form.heading.match(record)),
        spelled=tuple(records if form is PLAIN else spelled),
    )


def _records(lines: Sequence[str], form: Form) -> list[str]:
    records: list[list[str]] = []
    for line in lines:
        if records and not form.start.match(line) and form.start.match(records[-1][0]):
            records[-1].append(line)
        else:
            records.append([line])
    return ["\n".join(record).rstrip() for record in records if any(line.strip() for line in record)]


def _value(text: str) -> Plain:
    text = text.rstrip(",;")
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if re.fullmatch(r"-?\d{1,15}", text, re.ASCII) else to_plain(number)


def normal_filter(text: str | None) -> str:
    """The filter without regard to case and outer blanks; "" reads everything."""
    folded = (text or "").strip().casefold()
    return "".join(folded.split()) if folded.startswith("epoch:") else folded


def select(log: Log, wanted: str) -> Sequence[int] | str:
    """The positions of the records that a normal filter selects, or what is wrong with the filter."""
    if len(wanted) > MAX_KEYWORD:
        return f"log_filter has at most {MAX_KEYWORD} characters, found {len(wanted)}: give one keyword or epoch:1-5"
    if not wanted:
        return range(len(log.records))
    if not wanted.startswith("epoch:"):
        return [position for position, record in enumerate(log.folded) if wanted in record]
    match = _RANGE.fullmatch(wanted)
    if match is None:
        return f"expected epoch:N or epoch:N-M with whole numbers, such as epoch:1-5, found {shown(wanted)}"
    first = int(match[1])
    last = int(match[2]) if match[2] else first
    if last < first:
        return f"expected epoch:N-M with N not above M, found {shown(wanted)}: did you mean epoch:{last}-{first}?"
    if log.span is None:
        return "train.log names no epoch: the run may have ended before its first; read it without a filter"
    if first > log.span[1] or last < log.span[0]:
        return f"train.log has the epochs {log.span[0]} to {log.span[1]}, found {shown(wanted)}: choose among those"
    return [
        position
        for position, epoch in enumerate(log.epochs)
        if position in log.headings or (epoch is not None and first <= epoch <= last)
    ]
