"""A table of metrics that no other reader knows: CSV or JSON lines with a loss beside an epoch or a step."""

from __future__ import annotations

from mlops_debugger.intake._files import Folder
from mlops_debugger.intake._metric_tables import EPOCHS, STEPS, csv_history, header, jsonl_history
from mlops_debugger.intake._names import figure
from mlops_debugger.intake._sources import Candidate, Reader, Source
from mlops_debugger.intake.readers.lightning import find as lightning_runs

_NAMES = ("metrics", "history", "log", "logs", "train_log", "training_log", "training", "train", "results", "progress")


def find(folder: Folder) -> list[Candidate]:
    """Files that are called like a history of training and look like one."""
    others = {candidate.file for candidate in lightning_runs(folder)}
    found = []
    for file in folder.named(*(f"{name}{end}" for name in _NAMES for end in (".csv", ".tsv", ".jsonl"))):
        if file not in others and (file.endswith(".jsonl") or _looks(header(folder, file))):
            found.append(Candidate(file, file, folder.modified(file)))
    return found


def _looks(names: list[str]) -> bool:
    figures = [told for name in names if (told := figure(name)) is not None]
    return any(told.what == "loss" for told in figures) or (
        bool(figures) and any(name in names for name in (*STEPS, *EPOCHS))
    )


def read(folder: Folder, candidate: Candidate) -> Source:
    reading = jsonl_history if candidate.file.endswith(".jsonl") else csv_history
    history = reading(folder, candidate.file)
    return Source(history=history, files=(candidate.file,))


READER = Reader(90, "CSV or JSON lines of metrics", find, read)
