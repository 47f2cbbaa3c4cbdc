"""From transcripts to figures: means with 95 % intervals, faults and controls always apart."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypedDict

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy import stats

from mlops_debugger.agents import Usage
from mlops_debugger.evaluation.records import NO_FAULT, Transcript

SOLVED = 0.99
_ORDER = ("easy", "medium", "hard")


class Block(BaseModel):
    """Figures of a group of episodes. Means are over the scored ones; `unscored` counts the others.

    `ci95` is a Student interval of the mean score (None for fewer than two episodes); `rows` are the mean shares of the
    rubric's rows, {} where they were withheld. `mean_tokens` (prompt and completion) and `mean_cost` are per episode
    that used a language model, None where there is none, and no price.
    """

    model_config = ConfigDict(frozen=True)

    episodes: int
    unscored: int
    mean_score: float | None
    ci95: tuple[float, float] | None
    solved_share: float | None
    mean_steps: float | None
    rows: dict[str, float] = {}
    mean_tokens: float | None = None
    mean_cost: float | None = None


class Part(Block):
    """A block with its own table by difficulty."""

    by_difficulty: dict[str, Block] = {}


class Summary(Block):
    """DIR/summary.json. `faults` and `controls` are None, and the tables by category empty, where the truth is sealed.

    `by_category` has a row per failure category, and `no_fault` for the healthy controls. `failed` counts episodes in
    which the agent broke off; they score 0. `usage` sums up what language models were used, a row a model.
    """

    agent: str
    split: str
    task: str
    place: str
    failed: int
    faults: Part | None
    controls: Part | None
    by_difficulty: dict[str, Block]
    by_category: dict[str, Block]
    by_fault: dict[str, Block]
    by_dataset: dict[str, Block]
    usage: dict[str, Usage] = {}


def summarise(transcripts: Sequence[Transcript], *, agent: str, split: str, task: str, place: str) -> Summary:
    """The figures of one agent's episodes."""
    known = [item for item in transcripts if item.truth is not None]
    sealed = len(known) < len(transcripts)
    return Summary(
        **block(transcripts).model_dump(),
        agent=agent,
        split=split,
        task=task,
        place=place,
        failed=sum(bool(item.error) for item in transcripts),
        faults=None if sealed else part([item for item in known if item.truth and not item.truth.is_control]),
        controls=None if sealed else part([item for item in known if item.truth and item.truth.is_control]),
        by_difficulty=grouped(transcripts, lambda item: item.tier),
        by_category={} if sealed else grouped(known, _category),
        by_fault={} if sealed else grouped(known, lambda item: (item.truth.fault if item.truth else "") or NO_FAULT),
        by_dataset=grouped(transcripts, lambda item: item.dataset),
        usage=usage_by_model(transcripts),
    )


def _category(item: Transcript) -> str:
    return (item.truth.category if item.truth else "") or NO_FAULT


def part(transcripts: Sequence[Transcript]) -> Part:
    return Part(**block(transcripts).model_dump(), by_difficulty=grouped(transcripts, lambda item: item.tier))


def grouped(transcripts: Iterable[Transcript], key: Callable[[Transcript], str]) -> dict[str, Block]:
    """Blocks by key; tiers in their order, anything else by name, controls last."""
    groups: dict[str, list[Transcript]] = defaultdict(list)
    for item in transcripts:
        groups[key(item)].append(item)
    names = sorted(groups, key=lambda name: (name == NO_FAULT, _ORDER.index(name) if name in _ORDER else 0, name))
    return {name: block(groups[name]) for name in names}


def block(transcripts: Sequence[Transcript]) -> Block:
    scored = [item for item in transcripts if not item.unscored]
    if not scored:
        return Block(
            episodes=len(transcripts), unscored=len(transcripts),
            mean_score=None, ci95=None, solved_share=None, mean_steps=None, **_spent(transcripts),
        )  # fmt: skip
    scores = [item.score for item in scored]
    names = list(dict.fromkeys(name for item in scored for name in item.rows))
    return Block(
        episodes=len(transcripts),
        unscored=len(transcripts) - len(scored),
        mean_score=_rounded(float(np.mean(scores))),
        ci95=interval(scores),
        solved_share=_rounded(float(np.mean([score >= SOLVED for score in scores]))),
        mean_steps=_rounded(float(np.mean([item.steps for item in scored]))),
        rows={name: _rounded(float(np.mean([item.rows.get(name) or 0.0 for item in scored]))) for name in names},
        **_spent(transcripts),
    )


class _Spent(TypedDict):
    mean_tokens: float | None
    mean_cost: float | None


def _spent(transcripts: Sequence[Transcript]) -> _Spent:
    """Tokens and cost an episode, those included whose score is not known: they were paid for as well."""
    used = [item.usage for item in transcripts if item.usage is not None]
    costs = [item.cost for item in used if item.cost is not None]
    tokens = [item.prompt_tokens + item.completion_tokens for item in used]
    return _Spent(
        mean_tokens=float(np.mean(tokens)) if tokens else None,
        # A mean over some of the episodes would pass for one over all of them.
        mean_cost=float(np.mean(costs)) if costs and len(costs) == len(used) else None,
    )


def usage_by_model(transcripts: Sequence[Transcript]) -> dict[str, Usage]:
    """What was used in all, by model; a cost is None as soon as one episode's is not known."""
    found: dict[str, list[Usage]] = defaultdict(list)
    for item in transcripts:
        if item.usage is not None:
            found[item.usage.model].append(item.usage)
    return {model: _total(model, used) for model, used in sorted(found.items())}


def _total(model: str, used: Sequence[Usage]) -> Usage:
    costs = [item.cost for item in used if item.cost is not None]
    return Usage(
        model=model,
        requests=sum(item.requests for item in used),
        retries=sum(item.retries for item in used),
        prompt_tokens=sum(item.prompt_tokens for item in used),
        cached_tokens=sum(item.cached_tokens for item in used),
        completion_tokens=sum(item.completion_tokens for item in used),
        uncounted=sum(item.uncounted for item in used),
        cost=math.fsum(costs) if len(costs) == len(used) else None,
    )


def interval(scores: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """A Student interval of the mean, clipped to [0, 1]; None for fewer than two scores."""
    if len(scores) < 2:
        return None
    mean = float(np.mean(scores))
    half = float(stats.t.ppf((1 + level) / 2, len(scores) - 1)) * float(np.std(scores, ddof=1)) / math.sqrt(len(scores))
    return _rounded(max(0.0, mean - half)), _rounded(min(1.0, mean + half))


def _rounded(value: float) -> float:
    return round(value, 4)
