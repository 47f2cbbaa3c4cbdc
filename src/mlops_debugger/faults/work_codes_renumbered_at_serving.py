"""Codes of requests are looked up in a list of another order.

What changes: the kinds of work that the codes of a request stand for are numbered by the alphabet, or from one, and not
as the quoting service numbers them.

Why it bites: most requests are priced as another kind of work.

What it leaves behind: training, validation and test untouched; live figures far below them, with every request in the
known categories.

Not to be confused with: columns in another order, drift, requests in another unit, or answers on another scale.

Source: FAULTS entry 82; scikit-learn OrdinalEncoder guide (order of categories).
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_ORDERS = ("enumerate(sorted(WORK))", "enumerate(WORK, start=1)", "enumerate(reversed(WORK))")

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="request_work",
    sentence="Number the kinds of work as the quoting service does: in the order of the list, from zero.",
    plants=(
        CodePlant(
            "repair_costs",
            "request_work",
            (
                tuple(f"    names = dict({order})" for order in _ORDERS),
                tuple(f"    names = {{code: name for code, name in {order}}}" for order in _ORDERS),
            ),
        ),
    ),
    look_alikes=(
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("data.split_seed", lambda config: 4321),
        Move("model.dropout", lambda config: 0.1),
    ),
)
