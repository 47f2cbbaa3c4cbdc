"""forge and calibrate: making scenarios, and measuring what healthy runs look like."""

from __future__ import annotations

import json
import shlex
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import JustifyMethod
from rich.progress import Progress, ProgressColumn, Task
from rich.table import Table
from rich.text import Text

from mlops_debugger.cli._app import FAILED, INTERRUPTED, WorkersOption, app, console, examples, progress

if TYPE_CHECKING:
    from mlops_debugger.forge.build import Progress as Built
    from mlops_debugger.forge.healthy import HealthyBand
    from mlops_debugger.forge.summary import Summary, Tally

ProjectsOption = Annotated[
    list[str] | None, typer.Option("--projects", help="Repeat or separate by commas; default all.")
]


class _Rate(ProgressColumn):
    """How many a minute, over the last minutes."""

    def render(self, task: Task) -> Text:
        return Text(f"{60 * task.speed:.1f} a minute" if task.speed else "", style="cyan")


def _bar() -> Progress:
    plain = progress()
    return Progress(*plain.columns[:-1], _Rate(), plain.columns[-1], console=console, speed_estimate_period=180)


def _names(given: list[str] | None) -> tuple[str, ...]:
    return tuple(name.strip() for item in given or () for name in item.split(",") if name.strip())


@app.command(
    epilog=examples(
        "mlops-debugger forge --out bank.sqlite --scenarios 240 --seed-base 2026-11 --workers 2",
        "mlops-debugger forge --out few.sqlite --scenarios 10 --faults first_stride_too_large",
        "mlops-debugger forge --out larger.sqlite --extend bank.sqlite --scenarios 1200 --workers 2",
        "mlops-debugger forge --out renewed.sqlite --extend bank.sqlite --look-again --scenarios 1200 --workers 2",
    )
)
def forge(
    out: Annotated[Path, typer.Option(help="The bank to write; its journal stands beside it until it is done.")],
    scenarios: Annotated[int, typer.Option(min=1, help="How many, healthy controls included.")],
    faults: Annotated[list[str] | None, typer.Option(help="Repeat or separate by commas; default all.")] = None,
    projects: ProjectsOption = None,
    seed_base: Annotated[
        str | None, typer.Option(help="Any other word gives a fresh, disjoint bank; default 0, or the extended bank's.")
    ] = None,
    workers: WorkersOption = 1,
    extend: Annotated[
        Path | None, typer.Option(help="Go on from this bank: what still holds of it is not forged again.")
    ] = None,
    look_again: Annotated[
        bool,
        typer.Option(
            help="With --extend: train every scenario again on its own seed, and keep those that measure the same, "
            "with what runs save and checks find now."
        ),
    ] = False,
) -> None:
    """Make a bank: plant faults, train both twins on three seeds, keep what is proven.

    The table at the end tells of every fault on every project whether it is any good, and below it why not.
    Interrupting loses at most what is under way: the same command resumes.
    """
    from mlops_debugger.bank import Bank
    from mlops_debugger.forge.build import build
    from mlops_debugger.forge.plan import Order

    given, where = _names(faults), _names(projects)
    if look_again and extend is None:
        raise typer.BadParameter("--look-again needs --extend BANK: the bank whose scenarios are looked at again")
    if seed_base is None:
        seed_base = str(Bank(extend).manifest["seed_base"]) if extend else "0"
    words = ["mlops-debugger", "forge", "--out", out.name, "--scenarios", str(scenarios), "--seed-base", seed_base]
    words += [
        *(f"--faults={name}" for name in given),
        *(f"--projects={name}" for name in where),
        f"--workers={workers}",
        *([f"--extend={extend.name}"] if extend else []),
        *(["--look-again"] if look_again else []),
    ]
    order = Order(out, scenarios, seed_base, given, where, workers, shlex.join(words), extend, look_again)
    with _bar() as bar:
        task = bar.add_task("proven", total=scenarios, note="starting the trainers")

        def report(built: Built) -> None:
            rejected = built.tried - built.proven
            bar.update(
                task, completed=built.proven, total=built.wanted, note=f"{built.tried} tried, {rejected} rejected"
            )

        def looking(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of, note="looked at again")

        try:
            summary = build(order, report, looking)
        except KeyboardInterrupt:
            bar.stop()
            console.print(f"Stopped. Every finished try is kept beside {out}; the same command goes on from there.")
            raise typer.Exit(INTERRUPTED) from None
    _tell(summary)
    proven = sum(tally.proven for tally in summary.tallies.values())
    if not proven:
        console.print(f"Nothing was proven in {summary.runs} training runs, so there is no bank to write.")
        raise typer.Exit(FAILED)
    console.print(f"{proven} scenarios from {summary.runs} training runs in {out}: {out.stat().st_size:,} bytes")


