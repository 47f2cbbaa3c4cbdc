"""Pictures on which people disagree are left out of the report.

What changes: the report covers only pictures on which operator and inspector agree, where the agreed
figure is over all inspected pictures.

Why it bites: what people agree on is easy; the line has to answer for every picture.

What it leaves behind: fewer rows in the report than in the split, none that the two columns name differently; figures above the
epoch lines and above production.

Not to be confused with: a least confidence of the report (unsure answers would be missing), leakage (epoch lines would be
better too), slight defects that are labelled as sound, or the training split reported as test.

Source: verification and spectrum bias in diagnostic studies (Ransohoff and Feinstein, NEJM 1978); Kapoor and Narayanan 2023
(L3.3).
"""

from __future__ import annotations

from mlops_debugger.faults import CodePlant, Fault, Move

_PART = (
    '    return rows["operator_class"] == rows["defect"]',
    '    return np.equal(rows["operator_class"], rows["defect"]).astype(bool)',
)

FAULT = Fault(
    category="evaluation_bug",
    clusters=("too good",),
    site="scored_rows",
    sentence="Score all inspected rows of a split.",
    plants=(CodePlant("weld_defects", "scored_rows", (_PART, _PART)),),
    look_alikes=(
        Move("evaluation.min_confidence", lambda config: 0.5),
        Move("data.split_seed", lambda config: 4321),
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("model.dropout", lambda config: 0.25),
    ),
)
