"""Lightning: metrics.csv of the CSVLogger, a version each, with its hparams.yaml."""

from __future__ import annotations

import re

from mlops_debugger.errors import IntakeError
from mlops_debugger.intake._files import Folder
from mlops_debugger.intake._metric_tables import csv_history, header
from mlops_debugger.intake._sources import Candidate, Point, Reader, Source

_VERSION = re.compile(r"(?:^|/)version_\d+$")


def find(folder: Folder) -> list[Candidate]:
    """Folders with a metrics.csv that has epochs and steps, and hparams.yaml or the name of a version."""
    found = []
    for file in folder.named("metrics.csv"):
        place = file.rpartition("/")[0]
        beside = f"{place}/hparams.yaml".lstrip("/") in folder.files
        if (beside or _VERSION.search(place)) and {"epoch", "step"} <= set(header(folder, file)):
            found.append(Candidate(place, file, _when(folder, file, place)))
    return found


def _when(folder: Folder, file: str, place: str) -> float:
    """The version, which Lightning counts up (times of files do not survive a copy); else when it was written."""
    version = place.rpartition("version_")[2]
    return float(min(int(version), 10**6)) if version.isdecimal() else folder.modified(file)


def read(folder: Folder, candidate: Candidate) -> Source:
    history = csv_history(folder, candidate.file)
    final: dict[str, float] = {}
    for name in [name for name in history if name.startswith("test")]:
        # Testing counts as one more epoch, which was none.
        final[name] = history.pop(name)[-1].value
    notes: list[str] = []
    config: dict[str, object] = {}
    beside = f"{candidate.run}/hparams.yaml".lstrip("/")
    if beside in folder.files:
        try:
            config = folder.yaml(beside)
        except IntakeError as error:
            notes.append(f"left out: {error}")
    files = (candidate.file, beside) if config else (candidate.file,)
    return Source(
        history=_from_one(history), final=final, config=config, files=files, notes=tuple(notes), counts_updates=True
    )


def _from_one(history: dict[str, list[Point]]) -> dict[str, list[Point]]:
    """Lightning counts epochs and steps from 0; here both count what has been done."""
    return {
        name: [
            Point(p.value, None if p.step is None else p.step + 1, None if p.epoch is None else p.epoch + 1)
            for p in points
        ]
        for name, points in history.items()
    }


READER = Reader(30, "Lightning metrics.csv", find, read)
