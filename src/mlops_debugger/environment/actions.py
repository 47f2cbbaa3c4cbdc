"""From what somebody sent to an action, and from an action to what it effectively asks."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from mlops_debugger.contract import ACTION_TYPES, ARTIFACTS, CATEGORIES, SANITY_CHECKS, MLOpsAction
from mlops_debugger.environment.log import normal_filter
from mlops_debugger.environment.plain import normal_path, shown

Query = tuple[str, ...]
"""An action's type and its effective arguments ("" for none): equal queries have equal answers."""

_CHOICES = {
    "action_type": ACTION_TYPES,
    "sanity_check_type": SANITY_CHECKS,
    "artifact_name": ARTIFACTS,
    "failure_category": CATEGORIES,
}
_WHOLE = frozenset({"read_config", "check_dataset_stats", "inspect_preprocessing", "read_eval_results"})


def read_action(data: object) -> MLOpsAction | str:
    """The action that `data` (a mapping, as JSON gives it) describes, or what is wrong with it.

    Adapters hand the text to `Session.reject`, so that bad input costs a step instead of the session.
    """
    if isinstance(data, MLOpsAction):
        return data
    if not isinstance(data, Mapping):
        return f"expected an action as an object with action_type, found {type(data).__name__}"
    try:
        return MLOpsAction.model_validate(dict(data))
    except ValidationError as error:
        return problems_of(error)


def problems_of(error: ValidationError) -> str:
    """What is wrong with an action, in words: the first three of what its validation found."""
    found = error.errors(include_url=False, include_context=False)[:3]
    return "; ".join(_problem(item["loc"], item["type"], item.get("input")) for item in found)


def _problem(location: tuple[int | str, ...], kind: str, found: object) -> str:
    name = str(location[0]) if location else "action"
    if kind == "extra_forbidden":
        return f"an action has no field {shown(name)}: it has {', '.join(MLOpsAction.model_fields)}"
    if kind == "missing":
        return f"{name} is missing: give one of {', '.join(_CHOICES.get(name, ()))}"
    what = shown(found) if isinstance(found, str) else type(found).__name__
    if name in _CHOICES:
        return f"{name}: expected one of {', '.join(_CHOICES[name])}, found {what}"
    return f"{name}: expected text or nothing, found {what}"


def query_of(action: MLOpsAction) -> Query | str:
    """What the action effectively asks, or what is missing in it. Fields that its type does not use are ignored."""
    kind = action.action_type
    if kind not in ACTION_TYPES:  # an action that was made past its own validation
        return _problem(("action_type",), "literal_error", kind)
    if kind in _WHOLE:
        return (kind,)
    if kind == "read_logs":
        return (kind, normal_filter(action.log_filter))
    if kind == "run_sanity_check":
        if action.sanity_check_type not in SANITY_CHECKS:
            return f"run_sanity_check needs sanity_check_type: one of {', '.join(SANITY_CHECKS)}"
        return (kind, action.sanity_check_type)
    if kind == "query_artifact":
        if action.artifact_name not in ARTIFACTS:
            return f"query_artifact needs artifact_name: one of {', '.join(ARTIFACTS)}"
        return (kind, action.artifact_name, normal_path(action.field_path))
    return (
        kind,
        action.failure_category or "",
        (action.root_cause_file or "").strip(),
        (action.root_cause_field or "").strip(),
        action.proposed_fix or "",
        (action.diagnosis or "").strip(),
    )
