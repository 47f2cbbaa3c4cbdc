"""Playing scenarios: episode, actions → observations, rewards. Sans-I/O, but for the drivers."""

from mlops_debugger.environment.actions import problems_of, read_action
from mlops_debugger.environment.driver import AsyncSession, Session
from mlops_debugger.environment.episode import Episode
from mlops_debugger.environment.own import OwnCase, OwnSession
from mlops_debugger.environment.tasks import TASK_DESCRIPTION, TASKS, Selector

__all__ = [
    "TASKS",
    "TASK_DESCRIPTION",
    "AsyncSession",
    "Episode",
    "OwnCase",
    "OwnSession",
    "Selector",
    "Session",
    "problems_of",
    "read_action",
]
