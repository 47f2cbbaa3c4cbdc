"""Own runs as ungraded episodes: what was read and found, handed to the environment."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mlops_debugger.contract import ARTIFACTS, ArtifactMeta
from mlops_debugger.environment import OwnCase, OwnSession
from mlops_debugger.environment.investigation import DEFAULT_MAX_STEPS
from mlops_debugger.intake._diagnose import Diagnosis, diagnose
from mlops_debugger.intake._read import read_run
from mlops_debugger.intake._shown import Shown, shown, wanted
from mlops_debugger.intake._sources import printable


def open_episode(
    path: Path, run: str | None = None, *, max_steps: int = DEFAULT_MAX_STEPS, option: str = "run"
) -> OwnSession:
    """Open a folder as an ungraded episode: call `reset`, then `step` until the observation is done.

        session = open_episode(Path("lightning_logs"))
        observation = session.reset()
        observation = session.step(MLOpsAction(action_type="read_logs"))

    The run is chosen as `read_run` does. Checks run here, once, so that no step needs a heavy library. Raises
    `IntakeError` where nothing can be read.
    """
    return OwnSession(own_case(diagnose(read_run(path, run, option=option))), max_steps=max_steps)


def own_case(found: Diagnosis) -> OwnCase:
    """What an episode shows of a run that was read and checked."""
    artifacts = shown(found.run)
    findings = {
        name: {
            **finding.as_dict(),
            "would_allow_more": [{"what": need.allows, "give": need.file} for need in found.needs[name]],
        }
        for name, finding in found.findings.items()
    }
    return OwnCase(
        run_id=_run_id(found),
        run_summary=_summary(found),
        artifact_meta=tuple(_meta(found, name, item) for name, item in artifacts.items()),
        artifacts={name: item.text for name, item in artifacts.items()},
        findings=findings,
        absent={name: wanted(name) for name in ARTIFACTS if name not in artifacts},
        notes=found.run.notes,
    )


def _run_id(found: Diagnosis) -> str:
    run = next((source.run for source in found.run.sources if source.run and source.run not in source.files), "")
    return printable(run or found.run.path.resolve().name) or "run"


def _summary(found: Diagnosis) -> dict[str, Any]:
    """What reset shows; None where the run does not tell."""
    run = found.run
    losses = run.view.arrays.get("epoch.train_loss", np.zeros(0)).ravel()
    last = float(losses[-1]) if losses.size else None
    crashed = "Traceback (most recent call last)" in run.view.artifacts.get("train.log", "")
    ended = "crashed" if crashed else run.view.meta.get("ended")
    return {
        "model": None,
        "dataset": printable(run.path.resolve().name),
        "final_loss": None if last is None else float(f"{last:.4g}"),
        "training_status": ended if isinstance(ended, str) else "unknown",
        "read_by": [source.reader for source in run.sources],
    }


def _meta(found: Diagnosis, name: str, item: Shown) -> ArtifactMeta:
    size = f"{len(item.text.splitlines())} lines"
    if name.endswith(".json"):
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            size = f"{len(json.loads(item.text))} fields"
    return ArtifactMeta(
        name=name, description=printable(item.origin), size_hint=size, last_modified=_modified(found, item)
    )


def _modified(found: Diagnosis, item: Shown) -> str:
    """When the newest of its files was written."""
    root = found.run.path.resolve()
    root = root if root.is_dir() else root.parent
    times = []
    for file in item.files:
        try:
            times.append((root / file).stat().st_mtime)
        except (OSError, ValueError):
            continue
    return datetime.fromtimestamp(max(times), UTC).strftime("%Y-%m-%d %H:%M") if times else "unknown"
