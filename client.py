"""Where OpenEnv's tools look for the client."""

from mlops_debugger.openenv.client import MLOpsClient
from mlops_debugger.openenv.models import MLOpsAction, MLOpsObservation, MLOpsState

__all__ = ["MLOpsAction", "MLOpsClient", "MLOpsObservation", "MLOpsState"]
