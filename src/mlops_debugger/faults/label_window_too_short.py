"""Reports after a few days do not count.

What changes: the window within which a report makes a transaction a fraud is a few days long, not weeks.

Why it bites: frauds online and by phone turn up on the statement: most of them are taught as legitimate.

What it leaves behind: a share of frauds well below the agreed one; recall in production is low, validation and test share the definition.

Not to be confused with: class imbalance, rows whose window is open (test alone is then off), or a threshold that is too high.

Source: Dal Pozzolo et al. 2018 on verification latency; FAULTS section 2.5.
"""

from __future__ import annotations

from mlops_debugger.faults import ConfigPlant, Fault, Move
from mlops_debugger.faults._values import one_of

FAULT = Fault(
    category="label_mismatch",
    clusters=(
        "a class lost",
        "deployment poor",
    ),
    site="data.label_window_days",
    sentence="Use the window that was agreed on for the label.",
    plants=(
        ConfigPlant(
            "data.label_window_days",
            lambda rng, config: one_of(rng, (5, 6, 7, 8, 9, 10)),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("model.dropout", lambda config: 0.1),
    ),
)
