"""DVCLive: plots/metrics/**/*.tsv (a series each), metrics.json (the last values) and params.yaml."""

from __future__ import annotations

from mlops_debugger.errors import IntakeError
from mlops_debugger.intake._files import Folder
from mlops_debugger.intake._metric_tables import csv_history, header
from mlops_debugger.intake._sources import Candidate, Point, Reader, Source, flat, number

_PLOTS = "plots/metrics/"


def find(folder: Folder) -> list[Candidate]:
    """Folders that have plots/metrics/ with a table of step and value in it."""
    places: dict[str, str] = {}
    for file in folder.files:
        place, found, _ = file.partition(_PLOTS)
        if found and file.endswith(".tsv") and (not place or place.endswith("/")) and "step" in header(folder, file):
            places.setdefault(place.strip("/"), file)
    return [Candidate(place, file, folder.modified(file)) for place, file in places.items()]


def read(folder: Folder, candidate: Candidate) -> Source:
    root = f"{candidate.run}/" if candidate.run else ""
    history: dict[str, list[Point]] = {}
    files: list[str] = []
    notes: list[str] = []
    for file in folder.files:
        if not (file.startswith(root + _PLOTS) and file.endswith(".tsv")):
            continue
        name = file[len(root + _PLOTS) :].removesuffix(".tsv")
        try:
            series = csv_history(folder, file)
        except IntakeError as error:
            notes.append(f"left out: {error}")
            continue
        points = series.get(name.rpartition("/")[2]) or next(
            (p for key, p in series.items() if key != "timestamp"), None
        )
        if points:
            history[name] = points
            files.append(file)
    if not history:
        raise IntakeError(f"{candidate.file}: expected tables of step and value, found none: {'; '.join(notes)}")
    found: dict[str, dict[str, object]] = {}
    for name in ("metrics.json", "params.yaml"):
        if root + name in folder.files:
            try:
                found[name] = folder.json(root + name) if name.endswith(".json") else folder.yaml(root + name)
                files.append(root + name)
            except IntakeError as error:
                notes.append(f"left out: {error}")
    last = {name.replace(".", "/"): number(item) for name, item in flat(found.get("metrics.json", {})).items()}
    final = {
        name: value for name, value in last.items() if value is not None and name not in history and name != "step"
    }
    return Source(
        history=_counted(history), final=final, config=found.get("params.yaml", {}), files=tuple(files),
        notes=tuple(notes),
    )  # fmt: skip


def _counted(history: dict[str, list[Point]]) -> dict[str, list[Point]]:
    """Steps as epochs where DVCLive was stepped once an epoch, which the series of an epoch tells otherwise."""
    clock = {point.step: point.value for point in history.pop("epoch", ())}
    if not clock:
        return history
    return {name: [Point(p.value, p.step, clock.get(p.step)) for p in points] for name, points in history.items()}


READER = Reader(80, "DVCLive", find, read)
