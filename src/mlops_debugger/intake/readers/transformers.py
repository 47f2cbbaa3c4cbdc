"""Hugging Face Trainer: trainer_state.json, of the run or of its last checkpoint; training_args.bin is a pickle."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlops_debugger.errors import IntakeError
from mlops_debugger.intake._files import Folder
from mlops_debugger.intake._sources import Candidate, Point, Reader, Source, number

_CHECKPOINT = re.compile(r"(?:^|/)checkpoint-(\d{1,12})/")
_SUMMARY = "train_runtime"


def find(folder: Folder) -> list[Candidate]:
    """A run each: of its states the run's own, else that of the last checkpoint."""
    newest: dict[str, tuple[float, str]] = {}
    for file in folder.named("trainer_state.json"):
        match = _CHECKPOINT.search(file)
        run = (file[: match.start()] if match else file.rpartition("/")[0]).strip("/")
        step = float(match[1]) if match else float("inf")
        if run not in newest or newest[run][0] < step:
            newest[run] = (step, file)
    return [Candidate(run, file, folder.modified(file)) for run, (_, file) in newest.items()]


def read(folder: Folder, candidate: Candidate) -> Source:
    state = folder.json(candidate.file)
    logged = state.get("log_history")
    if not isinstance(logged, list):
        raise IntakeError(
            f"{candidate.file}: expected a list log_history, found none: is it written by transformers.Trainer?"
        )
    history: dict[str, list[Point]] = {}
    final: dict[str, float] = {}
    for row in logged:
        if not isinstance(row, Mapping):
            continue
        if _SUMMARY in row:
            # The last row averages the loss over the whole run: it belongs to no epoch.
            continue
        step, epoch = number(row.get("step")), number(row.get("epoch"))
        for name, item in row.items():
            value = number(item)
            if value is None or name in ("step", "epoch"):
                continue
            if str(name).startswith("test_"):
                final[str(name)] = value
            else:
                history.setdefault(str(name), []).append(Point(value, step, epoch))
    config = {
        name: state[name]
        for name in ("num_train_epochs", "max_steps", "logging_steps", "eval_steps")
        if number(state.get(name)) is not None
    }
    meta: dict[str, object] = {}
    done, planned = number(state.get("global_step")), number(state.get("max_steps"))
    if done is not None and planned is not None and planned > 0:
        if done >= planned:
            meta["ended"] = "completed"
        elif not _CHECKPOINT.search(candidate.file):
            meta["ended"] = "stopped_early"
    notes = (
        "training_args.bin is a pickle and was not read: batch size and world size are unknown; give config.yaml "
        "with them if updates are to be checked",
    )
    return Source(
        history=history, final=final, config=config, meta=meta, files=(candidate.file,), notes=notes,
        counts_updates=True,
    )  # fmt: skip


READER = Reader(20, "Hugging Face trainer_state.json", find, read)
