"""Any order of good and bad calls: a session against a model of what it should be, beside an untouched twin."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from scenarios import GOLD_FIX, figures, scenario

from mlops_debugger.contract import ACTION_TYPES, ARTIFACTS, CATEGORIES, SANITY_CHECKS, MLOpsAction, MLOpsObservation
from mlops_debugger.environment import Session, read_action
from mlops_debugger.environment.driver import Settings
from mlops_debugger.errors import EpisodeError, PoolError
from mlops_debugger.grading import TrialRequest, TrialResult

MAX_STEPS = 12
TEXT = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "epoch:1-2",
            "epoch:9-1",
            "epoch:",
            "optimizer.learning_rate",
            "a.b[0]",
            "warning",
            "\ud800",
            "config.yaml",
        ]
    ),
    st.text(max_size=30),
    st.sampled_from(["x", "e.", "[", "9"]).map(lambda piece: piece * 3_000),
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
CHOICES = {
    "action_type": ACTION_TYPES,
    "artifact_name": ARTIFACTS,
    "failure_category": CATEGORIES,
    "sanity_check_type": SANITY_CHECKS,
    "root_cause_file": ARTIFACTS,
}
FIX = st.one_of(
    st.sampled_from(
        [GOLD_FIX, "config.yaml: a = *x", "config.yaml: a = [[[[[1]]]]]", "preprocessing.py:\n- x\n+ y", "prose"]
    ),
    st.lists(
        st.sampled_from(["config.yaml:", "preprocessing.py:", "- ", "+ ", "\n", " x", "@@ -1 +1 @@", "= 1"]),
        max_size=12,
    ).map("".join),
)


@st.composite
def raw_actions(draw: st.DrawFn) -> Any:
    """Something that was sent as an action: mostly near to one."""
    if draw(st.integers(0, 9)) == 0:
        return draw(VALUE)
    names = draw(st.lists(st.sampled_from(list(MLOpsAction.model_fields)), max_size=5, unique=True))
    action = {
        name: draw(st.sampled_from(CHOICES[name]) if name in CHOICES and draw(st.booleans()) else VALUE)
        for name in names
    }
    if draw(st.integers(0, 4)):
        action["action_type"] = draw(st.sampled_from(ACTION_TYPES))
    if "proposed_fix" in action:
        action["proposed_fix"] = draw(FIX)
    return action


class _Bank:
    """One scenario, kept and shared as a bank does."""

    def __init__(self) -> None:
        self.scenario = scenario()

    def get(self, scenario_id: str) -> Any:
        return self.scenario


class Sessions(RuleBasedStateMachine):
    """`played` is abused; `twin` plays the same good episode before and after, and must see the same."""

    def __init__(self) -> None:
        super().__init__()
        self.bank = _Bank()
        self.pristine = self.bank.scenario.model_dump_json()
        self.trials = 0
        self.played = self.open()
        self.steps: int | None = None
        self.done = self.closed = False
        self.read: list[str] = []
        self.score = 0.0

    def open(self) -> Session:
        return Session(self.bank, self.trainer, Settings(max_steps=MAX_STEPS))  # type: ignore[arg-type]

    def trainer(self, request: TrialRequest) -> TrialResult:
        """Works, fails for reasons of ours, or finds the fix wrong, in turn."""
        self.trials += 1
        if self.trials % 3 == 0:
            raise PoolError("no worker is free")
        right = self.trials % 3 == 1
        return TrialResult("completed", tuple(figures(0.9) for _ in range(3)) if right else (), "", request.touches)

    def good_episode(self) -> list[str]:
        session = self.open()
        texts = [session.reset(scenario_id="s", seed=1, episode_id="good").model_dump_json()]
        for kind in ("read_config", "read_logs", "check_dataset_stats"):
            texts.append(session.step(MLOpsAction(action_type=kind)).model_dump_json())
        return texts

    @initialize()
    def remember(self) -> None:
        self.expected = self.good_episode()

    @rule()
    def reset(self) -> None:
        if self.closed:
            with pytest.raises(EpisodeError):
                self.played.reset(scenario_id="s")
            return
        shown = self.played.reset(scenario_id="s")
        self.steps, self.done, self.read, self.score = 0, False, [], 0.0
        assert (shown.step_count, shown.done, shown.artifacts_read, shown.messages) == (0, False, [], [])

    @precondition(lambda self: not self.closed)
    @rule(given=VALUE, name=st.sampled_from(["seed", "task_id"]))
    def reset_badly(self, given: Any, name: str) -> None:
        """A refused reset leaves the running episode as it is."""
        good = name == "seed" and (given is None or (type(given) is int and 0 <= given < 2**63))
        if good or (name == "task_id" and isinstance(given, str) and given in ("easy", "medium", "hard", "mixed")):
            return
        with pytest.raises(EpisodeError) as caught:
            self.played.reset(scenario_id="s", **{name: given})
        assert len(str(caught.value)) < 400

    @rule(given=raw_actions())
    def step(self, given: Any) -> None:
        read = read_action(given)
        if self.closed or self.steps is None or self.done:
            with pytest.raises(EpisodeError):
                self.played.reject(read) if isinstance(read, str) else self.played.step(read)
            return
        observation = self.played.reject(read) if isinstance(read, str) else self.played.step(read)
        self.check(observation)

    @rule()
    def submit(self) -> None:
        """The right diagnosis, whatever was asked before: accepted, and over."""
        self.step(
            {
                "action_type": "submit_diagnosis", "failure_category": "config_error", "root_cause_file": "config.yaml",
                "root_cause_field": "optimizer.learning_rate", "diagnosis": "too low", "proposed_fix": GOLD_FIX,
            }
        )  # fmt: skip

    def check(self, observation: MLOpsObservation) -> None:
        assert self.steps is not None
        self.steps += 1
        assert observation.step_count == self.steps <= MAX_STEPS
        text = json.dumps(observation.model_dump(mode="json"), allow_nan=False)
        text.encode()  # nothing in it that UTF-8 cannot hold
        assert len(text) < 100_000
        answer = observation.last_action_result
        assert len(str(answer.get("error", ""))) < 3_000
        accepted = answer.get("accepted") is True
        assert observation.done == (accepted or self.steps == MAX_STEPS)
        assert 0.0 <= float(observation.reward or 0.0) <= 1.0
        if not accepted:
            assert observation.reward == 0.0
        assert observation.artifacts_read[: len(self.read)] == self.read
        assert set(observation.artifacts_read) <= set(ARTIFACTS)
        again = MLOpsObservation.model_validate(observation.model_dump())
        assert again.model_dump_json() == observation.model_dump_json()
        self.read, self.done, self.score = observation.artifacts_read, observation.done, float(observation.reward or 0)

    @precondition(lambda self: self.steps is not None and not self.closed)
    @rule()
    def look_at_the_state(self) -> None:
        state = self.played.state()
        assert (state.step_count, state.episode_done, state.artifacts_read) == (self.steps, self.done, self.read)
        assert state.current_score == self.score
        state.artifacts.clear()
        state.artifacts_read.append("x")

    @precondition(lambda self: self.done)
    @rule()
    def close(self) -> None:
        self.played.close()
        self.closed = True

    @precondition(lambda self: self.closed)
    @rule()
    def open_another(self) -> None:
        self.played, self.steps, self.done, self.closed, self.read, self.score = (
            self.open(),
            None,
            False,
            False,
            [],
            0.0,
        )

    @invariant()
    def others_see_nothing_of_it(self) -> None:
        assert self.bank.scenario.model_dump_json() == self.pristine
        if hasattr(self, "expected"):
            assert self.good_episode() == self.expected


QUIET = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)


class TestSessions(Sessions.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=QUIET)


@pytest.mark.slow
class TestSessionsLonger(Sessions.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=QUIET)
