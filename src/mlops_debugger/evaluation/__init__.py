"""Agents × scenarios → transcripts → statistics → report."""

from mlops_debugger.evaluation.records import Transcript, read_transcripts
from mlops_debugger.evaluation.report import write_report
from mlops_debugger.evaluation.runner import TRANSCRIPTS, Plan, evaluate
from mlops_debugger.evaluation.statistics import Summary, summarise
from mlops_debugger.evaluation.tables import Room

__all__ = [
    "TRANSCRIPTS",
    "Plan",
    "Room",
    "Summary",
    "Transcript",
    "evaluate",
    "read_transcripts",
    "summarise",
    "write_report",
]