def _tell(summary: Summary) -> None:
    """One line for every fault on every project, then why tries were rejected and what counter edits did."""
    from mlops_debugger.forge.summary import CONTROL

    if summary.carried is not None:
        console.print(f"{summary.carried.kept} scenarios carried over.")
        for reason, count in summary.carried.dropped.items():
            console.print(f"{count} not carried over: {reason}", highlight=False) if count else None
    table = Table(
        title="Tried and proven (harm: the median, and the least)", title_justify="left", box=None, header_style="bold"
    )
    for heading in ("fault", "project", "tried", "proven", "harm (least)", "silent", "verdict"):
        side: JustifyMethod = "left" if heading in ("fault", "project", "verdict") else "right"
        table.add_column(heading, justify=side, overflow="fold")
    notes: list[str] = []
    for (fault, project), tally in sorted(summary.tallies.items()):
        control = fault == CONTROL
        harm = f"{statistics.median(tally.harms):.2f} ({min(tally.harms):.2f})" if tally.harms and not control else ""
        judged = ["", "", ""] if control else [harm, str(tally.silent), tally.verdict()]
        table.add_row(fault, project, str(tally.tried), str(tally.proven), *judged)
        if not control:
            notes += [f"{fault} on {project}: {note}" for note in (*tally.why_not(), *_looks(tally))]
    console.print(table)
    for note in notes:
        console.print(note, highlight=False, markup=False, soft_wrap=True)


def _looks(tally: Tally) -> Iterator[str]:
    """What sees the fault, and what counter edits did to it."""
    if tally.proven:
        seen = ", ".join(f"{name} {count}" for name, count in tally.seen.most_common())
        yield f"checks that fail, of {tally.proven} scenarios: {seen or 'none'}"
    if tally.counters:
        cured = [key for key, edits in tally.counters.items() if any(edit.cured for edit in edits)]
        yield f"counter edits tried: {', '.join(tally.counters)}; cured by: {', '.join(cured) or 'none'}"


@app.command(
    epilog=examples(
        "mlops-debugger calibrate --count 40 --workers 2", "mlops-debugger calibrate --projects loan_outcomes"
    )
)
def calibrate(
    projects: ProjectsOption = None,
    count: Annotated[int, typer.Option(min=2, help="Pairs of healthy runs per project.")] = 40,
    seed_base: Annotated[str, typer.Option(help="Which healthy runs.")] = "calibration",
    workers: WorkersOption = 1,
    checks: Annotated[bool, typer.Option(help="Run the eight checks on them too, and count their alarms.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the bands here instead of into the package.")] = None,
) -> None:
    """Measure healthy runs (for maintainers): the spread of harm between them, and the band of their reports.

    Scenarios are proven against these figures, so a changed project has to be measured again before it is forged.
    """
    from mlops_debugger.checks import checks as all_checks
    from mlops_debugger.errors import ForgeError
    from mlops_debugger.forge import healthy
    from mlops_debugger.projects import projects as all_projects

    chosen = _names(projects)
    if unknown := sorted(set(chosen) - set(all_projects())):
        raise ForgeError(f"no such project: {', '.join(unknown)}; there are {', '.join(all_projects())}")
    bands: list[HealthyBand] = []
    alarms: Counter[tuple[str, str]] = Counter()
    runs = 0
    with _bar() as bar:
        task = bar.add_task("healthy pairs", total=count * len(chosen or all_projects()), note="")
        for item in healthy.calibrate(count=count, seed_base=seed_base, workers=workers, only=chosen):
            if isinstance(item, healthy.HealthyBand):
                bands.append(item)
                continue
            runs += 1
            bar.update(task, advance=1, note=item[0])
            for name, check in all_checks().items() if checks else ():
                alarms[name, check.run(item[1]).verdict] += 1
    path = out or Path(healthy.__file__).with_name("healthy.json")
    _write_bands(path, bands)
    console.print(_measured(bands))
    if checks:
        console.print(_alarms(alarms, runs))
    console.print(f"Written to {path}", highlight=False, soft_wrap=True)


def _write_bands(path: Path, bands: list[HealthyBand]) -> None:
    """Replace the bands of these projects; the others stay."""
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {"projects": {}}
    known["projects"] |= {band.project: band.model_dump() for band in bands}
    known["projects"] = dict(sorted(known["projects"].items()))
    path.write_text(json.dumps(known, indent=1) + "\n", "utf-8")


def _measured(bands: list[HealthyBand]) -> Table:
    table = Table(title="Healthy runs", title_justify="left", box=None, header_style="bold")
    for heading in (
        "project",
        "pairs",
        "σ of harm",
        "skill",
        "sd",
        "|reported − actual|",
        "reported 5–95 %",
        "seconds",
    ):
        table.add_column(heading, justify="left" if heading == "project" else "right")
    for band in bands:
        reported = f"{band.reported_low:.3f}–{band.reported_high:.3f}"
        seconds = f"{band.seconds_median:.2f} (most {band.seconds_max:.2f})"
        figures = [f"{value:.4f}" for value in (band.sigma, band.skill_mean, band.skill_sd, band.gap_mean)]
        table.add_row(band.project, str(band.pairs), *figures, reported, seconds)
    return table


def _alarms(alarms: Counter[tuple[str, str]], runs: int) -> Table:
    verdicts = ("fail", "warn", "pass", "not_applicable")
    table = Table(title=f"Checks on {runs} healthy runs", title_justify="left", box=None, header_style="bold")
    table.add_column("check")
    for verdict in verdicts:
        table.add_column(verdict.replace("_", " "), justify="right")
    for name in dict.fromkeys(name for name, _ in alarms):
        table.add_row(name, *(f"{alarms[name, verdict] / runs:.1%}" for verdict in verdicts))
    return table
