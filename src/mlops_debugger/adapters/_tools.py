"""The eight actions as documented functions: what a model is offered as tools.

Every public method of `Tools` is a tool; its types and its Google-style docstring are what a model is told about it.
Frameworks that read functions take the methods, the others take `tool_schemas`.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mlops_debugger.adapters._play import Play
from mlops_debugger.contract import ACTION_TYPES, ArtifactName, FailureCategory, SanityCheckType

CategoryOrNone = Literal["", FailureCategory]
FileOrNone = Literal["", ArtifactName]


class Tools:
    """The actions of one episode. An empty argument is one that is left out."""

    def __init__(self, play: Play) -> None:
        self._play = play

    def _act(self, action_type: str, **arguments: str) -> str:
        given = {name: value for name, value in arguments.items() if value not in ("", None)}
        return self._play.act({"action_type": action_type, **given})

    def read_config(self) -> str:
        """Read config.yaml: hyperparameters, model architecture, optimizer.

        Returns:
            The file's text.
        """
        return self._act("read_config")

    def read_logs(self, log_filter: str = "") -> str:
        """Read the training log, or the lines of it that a filter keeps.

        Args:
            log_filter: A keyword such as nan, warning or error, or an epoch range such as epoch:1-5. All if empty.

        Returns:
            Lines of train.log.
        """
        return self._act("read_logs", log_filter=log_filter)

    def check_dataset_stats(self) -> str:
        """Read dataset_stats.json: split sizes, class distribution, feature statistics.

        Returns:
            The statistics as JSON.
        """
        return self._act("check_dataset_stats")

    def inspect_preprocessing(self) -> str:
        """Read preprocessing.py, the code of the data pipeline.

        Returns:
            The file's text.
        """
        return self._act("inspect_preprocessing")

    def read_eval_results(self) -> str:
        """Read eval_results.json: validation and test metrics.

        Returns:
            The metrics as JSON.
        """
        return self._act("read_eval_results")

    def run_sanity_check(self, sanity_check_type: SanityCheckType) -> str:
        """Compute one diagnostic of the run.

        Args:
            sanity_check_type: Which diagnostic to compute.

        Returns:
            The verdict, the statistic behind it, and a sentence.
        """
        return self._act("run_sanity_check", sanity_check_type=sanity_check_type)

    def query_artifact(self, artifact_name: ArtifactName, field_path: str = "") -> str:
        """Fetch one field of an artifact, or all of it.

        Args:
            artifact_name: The artifact to query.
            field_path: A dotted path, such as optimizer.learning_rate. In train.log epoch.3 or val_loss; in
                preprocessing.py the name of a function or constant. All of the artifact if empty.

        Returns:
            The value found there.
        """
        return self._act("query_artifact", artifact_name=artifact_name, field_path=field_path)

    def submit_diagnosis(
        self,
        diagnosis: str,
        failure_category: CategoryOrNone = "",
        root_cause_file: FileOrNone = "",
        root_cause_field: str = "",
        proposed_fix: str = "",
    ) -> str:
        """Give the final answer, which ends the episode: the fix is applied and the model is trained again.

        If no fault was found, give diagnosis alone; otherwise give everything.

        Args:
            diagnosis: What went wrong and why, in words.
            failure_category: The category of the failure.
            root_cause_file: The artifact file that contains the root cause.
            root_cause_field: The config key, function, call, keyword or variable that is wrong.
            proposed_fix: The change that fixes it, such as "config.yaml: optimizer.learning_rate = 0.001", or a patch.

        Returns:
            The score of each row, or why the answer was sent back.
        """
        return self._act(
            "submit_diagnosis",
            diagnosis=diagnosis,
            failure_category=failure_category,
            root_cause_file=root_cause_file,
            root_cause_field=root_cause_field,
            proposed_fix=proposed_fix,
        )


def tool_schemas() -> list[dict[str, Any]]:
    """Each tool as `name`, `description` and `parameters` (a JSON schema), in the order of the contract."""
    return [_schema(name) for name in ACTION_TYPES]


def chat_tools() -> list[dict[str, Any]]:
    """The tools as chat templates and OpenAI-compatible endpoints take them."""
    return [{"type": "function", "function": schema} for schema in tool_schemas()]


def _schema(name: str) -> dict[str, Any]:
    method = getattr(Tools, name)
    summary, told = _docstring(inspect.getdoc(method) or "")
    hints = get_type_hints(method)
    properties: dict[str, Any] = {}
    required = []
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        properties[parameter.name] = {"type": "string", "description": told[parameter.name]}
        if choices := _choices(hints[parameter.name]):
            properties[parameter.name]["enum"] = choices
        if parameter.default is inspect.Parameter.empty:
            required.append(parameter.name)
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"name": name, "description": summary, "parameters": parameters}


def _choices(hint: Any) -> list[str]:
    """The literals of a hint; none for plain text."""
    return list(get_args(hint)) if get_origin(hint) is Literal else []


def _docstring(text: str) -> tuple[str, dict[str, str]]:
    """What a Google-style docstring says of the function and of each argument, every text on one line."""
    summary, _, rest = text.partition("\nArgs:\n")
    summary = summary.partition("\nReturns:\n")[0]
    entries = re.findall(r"^    (\w+): (.+(?:\n        .+)*)", rest.partition("\nReturns:\n")[0], re.MULTILINE)
    return " ".join(summary.split()), {name: " ".join(told.split()) for name, told in entries}
