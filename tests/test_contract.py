"""The contract as a literal table, held against the models' fields and JSON schemas."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from mlops_debugger.contract import ArtifactMeta, MLOpsAction, MLOpsObservation, MLOpsState

STR = {"type": "string"}
OPTIONAL_STR = {"anyOf": [{"type": "string"}, {"type": "null"}]}
STRINGS = {"items": {"type": "string"}, "type": "array"}
INT = {"type": "integer"}


def optional_enum(*values: str) -> dict[str, Any]:
    return {"anyOf": [{"enum": list(values), "type": "string"}, {"type": "null"}]}


ACTIONS = (
    "read_config", "read_logs", "check_dataset_stats", "inspect_preprocessing", "read_eval_results", "run_sanity_check",
    "query_artifact", "submit_diagnosis",
)  # fmt: skip
CHECKS = (
    "label_consistency", "data_leakage", "gradient_norms", "class_balance", "feature_statistics", "encoder_version_match",
    "loss_trajectory", "metric_gap_analysis",
)  # fmt: skip
ARTIFACTS = (
    "config.yaml",
    "train.log",
    "dataset_stats.json",
    "preprocessing.py",
    "eval_results.json",
    "model_card.json",
)
CATEGORIES = (
    "config_error",
    "data_leakage",
    "evaluation_bug",
    "preprocessing_bug",
    "label_mismatch",
    "architecture_bug",
)
REQUIRED = object()

# field → (JSON schema without title, description and default; default)
TABLE: dict[type[BaseModel], dict[str, tuple[dict[str, Any], object]]] = {
    MLOpsAction: {
        "action_type": ({"enum": list(ACTIONS), "type": "string"}, REQUIRED),
        "log_filter": (OPTIONAL_STR, None),
        "sanity_check_type": (optional_enum(*CHECKS), None),
        "artifact_name": (optional_enum(*ARTIFACTS), None),
        "field_path": (OPTIONAL_STR, None),
        "failure_category": (optional_enum(*CATEGORIES), None),
        "root_cause_file": (OPTIONAL_STR, None),
        "root_cause_field": (OPTIONAL_STR, None),
        "diagnosis": (OPTIONAL_STR, None),
        "proposed_fix": (OPTIONAL_STR, None),
    },
    ArtifactMeta: {
        "name": (STR, REQUIRED),
        "description": (STR, REQUIRED),
        "size_hint": (STR, REQUIRED),
        "last_modified": (STR, REQUIRED),
    },
    MLOpsObservation: {
        "task_id": (STR, REQUIRED),
        "task_description": (STR, REQUIRED),
        "run_id": (STR, REQUIRED),
        "run_summary": ({"additionalProperties": True, "type": "object"}, REQUIRED),
        "available_artifacts": ({"items": {"$ref": "#/$defs/ArtifactMeta"}, "type": "array"}, REQUIRED),
        "artifacts_read": (STRINGS, []),
        "last_action_result": ({"additionalProperties": True, "type": "object"}, {}),
        "step_count": (INT, 0),
        "max_steps": (INT, 30),
        "done": ({"type": "boolean"}, False),
        "messages": (STRINGS, []),
    },
    MLOpsState: {
        "task_id": (STR, REQUIRED),
        "seed": (INT, REQUIRED),
        "step_count": (INT, 0),
        "max_steps": (INT, 30),
        "episode_done": ({"type": "boolean"}, False),
        "bug_type": (STR, REQUIRED),
        "bug_category": (STR, REQUIRED),
        "bug_file": (STR, REQUIRED),
        "bug_field": (STR, REQUIRED),
        "gold_fix": (STR, REQUIRED),
        "artifacts": ({"additionalProperties": {"type": "string"}, "type": "object"}, REQUIRED),
        "artifacts_read": (STRINGS, []),
        "sanity_checks_run": (STRINGS, []),
        "duplicate_queries": (INT, 0),
        "current_score": ({"type": "number"}, 0.0),
    },
}
BASE_FIELDS: dict[type[BaseModel], set[str]] = {
    MLOpsAction: {"metadata"},
    ArtifactMeta: set(),
    MLOpsObservation: {"reward", "metadata"},
    MLOpsState: {"episode_id"},
}


@pytest.mark.parametrize("model", TABLE, ids=lambda model: model.__name__)
def test_fields_types_and_defaults(model: type[BaseModel]) -> None:
    table = TABLE[model]
    assert set(model.model_fields) == set(table) | BASE_FIELDS[model]
    properties = model.model_json_schema()["properties"]
    for name, (schema, default) in table.items():
        shown = {
            key: value for key, value in properties[name].items() if key not in ("title", "description", "default")
        }
        assert shown == schema, name
        field = model.model_fields[name]
        if default is REQUIRED:
            assert field.is_required(), name
        else:
            assert field.get_default(call_default_factory=True) == default, name


def test_an_unknown_action_type_is_refused() -> None:
    with pytest.raises(ValidationError):
        MLOpsAction.model_validate({"action_type": "fix_everything"})
