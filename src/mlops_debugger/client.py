"""The client where OpenEnv's AutoEnv looks for it, under the name that AutoEnv derives from that of the environment."""

from mlops_debugger.openenv.client import MLOpsClient
from mlops_debugger.openenv.models import MLOpsAction, MLOpsObservation, MLOpsState

MlopsPipelineDebuggerEnv = MLOpsClient

__all__ = ["MLOpsAction", "MLOpsClient", "MLOpsObservation", "MLOpsState", "MlopsPipelineDebuggerEnv"]
