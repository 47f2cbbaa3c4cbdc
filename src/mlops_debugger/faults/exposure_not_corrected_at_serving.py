"""Served pictures are not corrected for their exposure.

What changes: a tray's pictures all count as exposed for the same time, the tray's average or a fixed one.

Why it bites: the line sets the exposure of every picture; without the correction a picture's level and contrast are up to
half or twice what the network knows.

What it leaves behind: training, validation and test as good as ever; production poorer, most at short and long
exposures, with answers that are no less sure.

Not to be confused with: drift of the lamps, lights in another order, a window at another place, or levels that are not
applied (the report would suffer too).

Source: Sculley et al. NeurIPS 2015 (training and serving skew); practice in industrial imaging.
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

_CONSTANT = (
    '    rows["exposure_ms"] = np.full(len(pictures), rows["exposure_us"].mean() / 1000.0)',
    '    rows["exposure_ms"] = np.full(len(pictures), np.median(rows["exposure_us"]) / 1000.0)',
    '    rows["exposure_ms"] = np.full(len(pictures), 10.0)',
)

FAULT = Fault(
    category="preprocessing_bug",
    clusters=("deployment poor",),
    site="tray_exposure",
    sentence="Convert the exposure of every served picture from microseconds to milliseconds.",
    plants=(CodePlant("weld_defects", "tray_exposure", (_CONSTANT, _CONSTANT)),),
    look_alikes=(
        Move("augment.relight", lambda config: 0.2),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.25),
    ),
)
