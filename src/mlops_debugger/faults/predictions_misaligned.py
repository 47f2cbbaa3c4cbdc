"""Rows are scored in another order than their targets.

What changes: the order in which evaluation rows are scored is random, while the targets stay in file order.

Why it bites: each prediction is compared with the target of another row, so the report is at chance whatever the
model is worth.

What it leaves behind: validation in the log is good, the report is at chance, the confusion matrix is the product of
its margins; production is fine.

Not to be confused with: an evaluation that numbers classes anew (a relabelling then restores the metric), or a poor
checkpoint.

Source: PyTorch issue 22566; FAULTS entry 64.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="evaluation_bug",
    clusters=("validation good, report poor",),
    site="evaluation_order",
    sentence="Score the evaluation rows in the order of their targets.",
    plants=(
        CodePlant(
            "loan_outcomes",
            "evaluation_order",
            (
                (
                    "    return np.random.default_rng(seed).permutation(count)",
                    "    return np.random.RandomState(seed).permutation(count)",
                ),
                ("    return np.random.default_rng(seed).permutation(count)",),
            ),
        ),
        CodePlant(
            "meter_digits",
            "evaluation_order",
            (
                (
                    "    return np.random.default_rng(seed).permutation(count)",
                    "    return np.random.RandomState(seed).permutation(count)",
                ),
                ("    return np.random.default_rng(seed).permutation(count)",),
            ),
        ),
        CodePlant(
            "ticket_routing",
            "evaluation_order",
            (
                (
                    "    return np.random.default_rng(seed).permutation(count)",
                    "    return np.random.RandomState(seed).permutation(count)",
                ),
                ("    return np.random.default_rng(seed).permutation(count)",),
            ),
        ),
        CodePlant(
            "address_parts",
            "evaluation_order",
            (
                (
                    "    return np.random.default_rng(seed).permutation(count)",
                    "    return np.random.RandomState(seed).permutation(count)",
                ),
                ("    return np.random.default_rng(seed).permutation(count)",),
            ),
        ),
        CodePlant(
            "review_stars",
            "evaluation_order",
            (
                (
                    "    return np.random.default_rng(seed).permutation(count)",
                    "    return np.random.RandomState(seed).permutation(count)",
                ),
                ("    return np.random.default_rng(seed).permutation(count)",),
            ),
        ),
        CodePlant(
            "card_fraud",
            "evaluation_order",
            (
                (
                    "    return np.random.default_rng(seed).permutation(count)",
                    "    return np.random.RandomState(seed).permutation(count)",
                ),
                ("    return np.random.default_rng(seed).permutation(count)",),
            ),
        ),
        CodePlant(
            "weld_defects",
            "evaluation_order",
            (
                (
                    "    return np.random.default_rng(seed).permutation(count)",
                    "    return np.random.RandomState(seed).permutation(count)",
                ),
                ("    return np.random.default_rng(seed).permutation(count)",),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("evaluation.batch_size", lambda config: 64),
    ),
)
