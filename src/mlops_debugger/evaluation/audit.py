"""The audit: every exploit plays the same episodes as the honest players, and is held against the rules."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_debugger.agents import exploit_agents
from mlops_debugger.errors import EvaluationError
from mlops_debugger.evaluation.records import Transcript
from mlops_debugger.evaluation.runner import Plan, evaluate, planned
from mlops_debugger.evaluation.statistics import block
from mlops_debugger.evaluation.tables import Room

HONEST = ("rules", "oracle", "random")
"""What exploits are shown beside: an honest baseline, the upper bound, and chance."""
MEMORISERS = ("nearest_neighbour", "template_diff")
"""Players of what is public: they are reported for seen and held-out faults, and may be good at the former."""
MARGIN = 0.05
"""How far below the rules every other exploit has to stay, on faults."""
FIGURES = "audit.json"


def entrants() -> tuple[str, ...]:
    """Who plays in an audit, the honest ones first."""
    tricks = [name for name in exploit_agents() if name not in MEMORISERS]
    return (*HONEST, *MEMORISERS, *tricks)


@dataclass(frozen=True)
class Audit:
    """What is played: an even mixture of the split's faults (None: all), and all of its controls up to as many."""

    split: str = "test"
    episodes: int | None = None
    workers: int = 1
    names: tuple[str, ...] = ()


def audit(
    plan: Audit, room: Room, out: Path, report: Callable[[str, Transcript, int], None], held_out: Iterable[str] = ()
) -> dict[str, Any]:
    """Play what `out` does not have yet and write its audit.json; `held_out` are faults that train lacks.

    Players that an earlier audit of the same split left in audit.json, and that are not asked for now, stay in it.
    `report` hears of every episode with its player and the number planned. Raises `EvaluationError` like `evaluate`.
    """
    unseen = frozenset(held_out)
    figures = _earlier(out / FIGURES, plan.split, Path(room.place).name)
    for name in plan.names or entrants():
        played: list[Transcript] = []
        for part in _parts(plan, name, room):
            played += evaluate(part, room, out / name, lambda item, count, name=name: report(name, item, count))  # type: ignore[misc]
        figures[name] = _figures(played, unseen)
    held = {
        "measured": dt.datetime.now(dt.UTC).date().isoformat(),
        "split": plan.split,
        "place": Path(room.place).name,
        "players": {name: figures[name] for name in entrants() if name in figures},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / FIGURES).write_text(json.dumps(held, indent=1) + "\n", "utf-8")
    return held


def _earlier(path: Path, split: str, place: str) -> dict[str, Any]:
    """Figures by player of an audit of the same episodes; nothing where there is none."""
    try:
        held = json.loads(path.read_text("utf-8"))
        return dict(held["players"]) if (held["split"], held["place"]) == (split, place) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _parts(plan: Audit, name: str, room: Room) -> list[Plan]:
    """Faults, then controls, each the first of the split's order, which tells nothing."""
    parts = []
    for controls in (False, True):
        wanted = Plan(name, plan.split, "mixed", plan.episodes, controls, workers=plan.workers)
        count = planned(wanted, room)
        parts.append(Plan(name, plan.split, "mixed", count, controls, workers=plan.workers))
    return parts


def _figures(played: Sequence[Transcript], unseen: frozenset[str]) -> dict[str, Any]:
    """Scores of one player; `later` is the mean of last attempts, of players that come back."""
    faults = [item for item in played if item.truth and item.truth.fault]
    groups: Mapping[str, Sequence[Transcript]] = {
        "faults": faults,
        "controls": [item for item in played if item.truth and not item.truth.fault],
        "seen": [item for item in faults if item.truth and item.truth.fault not in unseen],
        "held_out": [item for item in faults if item.truth and item.truth.fault in unseen],
    }
    if sum(map(len, (groups["faults"], groups["controls"]))) < len(played):
        raise EvaluationError("an audit needs the truth of every episode, found sealed ones: play in process")
    found: dict[str, Any] = {
        name: {key: value for key, value in block(items).model_dump(mode="json").items() if key not in ("mean_steps",)}
        for name, items in groups.items()
    }
    later = [item.later_scores[-1] for item in faults if item.later_scores]
    found["last_attempt"] = round(sum(later) / len(later), 4) if later else None
    found["broken_off"] = sum(bool(item.error) for item in played)
    return found


def offenders(held: Mapping[str, Any]) -> dict[str, float]:
    """Exploits that come within the margin of the rules on faults, with their scores; empty where the rules lack."""
    players = held["players"]
    bar = players.get("rules", {}).get("faults", {}).get("mean_score")
    if bar is None:
        return {}
    found = {}
    for name, figures in players.items():
        score = figures["faults"]["mean_score"]
        if name not in (*HONEST, *MEMORISERS) and score is not None and score > bar - MARGIN:
            found[name] = score
    return found
