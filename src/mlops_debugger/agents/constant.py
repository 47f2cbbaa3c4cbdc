"""The constant: reads nothing and always says the same.

It names the most usual suspect, with a learning rate that suits Adam on small models. Saying "no fault" every time
would score the share of healthy controls, neither more nor less, and so would tell nothing about faults.
"""

from __future__ import annotations

from mlops_debugger.agents import Agent
from mlops_debugger.contract import MLOpsAction, MLOpsObservation

ANSWER = MLOpsAction(
    action_type="submit_diagnosis",
    failure_category="config_error",
    root_cause_file="config.yaml",
    root_cause_field="optimizer.learning_rate",
    proposed_fix="config.yaml: optimizer.learning_rate = 0.005",
    diagnosis="The learning rate does not suit the model.",
)
NO_FAULT = MLOpsAction(action_type="submit_diagnosis", diagnosis="No fault found.")


class Constant:
    """Submits at once; where the answer is sent back (a config without such a key), it gives up."""

    def act(self, observation: MLOpsObservation) -> MLOpsAction:
        return ANSWER if observation.step_count == 0 else NO_FAULT


AGENT = Agent("always blames the learning rate and reads nothing: a lower bound", lambda seed, handed: Constant())
