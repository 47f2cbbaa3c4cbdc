"""Tables and transcripts for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mlops_debugger.evaluation.records import Transcript, Turn
from mlops_debugger.evaluation.report import SPENT_HEADINGS, figures, score_text, sections, spending, words
from mlops_debugger.evaluation.statistics import Block, Summary

_HEADINGS = ("n", "score [95 %]", "solved", "cat.", "file", "field", "fix", "steps")
"""Short, so that a table fits into 80 columns."""
_LINES = 6
"""Lines of an answer that a readable transcript shows."""


def summary_table(summary: Summary, *, faults: bool = False) -> Table:
    """All sections of a report as one table; `faults` adds the one by fault."""
    title = escape(f"{summary.agent} on {summary.split}: {summary.episodes} episodes")
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    for heading in (*_HEADINGS, *(SPENT_HEADINGS if summary.usage else ())):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, blocks in sections(summary):
        if name == "By fault" and not faults:
            continue
        table.add_row(f"[bold]{name}[/bold]")
        for key, block in blocks.items():
            table.add_row(f"  {escape(words(key))}", *figures(block, spent=bool(summary.usage)))
    if summary.usage:
        table.caption, table.caption_justify = escape("\n".join(spending(summary))), "left"
    return table


def audit_table(held: Mapping[str, Any]) -> Table:
    """What an audit found: a row a player, faults and controls apart, then faults that train has and lacks."""
    table = Table(title=f"Audit on {held['split']}", title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for heading in ("faults [95 %]", "solved", "controls", "seen", "held out"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, found in held["players"].items():
        blocks = {part: Block.model_validate({**found[part], "mean_steps": None}) for part in AUDITED}
        solved = blocks["faults"].solved_share
        cells = [score_text(blocks["faults"]), "–" if solved is None else f"{solved:.0%}"]
        for part in AUDITED[1:]:
            score = blocks[part].mean_score
            cells.append("–" if score is None else f"{score:.2f}")
        table.add_row(name, *cells)
    return table


AUDITED = ("faults", "controls", "seen", "held_out")


def transcript_view(transcript: Transcript) -> RenderableType:
    """One episode as somebody reads it: what was asked, what came back, the verdict and, where known, the truth."""
    head = f"{transcript.agent} · {transcript.run_id} · {transcript.dataset} · {transcript.tier}"
    return Panel(Group(*_parts(transcript)), title=escape(head), title_align="left", border_style="dim")


def _parts(transcript: Transcript) -> Iterator[RenderableType]:
    for number, turn in enumerate(transcript.turns, start=1):
        yield _asked(number, turn)
        if turn.action.get("action_type") != "submit_diagnosis":
            yield _answer(turn)
        for message in turn.messages:
            yield Text(f"    {message}", style="yellow")
    if transcript.error:
        yield Text(f"The agent broke off: {transcript.error}", style="red")
    yield Text()
    rows = ", ".join(
        f"{name} {'unscored' if share is None else f'{share:g}'}" for name, share in transcript.rows.items()
    )
    yield Text(f"Score {transcript.score:g} after {transcript.steps} steps ({rows or 'rows withheld'})", style="bold")
    truth = transcript.truth
    if truth is None:
        yield Text("The truth is sealed: the server was not given its harness key.", style="dim")
    elif truth.is_control:
        yield Text("Truth: a healthy run.", style="green")
    else:
        yield Text(f"Truth: {truth.fault} ({truth.category}) in {truth.file}, {truth.field}", style="green")
        yield Text(_indented(truth.gold_fix), style="green")


def _asked(number: int, turn: Turn) -> Text:
    """The action in one line; a diagnosis in full."""
    given = {name: str(value) for name, value in turn.action.items() if name not in ("action_type", "metadata")}
    line = Text(f"{number:>2}  ", style="dim").append(str(turn.action.get("action_type")), style="bold cyan")
    if turn.action.get("action_type") != "submit_diagnosis":
        return line.append("  " + "  ".join(given.values()), style="cyan")
    for name, value in given.items():
        line.append(f"\n      {name}: ", style="dim")
        line.append(value if "\n" not in value else "\n" + _indented(value, 8))
    return line


def _answer(turn: Turn) -> Text:
    lines = turn.result.splitlines()
    shown = [line[:200] for line in lines[:_LINES]]
    if len(lines) > _LINES:
        shown.append(f"… {len(lines) - _LINES} more lines")
    return Text(_indented("\n".join(shown)), style="dim")


def _indented(text: str, by: int = 4) -> str:
    return "\n".join(" " * by + line for line in text.splitlines())
