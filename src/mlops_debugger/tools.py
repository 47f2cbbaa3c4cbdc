"""The actions as tools of a language model: one definition for MCP servers, chat endpoints and everything alike.

    TOOLS["query_artifact"].schema             JSON schema of its arguments
    read_call("query_artifact", arguments)     the action, or what is wrong with the call
    reading(observation)                       an observation as text that a model or a person reads

Names and values are the contract's own; nothing here knows an episode.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_debugger.contract import (
    ACTION_TYPES,
    ARTIFACTS,
    CATEGORIES,
    SANITY_CHECKS,
    ActionType,
    MLOpsAction,
    MLOpsObservation,
)

_QUOTED = 80
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "sanity_check_type": SANITY_CHECKS,
    "artifact_name": ARTIFACTS,
    "failure_category": CATEGORIES,
    "root_cause_file": ARTIFACTS,
}
_ARGUMENTS: Mapping[str, str] = {
    "log_filter": (
        "Which log records to show. Either one keyword, matched without regard to case (nan, warning, error, saved), "
        "or a range of epochs counted from 1: epoch:3 or epoch:1-5. Leave it out for the whole log."
    ),
    "sanity_check_type": (
        "Which diagnostic to compute. label_consistency: are train and evaluation label mappings identical? "
        "data_leakage: do training and validation share samples, groups or time? gradient_norms: are gradient norms in "
        "the normal range? class_balance: are classes balanced alike across splits? feature_statistics: do training "
        "and validation features have the same distributions? encoder_version_match: do all stages use the same "
        "encoder? loss_trajectory: is the loss curve's shape anomalous? metric_gap_analysis: is the gap between "
        "validation and test metrics suspicious?"
    ),
    "artifact_name": "The artifact to look into.",
    "field_path": (
        "What to fetch: a dotted path such as optimizer.learning_rate or metrics.val_accuracy, list positions counted "
        "from 0 (layers.0); in train.log a series such as val_loss, or epoch.3; in preprocessing.py the name of a "
        "function, class or constant. Leave it out for the whole artifact."
    ),
    "failure_category": (
        "The category follows the edited line, not the symptom. config_error: an optimiser, schedule, batch or "
        "training value. data_leakage: validation, test, future or target information gets into training. "
        "evaluation_bug: right model and data, wrong reported number. preprocessing_bug: features transformed wrongly "
        "or differently between splits. label_mismatch: wrong label values, ids, alignment or definition. "
        "architecture_bug: changes the function computed or what can learn. Leave it out if no fault was found."
    ),
    "root_cause_file": "The artifact that holds the wrong line. Leave it out if no fault was found.",
    "root_cause_field": (
        "What is wrong there: the config key as a dotted path (optimizer.learning_rate), or in code the name of the "
        "function, call, keyword, variable or constant on the wrong line. At most 500 characters; name one thing, "
        "since several names score by precision. Leave it out if no fault was found."
    ),
    "diagnosis": (
        "What went wrong and why, in words, at most 10,000 characters; not graded. Given alone, it says that the run "
        "is healthy: no fault found."
    ),
    "proposed_fix": (
        "The change that repairs the run; it is applied and the model is trained again. Not prose. Config edits, one a "
        "line: 'config.yaml: optimizer.learning_rate = 0.001' (also 'add path = value' or 'remove path'; paths and "
        "units as the run's own config has them). A code patch: a line 'preprocessing.py:', then lines that start with "
        "'-' (taken out), '+' (put in) or a space (context); '-' and context lines must match the file exactly once; "
        "at most 12 changed lines. Both forms may be combined; a unified diff is read too. Every needless edit halves "
        "the score of the fix. Leave it out if no fault was found."
    ),
}


@dataclass(frozen=True)
class Tool:
    """An action as a tool. `arguments` are fields of `MLOpsAction`; those in `required` cannot be left out."""

    name: ActionType
    title: str
    description: str
    arguments: tuple[str, ...] = ()
    required: tuple[str, ...] = ()

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments: an object of strings, enumerated where the contract does."""
        properties: dict[str, Any] = {}
        for name in self.arguments:
            choices = {"enum": list(_CHOICES[name])} if name in _CHOICES else {}
            properties[name] = {"type": "string", **choices, "description": _ARGUMENTS[name]}
        schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
        return {**schema, "required": list(self.required)} if self.required else schema


