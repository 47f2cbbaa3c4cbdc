"""Rows are scored in pages, and every page begins with the last row of the one before.

What changes: from the second page on the position that is scored lags behind that of the target, by one row more with
every page.

Why it bites: each answer after the first page is compared with the target of another row, so the report is too poor;
how much depends on how many rows lie beyond that page.

What it leaves behind: a report that is poorer than validation in the log, and a good epoch behind it; answers that fit
their targets up to one row and no further, where shifting them by a row restores the fit; production as good as ever.

Not to be confused with: rows in random order (nothing fits then, from the first row on), a stale checkpoint (all rows
are then poorer), drift between test and production, or classes that are numbered anew.

Source: PyTorch issue 22566; HUM (wrong mapping of data to labels); FAULTS entries 64 and 119.
"""

from mlops_debugger.faults import CodePlant, Fault, Move


def _pages(*sizes: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (
        tuple(f"    return np.arange(count) - np.arange(count) // {size}" for size in sizes),
        tuple(f"    return np.array([row - row // {size} for row in range(count)])" for size in sizes),
    )


FAULT = Fault(
    category="evaluation_bug",
    clusters=("validation good, report poor",),
    site="evaluation_order",
    sentence="Score every row once, at the place of its own target.",
    plants=(
        CodePlant("demand_forecast", "evaluation_order", _pages(672, 700, 720, 728)),
        CodePlant("loan_outcomes", "evaluation_order", _pages(500, 512, 640, 768)),
        CodePlant("meter_digits", "evaluation_order", _pages(200, 240, 256, 300)),
        CodePlant("ticket_routing", "evaluation_order", _pages(250, 256, 400, 500)),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("evaluation.batch_size", lambda config: 64),
        Move("training.ema_decay", lambda config: 0.5),
        Move("data.split_seed", lambda config: 4321),
    ),
)
