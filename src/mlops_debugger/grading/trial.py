"""Running a fix: the project is trained again, on the scenario's seed and two hidden ones, and measured."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from mlops_debugger.bank.records import Figures, Scenario
from mlops_debugger.edits import CODE, CONFIG, load_yaml
from mlops_debugger.errors import IsolationError, PoolError, RunError
from mlops_debugger.grading.diagnosis import TrialRequest, TrialResult
from mlops_debugger.grading.rubric import seed_verdict
from mlops_debugger.projects import Project, Variation, projects
from mlops_debugger.runs.measure import measure
from mlops_debugger.runs.pool import Limits, TrainerPool
from mlops_debugger.runs.sandbox.pool import SandboxPool
from mlops_debugger.runs.sandbox.probe import Machine, probe
from mlops_debugger.runs.workspace import render, with_seeds
from mlops_debugger.seeds import derive

_CACHE = 4096
_LOG = logging.getLogger(__name__)
CODE_REFUSED = (
    "code patches are not run here, since this machine cannot isolate them (mlops-debugger doctor says why): "
    "send a config edit"
)
Runner = TrainerPool | SandboxPool


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

    Where the machine can isolate them completely (`runs.sandbox.probe`), all trials run in the sandbox. Elsewhere
    config edits run in a warm worker with limits, and code patches, which are a stranger's code, are refused. There,
    and there alone, `allow_code` matters: the operator then runs code patches without isolation, as the own user, in a
    process that is started for each and ended after it.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        allow_code: bool = False,
        limits: Limits | None = None,
        machine: Callable[[], Machine] = probe,
    ) -> None:
        self._allow_code = allow_code
        self._machine = machine
        self._limits = limits or Limits()
        self._workers = workers
        self._pool: Runner | None = None
        self._code_slots = threading.BoundedSemaphore(workers)
        self._cache: OrderedDict[str, TrialResult] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def policy(self) -> str:
        """What becomes of fixes here, in a sentence for the operator."""
        machine = self._machine()
        if machine.complete:
            return "Fixes run in the sandbox, code patches too."
        if self._allow_code:
            return f"Fixes run WITHOUT a sandbox, code patches too, as you asked; they would be {machine.code_patches}."
        return f"Config edits {machine.config_edits}; code patches are {machine.code_patches}."

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers; a trial that still waits is not carried out."""
        with self._lock:
            pool, self._pool, self._closed = self._pool, None, True
        if pool is not None:
            pool.close()

    def run(self, request: TrialRequest) -> TrialResult:
        """Train with the fix and measure; stops at the first seed on which the fix is wrong."""
        scenario = request.scenario
        if request.touches == 0:
            # Nothing changed: the broken run's own figures are what training again would give.
            return TrialResult("completed", (scenario.proofs[0].broken,), "the fix changes nothing", 0)
        try:
            isolated = self._isolated(request)
        except IsolationError as error:
            return TrialResult("refused", (), str(error), request.touches)
        key = self._key(request)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        try:
            if request.touches_code and not isolated:
                with self._code_slots, TrainerPool(1, self._limits) as fresh:
                    result = _carry_out(request, fresh)
            else:
                result = _carry_out(request, self._runner(isolated))
        except (RunError, OSError, MemoryError) as error:
            _LOG.warning("a trial could not be carried out: %s", error)
            return TrialResult(
                "infrastructure", (), f"the trial could not be carried out: {type(error).__name__}", request.touches
            )
        with self._lock:
            self._cache[key] = result
            if len(self._cache) > _CACHE:
                self._cache.popitem(last=False)
        return result

    def _isolated(self, request: TrialRequest) -> bool:
        """Whether this trial is isolated; raises `IsolationError` where it would have to be and cannot."""
        complete = self._machine().complete
        if request.touches_code and not complete and not self._allow_code:
            raise IsolationError(CODE_REFUSED)
        return complete

    def _runner(self, isolated: bool) -> Runner:
        with self._lock:
            if self._closed:
                raise PoolError("the trials are closed: open others")
            if self._pool is None:
                kind = SandboxPool if isolated else TrainerPool
                self._pool = kind(self._workers, self._limits)
            return self._pool

    @staticmethod
    def _key(request: TrialRequest) -> str:
        content = f"{request.scenario.scenario_id}\0{load_yaml(request.config)!r}\0{request.code}\0{request.touches}"
        return hashlib.sha256(content.encode()).hexdigest()


def _carry_out(request: TrialRequest, pool: Runner) -> TrialResult:
    """The scenario's own seed decides first; the hidden ones then run at once, as far as there are workers."""
    scenario = request.scenario

    def figures_of(index: int) -> Figures:
        return run_once(scenario, request.config, request.code, index, pool)

    def decides(index: int, figures: Figures) -> bool:
        return seed_verdict(figures, scenario.proofs[index], scenario.sigma) == 0.0

    figures = [figures_of(0)]
    hidden = range(1, len(scenario.proofs))
    if pool.workers > 1 and not decides(0, figures[0]):
        with ThreadPoolExecutor(len(hidden), thread_name_prefix="seed") as threads:
            ahead = list(threads.map(figures_of, hidden))
    else:
        ahead = []
    for index in hidden:
        if decides(index - 1, figures[-1]):
            break
        # One after the other or at once: what is kept, and so the result, is the same.
        figures.append(ahead[index - 1] if ahead else figures_of(index))
    return TrialResult("completed", tuple(figures), "", request.touches)


def run_once(scenario: Scenario, config: str, code: str, index: int, pool: Runner) -> Figures:
    """Train the scenario's project with this config and code on run seed `index`."""
    project = projects()[scenario.project]
    data = project.generate(scenario.run_seeds[index], scenario.data)
    sources = {
        **other_sources(project, scenario.spellings),
        CONFIG: seeded_config(config, project, scenario.run_seeds, index),
        CODE: code,
    }
    return measure(project, data, pool.run(sources, data, run_id=scenario.run_id, started_at=scenario.started_at))
