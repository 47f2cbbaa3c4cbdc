"""A report folder: summary.json, report.md and a picture of the score by category."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlops_debugger.evaluation.records import NO_FAULT
from mlops_debugger.evaluation.statistics import Block, Summary

PICTURE = "score_by_category.png"
_FAULT_COLOUR, _CONTROL_COLOUR, _INK = "#3b6fb6", "#8a8f98", "#24292f"


def write_report(summary: Summary, out: Path) -> list[Path]:
    """Write the three files; returns their paths. The picture shows tiers where categories are sealed."""
    out.mkdir(parents=True, exist_ok=True)
    files = [out / "summary.json", out / "report.md", out / PICTURE]
    files[0].write_text(summary.model_dump_json(indent=1) + "\n", "utf-8")
    files[1].write_text(markdown(summary), "utf-8")
    picture(summary, files[2])
    return files


def words(name: str) -> str:
    return "healthy controls" if name == NO_FAULT else name.replace("_", " ")


def score_text(block: Block) -> str:
    """Mean and interval, as a table shows them."""
    if block.mean_score is None:
        return "–"
    if block.ci95 is None:
        return f"{block.mean_score:.2f}"
    return f"{block.mean_score:.2f} [{block.ci95[0]:.2f}, {block.ci95[1]:.2f}]"


def figures(block: Block, *, spent: bool = False) -> list[str]:
    """Episodes, score, solved, the four rows, steps; and, if `spent`, tokens and cost an episode."""
    rows = [f"{block.rows[name]:.2f}" if name in block.rows else "–" for name in ("category", "file", "field", "fix")]
    solved = "–" if block.solved_share is None else f"{block.solved_share:.0%}"
    steps = "–" if block.mean_steps is None else f"{block.mean_steps:.1f}"
    tokens = "–" if block.mean_tokens is None else f"{block.mean_tokens:,.0f}"
    cost = "–" if block.mean_cost is None else f"{block.mean_cost:.4g}"
    return [str(block.episodes), score_text(block), solved, *rows, steps, *([tokens, cost] if spent else [])]


SPENT_HEADINGS = ("tokens", "cost")
HEADINGS = ("episodes", "score [95 %]", "solved", "category", "file", "field", "fix", "steps")


def sections(summary: Summary) -> list[tuple[str, Mapping[str, Block]]]:
    """The tables of a report, each with its title."""
    totals: dict[str, Block] = {"all": summary}
    if summary.faults is not None and summary.controls is not None:
        totals |= {"faults": summary.faults, "healthy controls": summary.controls}
    tables: list[tuple[str, Mapping[str, Block]]] = [("Overall", totals), ("By difficulty", summary.by_difficulty)]
    if summary.faults is not None:
        tables.append(("Faults by difficulty", summary.faults.by_difficulty))
    if summary.by_category:
        tables.append(("By failure category", summary.by_category))
    tables.append(("By data set", summary.by_dataset))
    if summary.by_fault:
        tables.append(("By fault", summary.by_fault))
    return tables


def spending(summary: Summary) -> list[str]:
    """A sentence a model: what it was asked, and what that came to."""
    lines = []
    for model, used in summary.usage.items():
        cost = "no prices were given" if used.cost is None else f"cost {used.cost:.4g}"
        missing = f"; {used.uncounted} answers told no tokens, so there were more" if used.uncounted else ""
        lines.append(
            f"{model}: {used.requests} requests and {used.retries} retries, {used.prompt_tokens:,} prompt tokens "
            f"({used.cached_tokens:,} of them cached), {used.completion_tokens:,} completion tokens, {cost}{missing}."
        )
    return lines


def markdown(summary: Summary) -> str:
    """The report as a page."""
    spent = bool(summary.usage)
    headings = (*HEADINGS, *SPENT_HEADINGS) if spent else HEADINGS
    lines = [
        f"# {summary.agent} on {summary.split}",
        "",
        f"{summary.episodes} episodes of task {summary.task}, played on {summary.place}. Scores lie in [0, 1]; the "
        "brackets are 95 % intervals of the mean (Student). An episode counts as solved from 0.99 on.",
        "",
        f"Left out of the means because a row could not be scored: {summary.unscored}. "
        f"Broken off by the agent (score 0): {summary.failed}.",
        "",
        f"![Score by failure category]({PICTURE})",
        *(line for told in spending(summary) for line in ("", told)),
    ]
    for title, blocks in sections(summary):
        lines += ["", f"## {title}", "", f"| | {' | '.join(headings)} |", f"|---|{'---:|' * len(headings)}"]
        lines += [f"| {words(name)} | {' | '.join(figures(item, spent=spent))} |" for name, item in blocks.items()]
    return "\n".join(lines) + "\n"


def picture(summary: Summary, path: Path) -> None:
    """Horizontal bars of the mean score, with 95 % intervals and the number of episodes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    blocks = summary.by_category or summary.by_difficulty
    shown = [(name, item) for name, item in blocks.items() if item.mean_score is not None][::-1]
    figure, axes = pyplot.subplots(figsize=(8.0, 1.4 + 0.5 * max(len(shown), 1)), dpi=150)
    for place, (name, item) in enumerate(shown):
        mean = item.mean_score or 0.0
        low, high = item.ci95 or (mean, mean)
        colour = _CONTROL_COLOUR if name == NO_FAULT else _FAULT_COLOUR
        axes.barh(place, mean, height=0.62, color=colour)
        if item.ci95 is not None:
            axes.errorbar(mean, place, xerr=[[mean - low], [high - mean]], color=_INK, capsize=3, linewidth=1.2)
        axes.text(min(high, 1.0) + 0.015, place, f"{mean:.2f}", va="center", color=_INK, fontsize=9)
    axes.set_yticks(range(len(shown)), [f"{words(name)} (n={item.episodes})" for name, item in shown])
    axes.set_xlim(0, 1.1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.set_xlabel("mean score, with 95 % interval")
    what = "failure category" if summary.by_category else "difficulty"
    axes.set_title(f"Agent {summary.agent}: score by {what} ({summary.episodes} episodes)", loc="left", fontsize=11)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#d9dde2", linewidth=0.6)
    axes.set_axisbelow(True)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
