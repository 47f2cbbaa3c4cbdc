"""Random agents in three Gymnasium environments at once.

pip install "openenv-mlops-debugger[gymnasium]"
python examples/gymnasium_random.py
"""

from __future__ import annotations

import gymnasium

from mlops_debugger.adapters.gymnasium_env import ENVIRONMENT_ID


def main(steps: int = 60) -> list[float]:
    """Play `steps` random steps in each environment; returns the scores of the episodes that ended."""
    envs = gymnasium.make_vec(ENVIRONMENT_ID, num_envs=3, vectorization_mode="sync", split="train", task_id="easy")
    envs.action_space.seed(0)
    envs.reset(seed=[1, 2, 3])
    scores: list[float] = []
    for _ in range(steps):
        _, rewards, terminated, _, _ = envs.step(envs.action_space.sample())
        scores += [float(reward) for reward, over in zip(rewards, terminated, strict=True) if over]
    envs.close()
    return scores


if __name__ == "__main__":
    ended = main()
    print(f"{len(ended)} episodes ended, mean score {sum(ended) / max(1, len(ended)):.3f}")
