"""What a server counts, for Prometheus.

No label says anything of a scenario: not its project, fault, tier, split, score or length, and nothing that a client
chose. Label values come from fixed lists, so that their number is bounded and nobody learns from `/metrics` what
somebody else plays.

Sessions of OpenEnv and of MCP share all counts of what is done in them, since the same environment answers both; what
is open at a time has gauges for each, because each has a limit of its own.

With several workers the counts of all are added up (`PROMETHEUS_MULTIPROC_DIR`, which `workers` sets for its
processes, is Prometheus' own name for that): whichever worker answers, the answer is the server's.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from mlops_debugger.contract import ACTION_TYPES
from mlops_debugger.watch import INVALID, Reject, Trouble

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
REJECTS: tuple[Reject, ...] = (
    "invalid_action", "incomplete_diagnosis", "nothing_to_step", "bad_reset", "unauthorized", "capacity",
)  # fmt: skip
TROUBLES: tuple[Trouble, ...] = ("trial", "bank", "transcripts")
Outcome = Literal["completed", "refused", "infrastructure", "cancelled"]
OUTCOMES: tuple[Outcome, ...] = ("completed", "refused", "infrastructure", "cancelled")
_STEP_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0)
_DIAGNOSIS_SECONDS = (0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_PREFIX = "mlops_debugger_"
_STEPS = ("steps", "Steps of OpenEnv and of MCP, by action type")
_QUERIES = (
    "step_seconds",
    "Seconds in which the environment answered a step other than a diagnosis, of OpenEnv and of MCP",
)


class _SharedSteps:
    """Steps and the seconds of all but diagnoses, in the files that workers share."""

    def __init__(self, registry: CollectorRegistry) -> None:
        name, text = _STEPS
        counter = Counter(_PREFIX + name, text, ("action_type",), registry=registry)
        # Children are made here: looking one up at every step would cost more than counting.
        self._counts = {kind: counter.labels(kind) for kind in (*ACTION_TYPES, INVALID)}
        name, text = _QUERIES
        self._seconds = Histogram(_PREFIX + name, text, buckets=_STEP_SECONDS, registry=registry)

    def count(self, action_type: str) -> None:
        self._counts[action_type].inc()

    def observe(self, seconds: float) -> None:
        self._seconds.observe(seconds)


class _PlainSteps(Collector):
    """The same of a process that is the server's only one, as plain numbers of the event loop's thread.

    prometheus_client's own take 3 µs more, which is a seventh of what a step may cost beyond OpenEnv's own work.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counts = dict.fromkeys((*ACTION_TYPES, INVALID), 0)
        self._buckets = [0] * (len(_STEP_SECONDS) + 1)
        self._sum = 0.0
        registry.register(self)

    def count(self, action_type: str) -> None:
        self._counts[action_type] += 1

    def observe(self, seconds: float) -> None:
        self._buckets[bisect_left(_STEP_SECONDS, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        name, text = _STEPS
        steps = CounterMetricFamily(_PREFIX + name, text, labels=("action_type",))
        for kind, count in self._counts.items():
            steps.add_metric((kind,), count)
        yield steps
        name, text = _QUERIES
        bounds = [*(str(bound) for bound in _STEP_SECONDS), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._buckets), strict=True))
        yield HistogramMetricFamily(_PREFIX + name, text, buckets=buckets, sum_value=self._sum)


class Metrics:
    """The counts of one server process; cheap enough for every step."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(_PREFIX + name, text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(_PREFIX + name, text, registry=registry, multiprocess_mode="livesum")

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(_PREFIX + name, text, buckets=buckets, registry=registry)

        self.sessions_open = gauge("sessions_open", "Sessions of OpenEnv that are connected")
        self.sessions = counter("sessions", "Sessions that opened at least one episode, of OpenEnv and of MCP")
        self.episodes = counter(
            "episodes", "Episodes that ended, of OpenEnv and of MCP, by how: with a diagnosis, or out of steps", "end"
        )
        self.mcp_sessions_open = gauge("mcp_sessions_open", "Sessions of MCP that are connected, playing or not")
        self.mcp_episodes_open = gauge("mcp_episodes_open", "Episodes that are being played over MCP")
        self.trials_running = gauge("trials_running", "Fix trials that are being run")
        self.trials_waiting = gauge("trials_waiting", "Fix trials that wait for a trainer")
        self.trial_seconds = histogram(
            "trial_seconds", "Seconds from a diagnosis to the end of its trial, waiting included", _DIAGNOSIS_SECONDS
        )
        self._diagnosis_seconds = histogram(
            "diagnosis_seconds",
            "Seconds in which the environment answered a diagnosis, its trial included, of OpenEnv and of MCP",
            _DIAGNOSIS_SECONDS,
        )
        rejects = counter("rejects", "What was turned away, of OpenEnv and of MCP, by reason", "reason")
        troubles = counter("infrastructure_errors", "Failures that are the server's own, by what failed", "kind")
        trials = counter("trials", "Fix trials, by how they ended", "outcome")
        self._steps = (_SharedSteps if os.environ.get(MULTIPROCESS_VARIABLE) else _PlainSteps)(registry)
        self._rejects = {reason: rejects.labels(reason) for reason in REJECTS}
        self._troubles = {kind: troubles.labels(kind) for kind in TROUBLES}
        self._trials = {outcome: trials.labels(outcome) for outcome in OUTCOMES}
        self._ends = {True: self.episodes.labels("diagnosis"), False: self.episodes.labels("out_of_steps")}

    def began(self) -> None:
        """A session opened its first episode."""
        self.sessions.inc()

    def seated(self, sessions: int, playing: int) -> None:
        """So many MCP sessions are connected now, and so many of them play an episode."""
        self.mcp_sessions_open.set(sessions)
        self.mcp_episodes_open.set(playing)

    def stepped(self, action_type: str, seconds: float) -> None:
        """A step was answered."""
        self._steps.count(action_type)
        timed = self._diagnosis_seconds if action_type == "submit_diagnosis" else self._steps
        timed.observe(seconds)

    def rejected(self, reason: Reject) -> None:
        self._rejects[reason].inc()

    def troubled(self, kind: Trouble) -> None:
        self._troubles[kind].inc()

    def tried(self, outcome: Outcome, seconds: float) -> None:
        """A trial ended."""
        self._trials[outcome].inc()
        self.trial_seconds.observe(seconds)
        if outcome == "infrastructure":
            self.troubled("trial")

    def ended(self, *, diagnosed: bool) -> None:
        """An episode ended."""
        self._ends[diagnosed].inc()

    def text(self) -> bytes:
        """In Prometheus' text format: of this process, or of all workers together where there are several."""
        if not os.environ.get(MULTIPROCESS_VARIABLE):
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
