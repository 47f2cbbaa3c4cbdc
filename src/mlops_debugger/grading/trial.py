"""Running a fix: the project is trained again, on the scenario's seed and two hidden ones, and measured."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from types import TracebackType
from typing import Self

from mlops_debugger.bank.records import Figures, Scenario
from mlops_debugger.edits import CODE, CONFIG, load_yaml
from mlops_debugger.errors import PoolError
from mlops_debugger.grading.diagnosis import TrialRequest, TrialResult
from mlops_debugger.grading.rubric import seed_verdict
from mlops_debugger.projects import Project, Variation, projects
from mlops_debugger.runs.measure import measure
from mlops_debugger.runs.pool import Limits, TrainerPool
from mlops_debugger.runs.workspace import render, with_seeds
from mlops_debugger.seeds import derive

_CACHE = 4096
CODE_REFUSED = (
    "code patches are not run here: start the server with --allow-code on a machine of your own, or send a config edit"
)


def training_seed(data_seed: int) -> int:
    """The config's training seed that goes with a hidden data seed."""
    return derive(data_seed, "training") % 9_999 + 1


def seeded_config(text: str, project: Project, run_seeds: tuple[int, ...], index: int) -> str:
    """The config of run `index`: the scenario's own for 0, with a hidden training seed beyond."""
    if index == 0:
        return text
    return with_seeds(text, project, {"training.seed": training_seed(run_seeds[index])})


def other_sources(project: Project, spellings: dict[str, int]) -> dict[str, str]:
    """The sources that are not artifacts, in the scenario's spellings."""
    rendered = render(project, Variation({}, spellings, {}))
    return {name: text for name, text in rendered.items() if name not in (CONFIG, CODE)}


class Trials:
    """Carries out trials; safe to call from several threads, each verdict cached by its content.

    Config edits run in a warm worker. A code patch is a stranger's code: it runs only where `allow_code` is set, in a
    process that is started for it and ended after it.
    """

    def __init__(self, *, workers: int = 1, allow_code: bool = False, limits: Limits | None = None) -> None:
        self.allow_code = allow_code
        self._limits = limits or Limits()
        self._pool = TrainerPool(workers, self._limits)
        self._code_slots = threading.BoundedSemaphore(workers)
        self._cache: OrderedDict[str, TrialResult] = OrderedDict()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._pool.close()

    def run(self, request: TrialRequest) -> TrialResult:
        """Train with the fix and measure; stops at the first seed on which the fix is wrong."""
        scenario = request.scenario
        if request.touches == 0:
            # Nothing changed: the broken run's own figures are what training again would give.
            return TrialResult("completed", (scenario.proofs[0].broken,), "the fix changes nothing", 0)
        if request.touches_code and not self.allow_code:
            return TrialResult("refused", (), CODE_REFUSED, request.touches)
        key = self._key(request)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        try:
            if request.touches_code:
                with self._code_slots, TrainerPool(1, self._limits) as fresh:
                    result = _carry_out(request, fresh)
            else:
                result = _carry_out(request, self._pool)
        except (PoolError, OSError, MemoryError) as error:
            return TrialResult(
                "infrastructure", (), f"the trial could not be carried out: {type(error).__name__}", request.touches
            )
        with self._lock:
            self._cache[key] = result
            if len(self._cache) > _CACHE:
                self._cache.popitem(last=False)
        return result

    @staticmethod
    def _key(request: TrialRequest) -> str:
        content = f"{request.scenario.scenario_id}\0{load_yaml(request.config)!r}\0{request.code}\0{request.touches}"
        return hashlib.sha256(content.encode()).hexdigest()


def _carry_out(request: TrialRequest, pool: TrainerPool) -> TrialResult:
    scenario = request.scenario
    figures: list[Figures] = []
    for index, proof in enumerate(scenario.proofs):
        figures.append(run_once(scenario, request.config, request.code, index, pool))
        if seed_verdict(figures[-1], proof, scenario.sigma) == 0.0:
            break
    return TrialResult("completed", tuple(figures), "", request.touches)


def run_once(scenario: Scenario, config: str, code: str, index: int, pool: TrainerPool) -> Figures:
    """Train the scenario's project with this config and code on run seed `index`."""
    project = projects()[scenario.project]
    data = project.generate(scenario.run_seeds[index], scenario.data)
    sources = {
        **other_sources(project, scenario.spellings),
        CONFIG: seeded_config(config, project, scenario.run_seeds, index),
        CODE: code,
    }
    return measure(project, data, pool.run(sources, data, run_id=scenario.run_id, started_at=scenario.started_at))
