"""Scoring: the rows of the rubric, and the trial of a proposed fix."""

from mlops_debugger.grading.diagnosis import Diagnosis, TrialRequest, TrialResult, prepare
from mlops_debugger.grading.rubric import WEIGHTS, Grade, grade
from mlops_debugger.grading.trial import Trials

__all__ = ["WEIGHTS", "Diagnosis", "Grade", "TrialRequest", "TrialResult", "Trials", "grade", "prepare"]
