"""What was asked and answered in an episode, step by step: all that the web page may draw from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_debugger.contract import MLOpsAction
from mlops_debugger.environment.log import parse_log

Figures = dict[int, dict[str, float]]
"""Epoch → name of a figure → value."""

_READS = {
    "read_config": "config.yaml",
    "read_logs": "train.log",
    "check_dataset_stats": "dataset_stats.json",
    "inspect_preprocessing": "preprocessing.py",
    "read_eval_results": "eval_results.json",
}


@dataclass(frozen=True)
class Step:
    """An action and its answer (`last_action_result`); `number` is the step that it cost."""

    number: int
    action: MLOpsAction
    answer: Mapping[str, Any]

    @property
    def artifact(self) -> str | None:
        """The artifact that was asked, whole or in part."""
        if self.action.action_type == "query_artifact":
            return self.action.artifact_name
        return _READS.get(self.action.action_type)

    @property
    def text(self) -> str | None:
        """The artifact's own lines in the answer, or None."""
        found = self.answer.get("content", self.answer.get("value") if "lines" in self.answer else None)
        return found if isinstance(found, str) else None

    @property
    def whole(self) -> bool:
        """Whether the answer is an artifact from its first line on."""
        return "content" in self.answer and not self.answer.get("filter") and "note" not in self.answer


Trail = list[Step]


def sheets(trail: Trail) -> dict[str, Step]:
    """Artifact → the step that read it whole, in the order of reading."""
    found: dict[str, Step] = {}
    for step in trail:
        if step.whole and step.artifact is not None:
            found.setdefault(step.artifact, step)
    return found


def findings(trail: Trail) -> dict[str, Mapping[str, Any]]:
    """Check → finding, in the order of asking."""
    return {str(step.answer["sanity_check"]): step.answer for step in trail if "sanity_check" in step.answer}


def figures(trail: Trail) -> Figures:
    """The figures of train.log that were shown, by epoch: from whole logs, filtered ones and single fields alike."""
    found: Figures = {}
    for step in trail:
        if step.artifact == "train.log":
            for epoch, name, value in _shown(step):
                found.setdefault(epoch, {})[name] = value
    return dict(sorted(found.items()))


def _shown(step: Step) -> Iterator[tuple[int, str, float]]:
    if step.text is not None:
        tree: Any = parse_log(step.text).tree["epoch"]
    else:
        tree = _tree(step.answer.get("resolved_path") or step.answer.get("field_path"), step.answer.get("value"))
    for epoch, values in tree.items():
        for name, value in values.items() if isinstance(values, Mapping) else ():
            if str(epoch).isdecimal() and isinstance(value, int | float) and not isinstance(value, bool):
                yield int(epoch), str(name), float(value)


def _tree(path: object, value: object) -> dict[str, dict[str, object]]:
    """A queried value at its place: epoch → name → value."""
    steps = str(path or "").split(".")
    steps = steps[1:] if steps[0] == "metrics" and len(steps) > 1 else steps
    if steps[0] == "epoch":
        for step in reversed(steps[1:]):
            value = {step: value}
        return {str(e): dict(v) for e, v in value.items() if isinstance(v, Mapping)} if isinstance(value, dict) else {}
    if steps[0] == "metrics" and isinstance(value, Mapping):
        columns = {str(name): column for name, column in value.items() if isinstance(column, Mapping)}
    else:
        column = value if len(steps) == 1 else {steps[1]: value}
        columns = {steps[0]: column} if isinstance(column, Mapping) else {}
    tree: dict[str, dict[str, object]] = {}
    for name, column in columns.items():
        for epoch, figure in column.items():
            tree.setdefault(str(epoch), {})[name] = figure
    return tree
