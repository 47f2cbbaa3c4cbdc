"""MLflow's old file store: mlruns/<experiment>/<run>/ with meta.yaml, params/ and metrics/."""

from __future__ import annotations

import math

from mlops_debugger.errors import IntakeError
from mlops_debugger.intake._files import Folder
from mlops_debugger.intake._mlflow import nested, timed
from mlops_debugger.intake._sources import MAX_POINTS, Candidate, Reader, Source, number

_MAX_PARAM = 64 * 1024


def find(folder: Folder) -> list[Candidate]:
    """Folders with metrics and a meta.yaml that names a run, deleted ones left out."""
    places = {file.rpartition("/metrics/")[0] for file in folder.files if "/metrics/" in file}
    found = []
    for file in folder.named("meta.yaml"):
        place = file.rpartition("/")[0]
        if place not in places:
            continue
        try:
            meta = folder.yaml(file)
        except IntakeError:
            meta = {}
        if meta.get("lifecycle_stage", "active") == "active":
            run = str(meta.get("run_id") or place.rpartition("/")[2])
            started = number(meta.get("start_time"))
            when = started if started is not None and math.isfinite(started) else 0.0
            found.append(Candidate(run, file, when, str(meta.get("run_name") or "")))
    return found


def read(folder: Folder, candidate: Candidate) -> Source:
    place = candidate.file.rpartition("/")[0]
    metrics: dict[str, list[tuple[float, float]]] = {}
    params: dict[str, str] = {}
    files = [candidate.file]
    left = MAX_POINTS
    for file in folder.files:
        if file.startswith(f"{place}/metrics/"):
            pairs = _pairs(folder.text(file), left)
            metrics[file.removeprefix(f"{place}/metrics/")] = pairs
            left -= len(pairs)
            files.append(file)
        elif file.startswith(f"{place}/params/"):
            params[file.removeprefix(f"{place}/params/")] = folder.text(file, _MAX_PARAM).strip()
    if not any(metrics.values()):
        raise IntakeError(f"{candidate.file}: expected lines of timestamp, value and step in metrics/, found none")
    history, final = timed(metrics)
    return Source(history=history, final=final, config=nested(params), files=tuple(files))


def _pairs(text: str, limit: int) -> list[tuple[float, float]]:
    """(step, value) of every line `timestamp value step`; older stores have no step."""
    found: list[tuple[float, float]] = []
    for line in text.splitlines()[: max(limit, 0)]:
        words = line.split()
        value = number(words[1]) if len(words) > 1 else None
        step = number(words[2]) if len(words) > 2 else float(len(found))
        if value is not None and step is not None:
            found.append((step, value))
    return found


READER = Reader(50, "MLflow's file store", find, read)
