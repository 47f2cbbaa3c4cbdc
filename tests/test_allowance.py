"""How long a run may take: what it waits for a processor is not its own time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attacks_floods
import pytest
from sandboxes import alone, descendants, found, refused, send

from mlops_debugger.errors import RunError
from mlops_debugger.forge.plant import variation_of
from mlops_debugger.projects import projects
from mlops_debugger.runs import pool
from mlops_debugger.runs.allowance import Allowance
from mlops_debugger.runs.pool import Limits, TrainerPool
from mlops_debugger.runs.sandbox.pool import SandboxPool
from mlops_debugger.runs.workspace import render

BUSY = "import os\nos.sched_setaffinity(0, {CORE})\nprint('busy', flush=True)\nwhile True:\n    pass"


def schedstat(tmp_path: Path, waited_s: float) -> int:
    """A descriptor of what the kernel would say of a run that waited so long."""
    told = tmp_path / "schedstat"
    told.write_text(f"1000 {int(waited_s * 1e9)} 7\n")
    return os.open(told, os.O_RDONLY)


@pytest.fixture
def silent() -> Iterator[int]:
    """A pipe on which nobody writes."""
    reading, writing = os.pipe()
    yield reading
    os.close(reading)
    os.close(writing)


def test_time_that_a_run_has_had_is_spent(silent: int, tmp_path: Path) -> None:
    own = Allowance(0.05, schedstat(tmp_path, 0.0))
    assert own.wait(silent) == "spent"
    assert own.elapsed >= 0.04
    own.close()


def test_time_in_the_queue_is_given_back(silent: int, tmp_path: Path) -> None:
    own = Allowance(0.05, schedstat(tmp_path, 0.2))
    assert own.wait(silent) == "spent"
    assert own.elapsed >= 0.24
    own.close()


@pytest.mark.parametrize(("state", "word"), [("R", "starved"), ("S", "spent")])
def test_a_wait_that_goes_on_is_a_wait(silent: int, tmp_path: Path, state: str, word: str) -> None:
    """The kernel adds a wait when it ends: a run that is ready and does not run is waiting all the time."""
    told = tmp_path / "stat"
    told.write_text(f"7 (a name) {state} 1 1")
    own = Allowance(0.05, schedstat(tmp_path, 0.0), os.open(told, os.O_RDONLY))
    assert own.wait(silent) == word
    own.close()


def test_patience_ends(silent: int, tmp_path: Path) -> None:
    own = Allowance(0.05, schedstat(tmp_path, 1000.0))
    assert own.wait(silent) == "starved"
    assert own.elapsed >= 0.49
    own.close()


@pytest.mark.parametrize("text", ["", "no numbers here", "12"])
def test_without_the_kernels_word_wall_time_counts(silent: int, tmp_path: Path, text: str) -> None:
    (tmp_path / "odd").write_text(text)
    own = Allowance(0.05, os.open(tmp_path / "odd", os.O_RDONLY))
    assert own.wait(silent) == "spent"
    own.close()
    assert Allowance.of_process(0.01, "no such process").wait(silent) == "spent"


def test_time_between_two_waits_does_not_count(silent: int) -> None:
    own = Allowance(1.0)
    ready, told = os.pipe()
    os.write(told, b"T")
    assert own.wait(ready) == "ready"
    time.sleep(3.0)
    asked = time.monotonic()
    assert own.wait(silent) == "spent"
    assert time.monotonic() - asked >= 0.5, "it waited for what was left, and did not find the time gone"
    assert own.elapsed < 3.0
    os.close(ready)
    os.close(told)


def test_time_for_which_the_waiting_process_was_stopped_does_not_count() -> None:
    code = "from mlops_debugger.runs.allowance import Allowance; own = Allowance(3.0); print('now', flush=True);"
    code += "print(own.wait(0), flush=True)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as waiting:
        assert waiting.stdin and waiting.stdout and waiting.stdout.readline() == b"now\n"
        waiting.send_signal(signal.SIGSTOP)
        time.sleep(4.0)
        waiting.send_signal(signal.SIGCONT)
        time.sleep(1.5)
        waiting.stdin.write(b"T")
        waiting.stdin.close()
        assert waiting.stdout.read() == b"ready\n"


@pytest.mark.slow
def test_a_worker_and_its_run_that_were_stopped_go_on() -> None:
    project = projects()["loan_outcomes"]
    variation = variation_of(project, 5)
    job = render(project, variation), project.generate(5, variation.data)
    with TrainerPool(1, Limits(seconds=1.5)) as trainer, ThreadPoolExecutor(1) as thread:
        trainer.run(*job, run_id="run-1", started_at="2026-02-02T08:00:00")
        running = thread.submit(trainer.run, *job, run_id="run-1", started_at="2026-02-02T08:00:00")
        while len(stopped := _processes(trainer)) < 2:
            assert not running.done(), "it was over before it could be stopped"
        for process in stopped:
            os.kill(process, signal.SIGSTOP)
        time.sleep(16.0)
        for process in stopped:
            os.kill(process, signal.SIGCONT)
        result = running.result()
    assert result.status == "completed" and result.seconds < 15.0


def test_a_run_does_not_pay_for_a_forge_that_is_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    write = pool.write_files

    def later(folder: Path, files: Mapping[str, bytes]) -> None:
        time.sleep(1.6)
        write(folder, files)

    monkeypatch.setattr(pool, "write_files", later)
    project = projects()["repair_costs"]
    variation = variation_of(project, 5)
    with TrainerPool(1, Limits(seconds=2.5)) as trainer:
        data = project.generate(5, variation.data)
        result = trainer.run(render(project, variation), data, run_id="run-1", started_at="2026-02-02T08:00:00")
    assert result.status == "completed" and result.seconds < 2.5


def test_what_is_there_is_ready_even_when_the_time_is_up() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"T")
    own = Allowance(0.0)
    assert own.wait(reading) == "ready"
    for end in (reading, writing):
        os.close(end)


@contextmanager
def one_busy_core(others: int) -> Iterator[None]:
    """This process, and all that it starts, on one core that `others` busy processes share with it."""
    before = os.sched_getaffinity(0)
    core = min(before)
    os.sched_setaffinity(0, {core})
    try:
        with ExitStack() as busy:
            for _ in range(others):
                # A session each: the scheduler may share a core between sessions first.
                one = busy.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-c", BUSY.replace("CORE", str(core))],
                        stdout=subprocess.PIPE,
                        start_new_session=True,
                    )
                )
                busy.callback(one.kill)
                assert one.stdout is not None
                one.stdout.readline()
            yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SandboxPool, TrainerPool])
def test_a_run_on_a_busy_machine_gets_its_time(kind: type[SandboxPool] | type[TrainerPool]) -> None:
    """Seven share a core: one second of computing takes some seven, and two are allowed."""
    if kind is SandboxPool and refused():
        return
    pool = (
        SandboxPool(1, Limits(seconds=2.0), libraries=False)
        if kind is SandboxPool
        else TrainerPool(1, Limits(seconds=2.0))
    )
    with pool:
        # The first one starts the worker, which takes its time on a busy core.
        assert found(send(pool, alone(attacks_floods.sleep), {"seconds": 0}))
        with one_busy_core(6):
            for process in _processes(pool):
                os.sched_setaffinity(process, os.sched_getaffinity(0))
            result = send(pool, alone(attacks_floods.compute), {"seconds": 1.0})
            assert result.status == "completed" and found(result)
            assert result.seconds > 2.0, "the core was not busy: this shows nothing"
            assert send(pool, alone(attacks_floods.sleep), {"seconds": 600}).status == "timeout"


@pytest.mark.slow
def test_a_run_that_gets_no_processor_is_our_failure() -> None:
    if refused():
        return
    with SandboxPool(1, Limits(seconds=0.3), libraries=False) as pool:
        assert found(send(pool, alone(attacks_floods.sleep), {"seconds": 0}))
        # 25 share a core: 0.2 s of computing take five, and patience ends after three.
        with one_busy_core(24):
            for process in _processes(pool):
                os.sched_setaffinity(process, os.sched_getaffinity(0))
            with pytest.raises(RunError, match="too busy"):
                send(pool, alone(attacks_floods.compute), {"seconds": 0.2})


def _processes(pool: SandboxPool | TrainerPool) -> list[int]:
    """The pool's workers and what they have started."""
    started = [worker.process.pid for worker in pool._all]
    return [pid for first in started for pid in (first, *descendants(first))]
