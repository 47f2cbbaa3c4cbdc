"""The history of a card is what it did afterwards.

What changes: transactions of a card are ordered from the last to the first, so the rows before a transaction are the later ones.

Why it bites: a card is blocked after a fraud: the pause that follows gives the answer away, and nobody knows it when a request comes.

What it leaves behind: validation and test as good as ever or better, production at chance or below; the first transaction of a card has a history and the last has none.

Not to be confused with: drift, a request that is read in other units, or a random split.

Source: Kapoor and Narayanan 2023, L3.1; Kaufman et al. 2012 on leakage by time.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="data_leakage",
    clusters=(
        "too good",
        "deployment poor",
    ),
    site="earlier_rows",
    sentence="Order a card's transactions from the first to the last.",
    plants=(
        CodePlant(
            "card_fraud",
            "earlier_rows",
            (
                (
                    '        order = np.lexsort((-table["when"], table["card"]))',
                    '        order = np.lexsort((table["when"], table["card"]))[::-1]',
                ),
                ('        keys = -table["when"], table["card"]\n        order = np.lexsort(keys)',),
            ),
        ),
    ),
    look_alikes=(
        Move("data.test_share", lambda config: 0.35),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("model.dropout", lambda config: 0.4),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
