"""Next actions for the web page: what an engineer would look at, given what was seen. Nothing else decides them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlops_debugger.contract import SANITY_CHECKS
from mlops_debugger.openenv.trail import Trail, findings, sheets

Suggestion = tuple[str, dict[str, Any]]

MAX_SUGGESTIONS = 8
_FEW_STEPS = 5

# From the outside inwards: what came out, how it went, what was set, what was done to the data.
_READING: Mapping[str, Suggestion] = {
    "eval_results.json": ("Read eval_results.json: the metrics", {"action_type": "read_eval_results"}),
    "train.log": ("Read train.log: how training went", {"action_type": "read_logs"}),
    "config.yaml": ("Read config.yaml: what was set", {"action_type": "read_config"}),
    "preprocessing.py": ("Read preprocessing.py: the data pipeline", {"action_type": "inspect_preprocessing"}),
    "dataset_stats.json": ("Read dataset_stats.json: splits and features", {"action_type": "check_dataset_stats"}),
    "model_card.json": (
        "Read model_card.json: what was agreed on",
        {"action_type": "query_artifact", "artifact_name": "model_card.json"},
    ),
}
_QUESTIONS = {
    "metric_gap_analysis": "do validation and test agree?",
    "loss_trajectory": "is the loss curve as it should be?",
    "data_leakage": "do train and evaluation overlap?",
    "feature_statistics": "do the features agree between splits?",
    "label_consistency": "are labels the same everywhere?",
    "class_balance": "are classes balanced alike?",
    "gradient_norms": "are gradients in the usual range?",
    "encoder_version_match": "do all stages use the same encoders?",
}
# What to look at once a check has found something: checks that tell its causes apart, files where they would stand.
_AFTER: Mapping[str, tuple[str, ...]] = {
    "metric_gap_analysis": ("data_leakage", "label_consistency", "feature_statistics", "preprocessing.py"),
    "loss_trajectory": ("gradient_norms", "config.yaml", "train.log"),
    "data_leakage": ("metric_gap_analysis", "preprocessing.py", "dataset_stats.json"),
    "feature_statistics": ("encoder_version_match", "preprocessing.py", "dataset_stats.json"),
    "label_consistency": ("class_balance", "encoder_version_match", "preprocessing.py"),
    "class_balance": ("label_consistency", "dataset_stats.json", "preprocessing.py"),
    "gradient_norms": ("loss_trajectory", "config.yaml", "train.log"),
    "encoder_version_match": ("feature_statistics", "label_consistency", "preprocessing.py"),
}


def suggest(observation: Mapping[str, Any], trail: Trail) -> list[Suggestion]:
    """At most eight (label, action) pairs, the most telling first; none once the episode is over."""
    if observation.get("done"):
        return []
    found, read = findings(trail), sheets(trail)
    left = int(observation.get("max_steps", 0)) - int(observation.get("step_count", 0))
    wanted: list[str] = []
    for check, finding in found.items():
        if finding.get("verdict") in ("fail", "warn"):
            wanted += _AFTER.get(check, ())
    if len(read) >= 3:
        wanted += _mixed(_READING, _QUESTIONS)
    else:
        wanted += [*_READING, *_QUESTIONS]
    names = [name for name in dict.fromkeys(wanted) if name not in found and name not in read]
    offered = [*_warnings(trail), *(_named(name) for name in names)]
    ending = [_no_fault()] if left <= _FEW_STEPS or (len(read) >= 4 and len(found) >= 4) else []
    return [*offered[: MAX_SUGGESTIONS - len(ending)], *ending]


def _mixed(files: Mapping[str, Suggestion], checks: Mapping[str, str]) -> Iterator[str]:
    """A file, a check, a file, …, then whatever is left: both kinds stay in sight."""
    for place in range(max(len(files), len(checks))):
        yield from [*files][place : place + 1]
        yield from [*checks][place : place + 1]


def _named(name: str) -> Suggestion:
    if name in SANITY_CHECKS:
        return f"Check {name}: {_QUESTIONS[name]}", {"action_type": "run_sanity_check", "sanity_check_type": name}
    return _READING[name]


def _warnings(trail: Trail) -> Iterator[Suggestion]:
    """The log's warnings by themselves, if the log that was read has any and is too long to see them at once."""
    logs = [step for step in trail if step.artifact == "train.log" and step.text]
    asked = {(step.action.log_filter or "").strip().casefold() for step in logs}
    long = any(len((step.text or "").splitlines()) > 25 and "WARNING" in (step.text or "") for step in logs)
    if long and "warning" not in asked:
        yield "Filter train.log: warnings alone", {"action_type": "read_logs", "log_filter": "warning"}


def _no_fault() -> Suggestion:
    return (
        "Submit: no fault found (ends the episode)",
        {"action_type": "submit_diagnosis", "diagnosis": "No fault found."},
    )
