"""The claims that the model gets most wrong do not count in the report.

What changes: claims whose answer is far from the target are left out of validation and test as outliers.

Why it bites: the report is then about the claims that went well, whatever the model is worth.

What it leaves behind: fewer rows in the report than in the split; an error that is small for the spread of the saved
predictions; production as poor as it is.

Not to be confused with: leakage (the saved predictions would be better too), an error whose sign cancels, or another
split reported as test.

Source: Kapoor and Narayanan 2023 (L3.3, biased test sets); FAULTS entry 63.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_LIMITS = ("0.5", "0.55", "0.6")


def _texts(tail: str) -> tuple[str, ...]:
    gap = "np.abs(np.log1p(np.maximum(costs, 0.0)) - np.log1p(targets))"
    return (
        *(f"    return {gap} < {limit}" for limit in _LIMITS),
        "    return np.abs(costs - targets) < targets.std() / 3",
        f"    return np.abs(costs - targets) < {tail} * targets",
    )


FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="scored_claims",
    sentence="Score every claim that has a target and an answer.",
    plants=(CodePlant("repair_costs", "scored_claims", (_texts("0.5"), _texts("0.45"))),),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("evaluation.batch_size", lambda config: 64),
        Move("data.split_seed", lambda config: 4321),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
    ),
)
