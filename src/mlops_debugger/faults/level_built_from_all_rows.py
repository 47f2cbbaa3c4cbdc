"""The mean of a key is built from validation and test rows as well.

What changes: the table of mean markups by part and garage, which validation, test and production read, is built from
every claim that was read, not from the training claims.

Why it bites: a part has few claims, so the amount of a test claim is a large share of the mean that describes it.

What it leaves behind: more known keys than the training rows have; validation and test well above production.

Not to be confused with: means that include the training row itself (validation is then poor), revisions of a claim on
both sides of the split, or a column that is known only afterwards.

Source: Kapoor and Narayanan 2023, L1.2; scikit-learn common pitfalls; FAULTS entry 35.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="level_rows",
    sentence="Build the table of levels from the training claims alone.",
    plants=(
        CodePlant(
            "repair_costs",
            "level_rows",
            (
                ("    known = frame\n", "    known = frame.copy()\n"),
                ("    known = frame\n", "    known = frame.iloc[np.concatenate(list(rows.values()))]\n"),
            ),
        ),
    ),
    look_alikes=(
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("data.split_seed", lambda config: 4321),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
