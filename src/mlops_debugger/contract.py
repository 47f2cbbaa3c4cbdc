"""The contract: four models whose names, literals, types and defaults are fixed.

Plain pydantic, base fields of OpenEnv included, so that nothing here needs OpenEnv. `mlops_debugger.openenv` derives
the wire models from these. `tests/test_contract.py` holds a literal table of the contract against this file.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

ActionType = Literal[
    "read_config",
    "read_logs",
    "check_dataset_stats",
    "inspect_preprocessing",
    "read_eval_results",
    "run_sanity_check",
    "query_artifact",
    "submit_diagnosis",
]
SanityCheckType = Literal[
    "label_consistency",
    "data_leakage",
    "gradient_norms",
    "class_balance",
    "feature_statistics",
    "encoder_version_match",
    "loss_trajectory",
    "metric_gap_analysis",
]
ArtifactName = Literal[
    "config.yaml", "train.log", "dataset_stats.json", "preprocessing.py", "eval_results.json", "model_card.json"
]
FailureCategory = Literal[
    "config_error", "data_leakage", "evaluation_bug", "preprocessing_bug", "label_mismatch", "architecture_bug"
]

ACTION_TYPES: tuple[ActionType, ...] = get_args(ActionType)
SANITY_CHECKS: tuple[SanityCheckType, ...] = get_args(SanityCheckType)
ARTIFACTS: tuple[ArtifactName, ...] = get_args(ArtifactName)
CATEGORIES: tuple[FailureCategory, ...] = get_args(FailureCategory)


class MLOpsAction(BaseModel):
    """One action per step."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    action_type: ActionType = Field(description="which action to perform")
    log_filter: str | None = Field(
        default=None, description="read_logs: a keyword (nan, warning, error, …) or an epoch range epoch:1-5"
    )
    sanity_check_type: SanityCheckType | None = Field(
        default=None, description="run_sanity_check: which diagnostic to compute (required there)"
    )
    artifact_name: ArtifactName | None = Field(
        default=None, description="query_artifact: the artifact to query (required there)"
    )
    field_path: str | None = Field(
        default=None, description="query_artifact: dotted path, such as optimizer.learning_rate or metrics.val_accuracy"
    )
    failure_category: FailureCategory | None = Field(
        default=None, description="submit_diagnosis: category of the failure"
    )
    root_cause_file: str | None = Field(
        default=None, description="submit_diagnosis: which artifact file contains the root cause"
    )
    root_cause_field: str | None = Field(
        default=None, description="submit_diagnosis: the parameter, function or variable that is wrong"
    )
    diagnosis: str | None = Field(default=None, description="submit_diagnosis: what went wrong and why, in words")
    proposed_fix: str | None = Field(
        default=None, description="submit_diagnosis: a concrete change that would fix the issue"
    )
    metadata: dict[str, Any] = Field(default_factory=dict, description="additional metadata for the action")


class ArtifactMeta(BaseModel):
    """What reset tells about an artifact; size_hint is like "47 lines" or "12 fields"."""

    name: str
    description: str
    size_hint: str
    last_modified: str


class MLOpsObservation(BaseModel):
    """Everything the agent sees after reset and after each step."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    task_id: str
    task_description: str
    run_id: str
    run_summary: dict[str, Any] = Field(description="model, dataset, final loss, training status; always visible")
    available_artifacts: list[ArtifactMeta]
    artifacts_read: list[str] = Field(default_factory=list, description="names already read (exploration tracking)")
    last_action_result: dict[str, Any] = Field(default_factory=dict, description="result of the most recent action")
    step_count: int = 0
    max_steps: int = 30
    done: bool = False
    messages: list[str] = Field(default_factory=list)
    reward: bool | int | float | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class MLOpsState(BaseModel):
    """Full internal state, for the RL harness and for debugging: it holds the answer, so it is never for the agent."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    episode_id: str | None = None
    task_id: str
    seed: int
    step_count: int = 0
    max_steps: int = 30
    episode_done: bool = False
    bug_type: str
    bug_category: str
    bug_file: str
    bug_field: str
    gold_fix: str
    artifacts: dict[str, str]
    artifacts_read: list[str] = Field(default_factory=list)
    sanity_checks_run: list[str] = Field(default_factory=list)
    duplicate_queries: int = 0
    current_score: float = 0.0
