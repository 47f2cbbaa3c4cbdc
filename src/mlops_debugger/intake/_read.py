"""From a folder to a RunView: every reader is asked, what an earlier one found wins, others complement it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_debugger import catalog
from mlops_debugger.checks import RunView
from mlops_debugger.errors import IntakeError
from mlops_debugger.intake._assemble import assemble
from mlops_debugger.intake._curves import Curves
from mlops_debugger.intake._files import Folder, open_folder
from mlops_debugger.intake._sources import Candidate, Reader, Source, printable

_SHOWN = 12


@dataclass(frozen=True)
class Read:
    """What one reader read: its title, the run, its files, and the other runs that it could have read."""

    reader: str
    run: str
    files: tuple[str, ...]
    others: tuple[str, ...]


@dataclass(frozen=True)
class OwnRun:
    """Somebody's own run. `notes` say, in sentences, what was left out, taken for granted or worked out.

    `parts` has, for each of `sources`, what it read as it was logged, and the curves drawn from that.
    """

    path: Path
    view: RunView
    sources: tuple[Read, ...]
    notes: tuple[str, ...]
    parts: tuple[tuple[Source, Curves], ...] = ()


@functools.cache
def readers() -> tuple[Reader, ...]:
    """The readers in the order of detection."""
    found = catalog.discover("mlops_debugger.intake.readers", "READER", Reader)
    return tuple(sorted(found.values(), key=lambda reader: reader.order))


def read_run(path: Path, run: str | None = None, *, option: str = "--run") -> OwnRun:
    """Read whatever is known in the folder (or the single file); of several runs the newest, or the one named.

    `run` is an id, a name, or a beginning that one run alone has; `option` is how the caller asks for it. Raises
    `IntakeError` where nothing can be read, or no run has that name. A file that is damaged is left out and named in
    the notes as long as another can be read.
    """
    folder = open_folder(path)
    offered = [(reader, *_found(reader, folder)) for reader in readers()]
    problems = [problem for _, _, problem in offered if problem]
    chosen = _choose([(reader, found) for reader, found, _ in offered], run, option)
    sources: list[Source] = []
    reads: list[Read] = []
    notes = [*folder.notes]
    for reader, candidate, others in chosen:
        try:
            source = reader.read(folder, candidate)
        except IntakeError as error:
            problems.append(str(error))
            continue
        sources.append(source)
        run_name = _name(candidate) if candidate.run else ""
        reads.append(Read(reader.title, run_name, source.files, tuple(map(_name, others))))
        if others:
            notes.append(
                f"{reader.title}: of {len(others) + 1} runs, {_name(candidate)} was read"
                f"{' (the newest)' if run is None else ''}; choose with {option} among {_listed(others)}"
            )
        notes.extend(source.notes)
    if not sources or not any(source.files for source in sources):
        raise IntakeError(printable(_nothing(folder, path, [*problems, *(n for s in sources for n in s.notes)])))
    notes.extend(f"left out: {problem}" for problem in problems)
    found = assemble(sources)
    notes.extend(found.notes)
    parts = tuple(zip(sources, found.drawn, strict=True))
    return OwnRun(path, found.view, tuple(reads), tuple(dict.fromkeys(map(printable, notes))), parts)


def _found(reader: Reader, folder: Folder) -> tuple[Sequence[Candidate], str]:
    try:
        return reader.find(folder), ""
    except IntakeError as error:
        return (), str(error)


def _choose(
    offered: Sequence[tuple[Reader, Sequence[Candidate]]], run: str | None, option: str
) -> list[tuple[Reader, Candidate, list[Candidate]]]:
    """A run of every reader: the newest; or the one named, with whatever readers see a single run."""
    chosen: list[tuple[Reader, Candidate, list[Candidate]]] = []
    run = run or None
    named = {id(c) for _, found in offered for c in found if run is not None and run in (c.run, c.label)}
    if run is not None and not named:
        named = {id(c) for _, found in offered for c in found if c.run.startswith(run) or c.label.startswith(run)}
        if len(named) > 1:
            alike = [c for _, found in offered for c in found if id(c) in named]
            raise IntakeError(f"{option}: expected a beginning that one run has, found {_listed(alike)}: write it out")
    if run is not None and not named:
        there = [c for _, found in offered for c in found if c.run]
        raise IntakeError(
            f"{option}: expected one of the runs in the folder, found {run!r}: there are {_listed(there)}"
        )
    for reader, found in offered:
        mine = [c for c in found if id(c) in named]
        if run is not None and not mine and len(found) > 1:
            continue
        if found:
            one = max(mine or found, key=lambda c: (c.when, c.run))
            chosen.append((reader, one, [c for c in found if c is not one]))
    return chosen


def _name(candidate: Candidate) -> str:
    label = f" ({candidate.label})" if candidate.label and candidate.label != candidate.run else ""
    return printable(f"{candidate.run or candidate.file}{label}")


def _listed(found: Sequence[Candidate]) -> str:
    names = [_name(candidate) for candidate in found]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "no runs with a name") + more


def _nothing(folder: Folder, path: Path, problems: Sequence[str]) -> str:
    if problems:
        return f"nothing in the folder could be read: {'; '.join(dict.fromkeys(problems))}"
    looked = "; ".join(reader.title for reader in readers())
    seen = ", ".join(folder.files[:_SHOWN]) or "no files"
    return (
        f"expected one of: {looked}; found {seen}{' …' if len(folder.files) > _SHOWN else ''}: point at the run's "
        "own folder, or see docs/own-runs.md for what is read"
    )
