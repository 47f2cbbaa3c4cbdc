"""The report covers claims of ordinary size alone.

What changes: only claims whose target lies in the middle of the distribution count in validation and test.

Why it bites: a regression errs most at both ends, where it draws answers towards the middle; a quote is due there too.

What it leaves behind: fewer rows in the report than in the split, a narrower range of targets; production poorer than
the report.

Not to be confused with: claims left out by their error, bounds on the inputs, or a target that was capped.

Source: Kapoor and Narayanan 2023 (L3.3, biased test sets).
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_BOUNDS = ("[0.3, 0.7]", "[0.25, 0.75]", "[0.3, 0.75]")


def _texts(form: str) -> tuple[str, ...]:
    return tuple(form.format(bounds=bounds) for bounds in _BOUNDS)


FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="scored_claims",
    sentence="Score claims of every size.",
    plants=(
        CodePlant(
            "repair_costs",
            "scored_claims",
            (
                _texts("    return np.digitize(targets, np.quantile(targets, {bounds})) == 1"),
                _texts("    return np.searchsorted(np.quantile(targets, {bounds}), targets) == 1"),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("evaluation.batch_size", lambda config: 64),
        Move("data.split_seed", lambda config: 4321),
    ),
)
