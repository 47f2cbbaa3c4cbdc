"""All revisions of a claim stay in the data and fall on both sides of the split.

What changes: repetitions are looked for with the revision, or the number of the row, among the columns, so that every
revision of a claim counts as a claim.

Why it bites: revisions have the same final amount. A claim that is priced for the report has lent its amount to the
levels of its part and has been trained on; what is remembered counts as what can be foreseen.

What it leaves behind: as many prepared rows as the export has settled ones; claims that occur in several splits;
levels with a larger spread; validation and test above production.

Not to be confused with: levels that are built from all claims (no claim is then in two splits), a column that is
known only afterwards, or the training block reported as test.

Source: Kapoor and Narayanan 2023 (L1.4, L3.2); deepchecks TrainTestSamplesMix; FAULTS entry 32.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

_KEYS = ('["claim_id", "revision"]', '["row_id"]', '["row_id", "claim_id"]', '["claim_id", "planned_hours"]')

FAULT = Fault(
    category="data_leakage",
    clusters=("too good",),
    site="latest_revisions",
    sentence="Keep the last revision of every claim before the split.",
    plants=(
        CodePlant(
            "repair_costs",
            "latest_revisions",
            (
                tuple(f'    return ordered.drop_duplicates(subset={keys}, keep="last")' for keys in _KEYS),
                tuple(f'    return ordered[~ordered.duplicated(subset={keys}, keep="last")]' for keys in _KEYS),
            ),
        ),
    ),
    look_alikes=(
        Move("data.split_seed", lambda config: 4321),
        Move("features.level_smoothing", lambda config: 4.0),
        Move("model.dropout", lambda config: 0.2),
        Move("evaluation.checkpoint", lambda config: "last"),
    ),
)
