"""Carrying trials out: which seeds run, what is kept, what is cached, and whose failure it is.

Runs are real. They are recorded once, since what is tested here is what happens around them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from scenarios import scenario as record_of

from mlops_debugger.bank import Bank, Figures, Scenario, starter_bank_path
from mlops_debugger.edits import CODE, CONFIG, load_yaml
from mlops_debugger.errors import EditError, PoolError
from mlops_debugger.grading import Diagnosis, TrialRequest, Trials, prepare
from mlops_debugger.grading import trial as module
from mlops_debugger.grading.trial import CODE_REFUSED, other_sources, seeded_config, training_seed
from mlops_debugger.projects import Data, projects
from mlops_debugger.runs.pool import Limits, RunResult, TrainerPool
from mlops_debugger.runs.sandbox.probe import Layer, Machine

UNABLE = Machine((Layer("everything", False, True, "left out by a test"),))
ABLE = Machine((Layer("everything", True, True, ""),))
SAME_TO = 1e-6


class Recorded:
    """A pool whose runs are real and carried out once; it keeps the ids of what it was asked to run."""

    runs: ClassVar[dict[int, RunResult]] = {}
    real: ClassVar[TrainerPool | None] = None
    opened: ClassVar[list[Recorded]] = []

    def __init__(self, workers: int = 1, limits: Limits | None = None) -> None:
        self.workers, self.limits = workers, limits
        self.asked: list[Mapping[str, str]] = []
        self.about: list[tuple[str, str]] = []
        self.threads: set[str] = set()
        self.closed = False
        self.fails: list[BaseException] = []
        Recorded.opened.append(self)

    def run(self, sources: Mapping[str, str], data: Data, *, run_id: str, started_at: str) -> RunResult:
        if self.fails:
            raise self.fails.pop()
        self.asked.append(sources)
        self.about.append((run_id, started_at))
        self.threads.add(threading.current_thread().name)
        key = hash((tuple(sorted(sources.items())), tuple(sorted(data.files.items()))))
        if key not in Recorded.runs:
            Recorded.real = Recorded.real or TrainerPool(1)
            Recorded.runs[key] = Recorded.real.run(sources, data, run_id=run_id, started_at=started_at)
        return Recorded.runs[key]

    def __enter__(self) -> Recorded:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module", autouse=True)
def ended() -> Iterator[None]:
    yield
    if Recorded.real is not None:
        Recorded.real.close()
        Recorded.real = None


@pytest.fixture(autouse=True)
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    Recorded.opened = []
    monkeypatch.setattr(module, "TrainerPool", Recorded)
    monkeypatch.setattr(module, "SandboxPool", type("RecordedSandbox", (Recorded,), {}))


@pytest.fixture(scope="module")
def broken() -> Scenario:
    """A fault of the fastest project that one config edit cures."""
    with contextlib.closing(Bank(starter_bank_path())) as bank:
        entry = min(
            (e for e in bank.entries if e.project == "card_fraud" and e.fault == "learning_rate_too_low"),
            key=lambda e: e.scenario_id,
        )
        return bank.get(entry.scenario_id)


@pytest.fixture
def right(broken: Scenario) -> TrialRequest:
    return fixed(broken, broken.gold_fix)


def fixed(item: Scenario, fix: str) -> TrialRequest:
    made = prepare(item, Diagnosis("config_error", CONFIG, "x", fix))
    assert made is not None
    return made


def idle(request: TrialRequest) -> TrialRequest:
    """The broken run again, said to be changed: wrong, as the first seed shows."""
    return replace(request, config=request.scenario.artifacts[CONFIG], code=request.scenario.artifacts[CODE])


def impossible(item: Scenario, index: int) -> Scenario:
    """As `item`, but no fix can be right on seed `index`: its twin was better than anything is."""
    proofs = list(item.proofs)
    better = proofs[index].healthy.model_copy(update={"split_sizes": {"validation": 1, "test": 1}})
    proofs[index] = proofs[index].model_copy(update={"healthy": better})
    return item.model_copy(update={"proofs": tuple(proofs)})


def pool_of(trials: Trials) -> Recorded:
    assert len(Recorded.opened) == 1
    return Recorded.opened[0]


def close(figures: Figures, stored: Figures) -> bool:
    pairs = [(figures.actual, stored.actual), (figures.live, stored.live)]
    pairs += [(figures.reported[split], stored.reported[split]) for split in ("validation", "test")]
    return all(abs(new - old) < SAME_TO for new, old in pairs)


# ------------------------------------------------------------------ which runs


def test_a_right_fix_gives_the_twins_figures_on_every_seed(right: TrialRequest) -> None:
    with Trials(machine=lambda: UNABLE) as trials:
        result = trials.run(right)
    assert (result.status, result.detail, result.touches) == ("completed", "", 1)
    assert len(result.figures) == 3
    for figures, proof in zip(result.figures, right.scenario.proofs, strict=True):
        assert close(figures, proof.healthy)
        assert not close(figures, proof.broken)


def test_a_run_has_the_scenarios_sources_and_names(right: TrialRequest) -> None:
    item = right.scenario
    project = projects()[item.project]
    with Trials(machine=lambda: UNABLE) as trials:
        trials.run(right)
        pool = pool_of(trials)
    assert pool.about == [(item.run_id, item.started_at)] * 3
    names = set(project.sources())
    for index, sources in enumerate(pool.asked):
        assert set(sources) == names
        assert sources[CODE] == right.code
        assert sources[CONFIG] == seeded_config(right.config, project, item.run_seeds, index)
    assert pool.asked[0][CONFIG] == right.config
    others = other_sources(project, item.spellings)
    assert set(others) == names - {CONFIG, CODE}
    assert all(pool.asked[1][name] == text for name, text in others.items())


def test_hidden_seeds_change_the_training_seed_alone(right: TrialRequest) -> None:
    project = projects()[right.scenario.project]
    own = load_yaml(right.config)
    path = project.dialect["training.seed"].split(".")
    seen = set()
    for index in (1, 2):
        other = load_yaml(seeded_config(right.config, project, right.scenario.run_seeds, index))
        section = other
        for part in path[:-1]:
            section = section[part]
        seed = section[path[-1]]
        assert seed == training_seed(right.scenario.run_seeds[index])
        seen.add(seed)
        mine: Any = own
        for part in path[:-1]:
            mine = mine[part]
        section[path[-1]] = mine[path[-1]]
        assert other == own
    assert len(seen) == 2


def test_training_seeds_are_small_and_positive() -> None:
    seeds = {training_seed(data_seed) for data_seed in range(3000)}
    assert min(seeds) >= 1 and max(seeds) <= 9_999
    assert len(seeds) > 2000
    # Part of every proof in a bank: another number would make its stored figures those of other runs.
    assert [training_seed(seed) for seed in (1, 2, 3)] == [6737, 2043, 6941]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_wrong_fix_costs_one_run(right: TrialRequest, workers: int) -> None:
    with Trials(machine=lambda: UNABLE, workers=workers) as trials:
        result = trials.run(idle(right))
        assert len(pool_of(trials).asked) == 1
    assert result.status == "completed"
    (figures,) = result.figures
    assert close(figures, right.scenario.proofs[0].broken)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("index", "kept"), [(1, 2), (2, 3)])
def test_what_is_kept_does_not_depend_on_how_many_run_at_once(
    right: TrialRequest, index: int, kept: int, workers: int
) -> None:
    request = replace(right, scenario=impossible(right.scenario, index))
    with Trials(machine=lambda: UNABLE, workers=workers) as trials:
        result = trials.run(request)
        pool = pool_of(trials)
    assert len(result.figures) == kept
    assert len(pool.asked) == (kept if workers == 1 else 3)
    twins = right.scenario.proofs[:kept]
    assert all(close(one, proof.healthy) for one, proof in zip(result.figures, twins, strict=True))


def test_hidden_seeds_run_at_once_where_there_are_workers(right: TrialRequest) -> None:
    for workers, at_once in ((1, False), (2, True)):
        Recorded.opened = []
        with Trials(machine=lambda: UNABLE, workers=workers) as trials:
            trials.run(right)
            pool = pool_of(trials)
        assert any(name.startswith("seed") for name in pool.threads) == at_once
        assert len(pool.asked) == 3


def test_a_fix_that_changes_nothing_runs_nothing(right: TrialRequest) -> None:
    with Trials(machine=lambda: UNABLE) as trials:
        result = trials.run(replace(right, touches=0))
    assert Recorded.opened == []
    assert result.status == "completed"
    assert result.figures == (right.scenario.proofs[0].broken,)
    assert (result.detail, result.touches) == ("the fix changes nothing", 0)


# ------------------------------------------------------------------ cache


def test_the_same_content_is_run_once(right: TrialRequest) -> None:
    with Trials(machine=lambda: UNABLE) as trials:
        first = trials.run(right)
        pool = pool_of(trials)
        assert trials.run(right) is first
        assert trials.run(replace(right, config=right.config + "# a remark\n")) is first
        assert len(pool.asked) == 3
        assert trials.run(replace(right, touches=2)).touches == 2
        assert len(pool.asked) == 6
        trials.run(replace(right, code=right.code + "\n"))
        assert len(pool.asked) == 9
        trials.run(replace(right, scenario=right.scenario.model_copy(update={"scenario_id": "s-other"})))
        assert len(pool.asked) == 12


def test_the_cache_forgets_what_was_used_longest_ago(right: TrialRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHE", 2)
    one, two, three = (replace(right, touches=touches) for touches in (1, 2, 3))
    with Trials(machine=lambda: UNABLE) as trials:
        kept = trials.run(one)
        trials.run(two)
        assert trials.run(one) is kept
        trials.run(three)
        asked = len(pool_of(trials).asked)
        assert trials.run(one) is kept
        assert len(pool_of(trials).asked) == asked
        trials.run(two)
        assert len(pool_of(trials).asked) == asked + 3


# ------------------------------------------------------------------ whose failure


@pytest.mark.parametrize("error", [PoolError("gone"), OSError("full"), MemoryError("none")])
def test_our_failure_is_told_and_not_kept(right: TrialRequest, error: Exception) -> None:
    with Trials(machine=lambda: UNABLE) as trials:
        trials.run(idle(right))
        pool_of(trials).fails = [error]
        result = trials.run(right)
        assert (result.status, result.figures, result.touches) == ("infrastructure", (), 1)
        assert result.detail == f"the trial could not be carried out: {type(error).__name__}"
        assert trials.run(right).status == "completed"


def test_a_mistake_of_ours_is_no_verdict(right: TrialRequest) -> None:
    with Trials(machine=lambda: UNABLE) as trials:
        trials.run(idle(right))
        pool_of(trials).fails = [KeyError("a bug")]
        with pytest.raises(KeyError):
            trials.run(right)


def test_closed_trials_carry_nothing_out(right: TrialRequest) -> None:
    trials = Trials(machine=lambda: UNABLE)
    trials.run(right)
    pool = pool_of(trials)
    trials.close()
    assert pool.closed
    result = trials.run(idle(right))
    assert result.status == "infrastructure"
    assert "PoolError" in result.detail
    trials.close()


# ------------------------------------------------------------------ where


def in_code(request: TrialRequest) -> TrialRequest:
    return replace(request, touches_code=True)


def test_code_is_refused_without_isolation_and_config_is_not(right: TrialRequest) -> None:
    with Trials(machine=lambda: UNABLE) as trials:
        refused = trials.run(in_code(right))
        assert (refused.status, refused.figures, refused.detail, refused.touches) == ("refused", (), CODE_REFUSED, 1)
        assert Recorded.opened == []
        assert trials.run(right).status == "completed"
        assert type(pool_of(trials)) is Recorded


def test_an_operators_code_has_a_process_of_its_own_each_time(right: TrialRequest) -> None:
    limits = Limits(seconds=33)
    with Trials(machine=lambda: UNABLE, allow_code=True, workers=2, limits=limits) as trials:
        assert trials.run(in_code(right)).status == "completed"
        assert trials.run(in_code(idle(right))).status == "completed"
        first, second = Recorded.opened
        assert first.closed and second.closed
        assert (first.workers, first.limits) == (1, limits)
        trials.run(replace(right, touches=2))
        trials.run(replace(right, touches=3))
        shared = Recorded.opened[2:]
        assert [(pool.workers, pool.limits, pool.closed) for pool in shared] == [(2, limits, False)]


@pytest.mark.parametrize("allow", [False, True])
def test_with_isolation_everything_runs_in_it(right: TrialRequest, allow: bool) -> None:
    with Trials(machine=lambda: ABLE, allow_code=allow, workers=2) as trials:
        assert trials.run(in_code(right)).status == "completed"
        assert trials.run(idle(right)).status == "completed"
        pool = pool_of(trials)
        assert type(pool).__name__ == "RecordedSandbox"
        assert (pool.workers, pool.limits) == (2, Limits())


def test_the_policy_is_told_in_words() -> None:
    told = {
        (able, allow): Trials(machine=machine, allow_code=allow).policy
        for able, machine in ((True, lambda: ABLE), (False, lambda: UNABLE))
        for allow in (True, False)
    }
    assert told[True, True] == told[True, False] == "Fixes run in the sandbox, code patches too."
    assert "WITHOUT a sandbox" in told[False, True]
    assert "refused" in told[False, False] and "Config edits" in told[False, False]


# ------------------------------------------------------------------ what is to be run


def test_a_fix_is_applied_to_both_files(broken: Scenario) -> None:
    request = fixed(broken, broken.gold_fix)
    assert request.scenario is broken
    assert request.code == broken.artifacts[CODE] and not request.touches_code
    assert load_yaml(request.config) == load_yaml(broken.twin_artifacts[CONFIG])
    assert request.touches == broken.gold_touches
    patched = fixed(broken, broken.gold_fix + f"\n{first_line_patch(broken)}")
    assert patched.touches_code and patched.touches == broken.gold_touches + 1
    assert patched.code.splitlines()[0] == "X = 1"


def first_line_patch(item: Scenario) -> str:
    line = item.artifacts[CODE].splitlines()[0]
    return f"preprocessing.py:\n- {line}\n+ X = 1"


def test_keys_of_the_fix_may_be_canonical(broken: Scenario) -> None:
    """Both dialects: the project's map from canonical keys is used."""
    request = fixed(broken, "config.yaml: optimizer.learning_rate = 0.25")
    section: Any = load_yaml(request.config)
    for part in projects()[broken.project].dialect["optimizer.learning_rate"].split("."):
        section = section[part]
    assert section == 0.25


@pytest.mark.parametrize("control", [False, True])
def test_a_fix_that_cannot_be_read_is_told_on_controls_too(control: bool) -> None:
    item = record_of(control=control)
    with pytest.raises(EditError):
        prepare(item, Diagnosis("config_error", CONFIG, "x", "make it better"))
    with pytest.raises(EditError):
        prepare(item, Diagnosis("config_error", CONFIG, "x", "preprocessing.py:\n- not there\n+ at all"))


def test_nothing_is_run_for_controls_and_without_a_fix() -> None:
    fix = "config.yaml: optimizer.learning_rate = 0.25"
    assert prepare(record_of(control=True), Diagnosis("config_error", CONFIG, "x", fix)) is None
    assert prepare(record_of(control=False), Diagnosis(None, None, None, None)) is None
    assert prepare(record_of(control=False), Diagnosis("config_error", CONFIG, "x", fix)) is not None
