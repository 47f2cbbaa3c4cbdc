"""Settling: what cured one scenario of a fault on a project is tried on those that were proven before it."""

from __future__ import annotations

import time

from mlops_debugger.errors import ForgeError
from mlops_debugger.forge.carry import planted_again
from mlops_debugger.forge.prove import Prover, unspecific
from mlops_debugger.forge.unit import Try
from mlops_debugger.runs.pool import TrainerPool

PLANTED_OTHERWISE = "planted otherwise now"
"""A reason for a rejection: the journal is older than the project or the fault."""


def settle(outcome: Try, sites: tuple[str, ...], pool: TrainerPool) -> Try:
    """A proven try once its scenario met the counter edits at `sites`: with the answers that cured, or rejected.

    `sites` are new to it: one that it met before would become an answer twice.
    """
    scenario = outcome.draft
    if scenario is None:
        raise ForgeError(
            f"expected a proven try of {outcome.fault} on {outcome.project}, found a rejected one: {outcome.reason}"
        )
    started = time.process_time()
    planted = planted_again(scenario)
    if planted is None:
        return outcome.model_copy(update={"draft": None, "reason": PLANTED_OTHERWISE})
    prover = Prover(planted, scenario.run_seeds, scenario.run_id, scenario.started_at, pool)
    others, tried = prover.cures(scenario.proofs, scenario.sigma, everywhere=False, sites=sites)
    answers = (*scenario.answers, *others)
    spent: dict[str, object] = {
        "runs": outcome.runs + prover.runs,
        "cpu": outcome.cpu + time.process_time() - started,
        "counters": (*outcome.counters, *tried),
        "countered_at": tuple(sorted({*outcome.countered_at, *sites})),
    }
    if rejected := unspecific(answers[1:], tried):
        return outcome.model_copy(update={"draft": None, "reason": rejected.reason, "detail": rejected.detail, **spent})
    return outcome.model_copy(update={"draft": scenario.model_copy(update={"answers": answers}), **spent})
