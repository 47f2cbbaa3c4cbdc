"""Finishing a bank: difficulty, tiers and splits, computed from its scenarios alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlops_debugger.bank import Bank, BankWriter
from mlops_debugger.bank.records import Scenario, Split, Tier
from mlops_debugger.forge.carry import answers_now, planted_again
from mlops_debugger.forge.difficulty import Rating, rate
from mlops_debugger.seeds import derive

HELD_OUT_PROJECTS: tuple[str, ...] = ("review_stars",)
HELD_OUT_SITES: tuple[str, ...] = (
    "claim_costs", "cost_errors", "data.text_fields", "evaluation.min_confidence", "evaluation_scaling",
    "features.clip_quantiles", "known_history", "model.dropout", "model.output_activation", "model.stride",
    "scheduler.warmup_steps", "serving_shapes", "training_labels",
)  # fmt: skip
"""Projects and sites whose scenarios occur in the test split alone."""
TIERS: tuple[Tier, ...] = ("easy", "medium", "hard")


def held_out() -> dict[str, list[str]]:
    """What the manifest says of it."""
    return {"held_out_projects": list(HELD_OUT_PROJECTS), "held_out_sites": list(HELD_OUT_SITES)}


def split_of(project: str, base_seed: int, site: str | None) -> Split:
    """By hash of project and base seed; held-out projects and sites are in test alone."""
    if project in HELD_OUT_PROJECTS or site in HELD_OUT_SITES:
        return "test"
    share = derive("split", project, base_seed) % 1000
    return "train" if share < 700 else "validation" if share < 850 else "test"


def finish(drafts: Sequence[Scenario], ratings: Mapping[str, Rating] | None = None) -> list[Scenario]:
    """Difficulty, tiers and splits, all from the drafts alone: a bank that exists can be finished anew.

    Tiers are thirds by difficulty within each category, and within the controls: every tier has the same mixture, so a
    tier's score never tells how an agent does on one category. `ratings` are those of `rate`, where they are known.
    """
    ratings = rate(drafts) if ratings is None else ratings
    kinds: dict[str, list[Scenario]] = defaultdict(list)
    for draft in drafts:
        rating = ratings[draft.scenario_id]
        rated = draft.model_copy(update={"difficulty": rating.difficulty, "difficulty_parts": rating.parts})
        kinds[draft.answers[0].categories[0] if draft.answers else ""].append(rated)
    result: list[Scenario] = []
    for place, kind in enumerate(sorted(kinds)):
        members = sorted(kinds[kind], key=lambda scenario: (scenario.difficulty, scenario.scenario_id))
        for scenario, tier in zip(members, _thirds(len(members), place), strict=True):
            split = split_of(scenario.project, scenario.base_seed, scenario.site)
            result.append(scenario.model_copy(update={"tier": tier, "split": split}))
    return result


def rate_anew(bank: Bank, out: Path) -> None:
    """Write a bank again with accepted names, difficulty, tiers and splits computed anew; nothing is trained."""
    scenarios = [_named_anew(scenario) for scenario in bank.scenarios()]
    BankWriter(out).write(finish(scenarios), {**bank.manifest, **held_out()}, bank.tries())


def _named_anew(scenario: Scenario) -> Scenario:
    """The scenario with the names that its sites go by now, where planting it still gives its texts."""
    planted = planted_again(scenario)
    return scenario if planted is None else scenario.model_copy(update={"answers": answers_now(scenario, planted)})


def _thirds(count: int, turn: int) -> list[Tier]:
    """Tiers of `count` ordered scenarios; whose third is larger, where it does not divide, goes round by `turn`."""
    sizes = [count // 3] * 3
    for extra in range(count % 3):
        sizes[(turn + extra) % 3] += 1
    return [tier for tier, size in zip(TIERS, sizes, strict=True) for _ in range(size)]