_ALL = (
    Tool(
        "read_config",
        "Read config.yaml",
        "Show the training configuration: hyperparameters, model architecture, optimiser, schedule. Costs one step.",
    ),
    Tool(
        "read_logs",
        "Read train.log",
        "Show the training log: a record an epoch with losses, the validation metric, learning rate (lr) and gradient "
        "norm, and the warnings and errors in between. Long texts are shortened in the middle. Costs one step.",
        ("log_filter",),
    ),
    Tool(
        "check_dataset_stats",
        "Read dataset_stats.json",
        "Show the data's statistics as JSON: rows by split, class counts (shares are fractions of 1), and for every "
        "feature mean, standard deviation, range and missing values. Costs one step.",
    ),
    Tool(
        "inspect_preprocessing",
        "Read preprocessing.py",
        "Show the source of the data pipeline: the training side and the evaluation side (splits, scaling, encoding, "
        "label decoding). Costs one step.",
    ),
    Tool(
        "read_eval_results",
        "Read eval_results.json",
        "Show the metrics of the evaluated checkpoint as JSON: validation, test and, where the team has one, a live "
        "block from after the release. Costs one step.",
    ),
    Tool(
        "run_sanity_check",
        "Run a sanity check",
        "Compute one diagnostic on the run and its data: a verdict (pass, warn, fail or not_applicable), the "
        "statistic, its healthy range or p-value, n, and a sentence. It was never told what is wrong. Costs one step.",
        ("sanity_check_type",),
        ("sanity_check_type",),
    ),
    Tool(
        "query_artifact",
        "Query an artifact",
        "Fetch one field of any artifact, or a whole one; the only way to read model_card.json, which tells what was "
        "agreed on before the run. Costs one step.",
        ("artifact_name", "field_path"),
        ("artifact_name",),
    ),
    Tool(
        "submit_diagnosis",
        "Submit the diagnosis",
        "Give the final answer; it ends the episode and is graded. If the run has a fault, give all five arguments. If "
        "it is healthy, give diagnosis alone. An incomplete answer, or a fix that does not apply, is sent back with "
        "the reason and costs a step. The fix is tried by training again, which may take some seconds to minutes.",
        ("failure_category", "root_cause_file", "root_cause_field", "diagnosis", "proposed_fix"),
        ("diagnosis",),
    ),
)
TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in _ALL}


def read_call(name: str, arguments: object) -> MLOpsAction | str:
    """The action that a tool call means, or what is wrong with the call: what was expected, and what was found.

    An argument that is null or empty counts as left out, since many models fill in what they do not need.
    """
    tool = TOOLS.get(name)
    if tool is None:
        return f"there is no tool {_quoted(name)}: there are {', '.join(ACTION_TYPES)}"
    if not isinstance(arguments, Mapping):
        return f"{name}: expected its arguments as an object, found {type(arguments).__name__}"
    given = {key: value for key, value in arguments.items() if value not in (None, "")}
    for key, value in given.items():
        if key not in tool.arguments:
            has = f"it has {', '.join(tool.arguments)}" if tool.arguments else "it has none"
            return f"{name} has no argument {_quoted(str(key))}: {has}"
        if not isinstance(value, str):
            return f"{key}: expected text, found {type(value).__name__}"
        if key in _CHOICES and key != "root_cause_file" and value not in _CHOICES[key]:
            return f"{key}: expected one of {', '.join(_CHOICES[key])}, found {_quoted(value)}"
    for key in tool.required:
        if key not in given and key in _CHOICES:
            return f"{name} needs {key}: one of {', '.join(_CHOICES[key])}"
    return MLOpsAction.model_validate({**given, "action_type": name})


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _QUOTED else text[:_QUOTED] + "…")


def opening(observation: MLOpsObservation) -> str:
    """What reset shows, the task's description included, as text."""
    summary = "\n".join(f"- {key}: {_plain(value)}" for key, value in observation.run_summary.items())
    artifacts = "\n".join(
        f"- {meta.name} ({meta.size_hint}, last modified {meta.last_modified}): {meta.description}"
        for meta in observation.available_artifacts
    )
    return (
        f"{observation.task_description}\nRUN {observation.run_id} (task {observation.task_id})\n{summary}\n\n"
        f"ARTIFACTS\n{artifacts}\n\n{observation.max_steps} steps, none of them used yet."
    )


def reading(observation: MLOpsObservation) -> str:
    """The answer to a step as text: where the episode stands, its messages, then what was found."""
    head = f"Step {observation.step_count} of {observation.max_steps}" + (", the last." if observation.done else ".")
    return "\n".join([head, *observation.messages, "", *_body(observation.last_action_result)])


def _body(result: Mapping[str, Any]) -> list[str]:
    """Short values a line each; a text of several lines, which is an artifact's or a part of one, as it stands."""
    long = [name for name, value in result.items() if isinstance(value, str) and ("\n" in value or name == "content")]
    lines = [f"{name}: {_plain(value)}" for name, value in result.items() if name not in long]
    for name in long:
        lines += [f"{name}:", str(result[name])]
    return lines


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
