"""The eight actions as documented functions, for frameworks that read functions.

Every public method of `Tools` is a tool. Its types stand here; its Google-style docstring is made of the tool's
definition in `mlops_debugger.tools`, so that a model is told the same in every harness.
"""

from __future__ import annotations

from typing import Any, Literal

from mlops_debugger.adapters._play import Play
from mlops_debugger.contract import ArtifactName, FailureCategory, SanityCheckType
from mlops_debugger.tools import TOOLS, Tool

CategoryOrNone = Literal["", FailureCategory]
FileOrNone = Literal["", ArtifactName]


class Tools:
    """The actions of one episode. An empty argument is one that is left out."""

    def __init__(self, play: Play) -> None:
        self._play = play

    def read_config(self) -> str:
        return self._play.call("read_config", {})

    def read_logs(self, log_filter: str = "") -> str:
        return self._play.call("read_logs", {"log_filter": log_filter})

    def check_dataset_stats(self) -> str:
        return self._play.call("check_dataset_stats", {})

    def inspect_preprocessing(self) -> str:
        return self._play.call("inspect_preprocessing", {})

    def read_eval_results(self) -> str:
        return self._play.call("read_eval_results", {})

    def run_sanity_check(self, sanity_check_type: SanityCheckType) -> str:
        return self._play.call("run_sanity_check", {"sanity_check_type": sanity_check_type})

    def query_artifact(self, artifact_name: ArtifactName, field_path: str = "") -> str:
        return self._play.call("query_artifact", {"artifact_name": artifact_name, "field_path": field_path})

    def submit_diagnosis(
        self,
        diagnosis: str,
        failure_category: CategoryOrNone = "",
        root_cause_file: FileOrNone = "",
        root_cause_field: str = "",
        proposed_fix: str = "",
    ) -> str:
        given = {
            "failure_category": failure_category,
            "root_cause_file": root_cause_file,
            "root_cause_field": root_cause_field,
            "diagnosis": diagnosis,
            "proposed_fix": proposed_fix,
        }
        return self._play.call("submit_diagnosis", given)


def tool_schemas() -> list[dict[str, Any]]:
    """Each tool as `name`, `description` and `parameters` (a JSON schema), in the order of the contract."""
    return [{"name": tool.name, "description": tool.description, "parameters": tool.schema} for tool in TOOLS.values()]


def chat_tools() -> list[dict[str, Any]]:
    """The tools as chat templates and OpenAI-compatible endpoints take them."""
    return [{"type": "function", "function": schema} for schema in tool_schemas()]


def _docstring(tool: Tool) -> str:
    """The definition in Google's style, arguments in the order of the tool."""
    properties = tool.schema["properties"]
    told = [f"    {name}: {properties[name]['description']}" for name in tool.arguments]
    arguments = ["", "Args:", *told] if told else []
    return "\n".join([tool.description, *arguments, "", "Returns:", "    What was found, as text."])


for _name, _tool in TOOLS.items():
    getattr(Tools, _name).__doc__ = _docstring(_tool)
