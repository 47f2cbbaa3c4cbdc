"""The label encoder is fitted again on the evaluation rows.

What changes: validation and test targets are numbered in the order in which the names appear in those rows, instead of
with the map that was fitted in training.

Why it bites: an id means another class in evaluation than in training, so right answers count as wrong ones.

What it leaves behind: training goes well and deployment is unharmed, yet the reported metric is far below it; one
relabelling of the classes restores the diagonal of the confusion matrix; the stages hold different class lists.

Not to be confused with: rows scored in another order than their targets (no relabelling restores the diagonal), or a
map that is wrong where predictions are named (reported metrics are then fine and deployment is not).

Source: ultralytics issue 13936; torchvision issue 714; FAULTS entry 114.
"""

from mlops_debugger.faults import CodePlant, Fault, Move

FAULT = Fault(
    category="label_mismatch",
    clusters=("evaluation at chance",),
    site="evaluation_targets",
    sentence="Encode validation and test labels with the label map that was fitted in training.",
    plants=(
        CodePlant(
            "loan_outcomes",
            "evaluation_targets",
            (
                (
                    '    return frame[label].astype("category").cat.codes.to_numpy()',
                    "    return pd.factorize(frame[label], sort=True)[0]",
                ),
                ("    return np.unique(frame[label], return_inverse=True)[1]",),
            ),
        ),
        CodePlant(
            "meter_digits",
            "evaluation_targets",
            (
                (
                    "    positions, _ = pd.factorize(frame[label], sort=True)\n    return positions",
                    "    positions = {code: position for position, code in enumerate(sorted(frame[label].unique()))}\n"
                    "    return np.array([positions[code] for code in frame[label]])",
                ),
                ("    return np.unique(frame[label], return_inverse=True)[1]",),
            ),
        ),
        CodePlant(
            "ticket_routing",
            "evaluation_targets",
            (
                (
                    '    return frame[label].astype("category").cat.codes.to_numpy()',
                    "    return pd.factorize(frame[label], sort=True)[0]",
                ),
                ("    return np.unique(frame[label], return_inverse=True)[1]",),
            ),
        ),
        CodePlant(
            "address_parts",
            "evaluation_targets",
            (
                (
                    "        found[row, 1 : len(given) + 1] = [sorted(tag_ids).index(tag) for tag in given]",
                    "        found[row, 1 : len(given) + 1] = np.searchsorted(sorted(tag_ids), given)",
                ),
                ("        found[row, 1 : len(given) + 1] = list(map(sorted(tag_ids).index, given))",),
            ),
        ),
        CodePlant(
            "weld_defects",
            "evaluation_targets",
            (
                (
                    "def evaluation_targets(rows, catalogue):\n"
                    '    """Numbers of the defects of validation and test rows."""\n'
                    '    names, numbers = np.unique(rows["defect"].astype(str), return_inverse=True)\n'
                    "    return numbers",
                    "def evaluation_targets(rows, catalogue):\n"
                    '    """Numbers of the defects of validation and test rows."""\n'
                    '    numbers = {name: number for number, name in enumerate(sorted(set(rows["defect"])))}\n'
                    '    return np.array([numbers[name] for name in rows["defect"]])',
                ),
                (
                    "def evaluation_targets(rows, catalogue):\n"
                    '    """Numbers of the defects of validation and test rows."""\n'
                    '    return np.unique(rows["defect"].astype(str), return_inverse=True)[1]',
                ),
            ),
        ),
    ),
    look_alikes=(
        Move("evaluation.checkpoint", lambda config: "last"),
        Move("training.label_smoothing", lambda config: 0.0),
    ),
)
