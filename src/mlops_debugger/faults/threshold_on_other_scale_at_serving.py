"""Served scores are not on the scale of the threshold.

What changes: the gateway compares probabilities among thinned rows with a threshold that was set on probabilities among all.

Why it bites: thinning makes fraud look more frequent, so far too many requests are above the threshold.

What it leaves behind: validation and test as agreed; served scores with a higher mean than those of test, and more alerts than frauds.

Not to be confused with: drift in the share of frauds, or a threshold that is set on the wrong rows (the report shows that).

Source: Dal Pozzolo et al. 2015 on undersampling and calibration; FAULTS section 2.3.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="evaluation_bug",
    clusters=("deployment poor",),
    site="serving_scores",
    sentence="Convert served probabilities to those among all transactions.",
    plants=(
        CodePlant(
            "card_fraud",
            "serving_scores",
            (
                (
                    "    return probabilities",
                    "    return np.asarray(probabilities)",
                ),
                (
                    "    scores = np.asarray(probabilities)\n    return scores",
                    "    scores = probabilities.copy()\n    return scores",
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("features.clip_quantiles", lambda config: [0.05, 0.95]),
        Move("model.dropout", lambda config: 0.1),
    ),
    also=("preprocessing_bug",),
)
