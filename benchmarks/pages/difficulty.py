"""docs/difficulty.md: how hard scenarios are, what that correlates with, and examples of every tier."""

from __future__ import annotations

import io
import json
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from PIL import Image
from scipy.stats import spearmanr

from mlops_debugger.bank import Scenario
from mlops_debugger.contract import CATEGORIES
from mlops_debugger.forge import difficulty
from mlops_debugger.forge.difficulty import Rating
from mlops_debugger.forge.finish import HELD_OUT_SITES, TIERS, finish
from mlops_debugger.forge.observations import ACTIONS
from pages import GENERATED, Shelf, docstring, share, spread, table

MEASURED = Path(__file__).resolve().parents[1] / "difficulty.json"
COLOURS = {"easy": "#4f9d69", "medium": "#d9a441", "hard": "#c2543d", "control": "#8b949e"}
INK = "#24292f"
EXAMPLES = 3


def difficulty_page(shelf: Shelf) -> tuple[str, bytes]:
    """The page and its picture."""
    ratings = difficulty.rate(shelf.scenarios)
    rated = finish(shelf.scenarios, ratings)
    broken = [scenario for scenario in rated if scenario.fault]
    lines = ["# Difficulty", "", GENERATED.format("src/mlops_debugger/forge/difficulty.py"), *_about(), ""]
    old = {scenario.scenario_id: scenario for scenario in shelf.scenarios}
    if any(old[item.scenario_id].tier != item.tier for item in rated):
        lines += [
            "The starter bank was rated by an earlier measure; this page rates its scenarios anew. The next bank that is forged has these tiers.",
            "",
        ]
    lines += ["## Distribution", "", "![difficulty](pictures/difficulty.png)", "", *_counts(broken, rated, ratings), ""]
    lines += ["## Tiers", "", *_tiers(rated), ""]
    lines += ["## What it correlates with", "", *_correlations(broken, old), ""]
    lines += ["## Examples", "", *_examples(broken, ratings)]
    return "\n".join(lines) + "\n", draw(rated)


def _about() -> list[str]:
    said = docstring("mlops_debugger.forge.difficulty").split("\n\n", 1)
    return [
        said[0].replace("\n", " "),
        "",
        " ".join(said[1].split()),
        "",
        f"One action says at most {difficulty.MOST_BITS:g} bits against a cause, so none settles anything by itself, a look at the odd line included. "
        "What an odd line is worth depends on how unlike all lines of healthy runs it is, against how unlike the healthy spellings are to each other: "
        "a broken line that could be one more spelling says little. A value of the configuration counts by how far outside of the healthy runs' range it "
        f"lies, a word by being in none of them. Beside the panel's causes there may always be *{difficulty.UNKNOWN}*, which can show every symptom: only a "
        'look at the odd place speaks against it. "No fault" weighs as much at the start as all faults together.',
        "",
        f"A scenario that no set of actions separates counts {len(ACTIONS) + 1} steps. Tiers are thirds by difficulty within each category and within the "
        "healthy controls, so that every tier has the same mixture: global thirds would put most architecture bugs into one tier, and a tier's score would "
        "tell of categories. The price is that the tiers of two categories have different edges. Rate a bank anew, without training, with "
        "`mlops-debugger bank OLD --rate NEW`.",
    ]


def _counts(broken: list[Scenario], rated: list[Scenario], ratings: dict[str, Rating]) -> list[str]:
    counts: dict[int, int] = defaultdict(int)
    for item in broken:
        counts[ratings[item.scenario_id].count] += 1
    rows = []
    for count in sorted(counts):
        here = [item for item in broken if ratings[item.scenario_id].count == count]
        left = [len(ratings[item.scenario_id].left[-1]) for item in here]
        name = "never" if count > len(ACTIONS) else str(count)
        rows.append(
            [
                name,
                share(len(here), len(broken)),
                spread([item.difficulty for item in here]),
                f"{statistics.mean(left):.1f}",
            ]
        )
    controls = [item for item in rated if item.is_control]
    apart = sum(ratings[item.scenario_id].separated for item in controls)
    return [
        *table(["steps until one cause is left", "scenarios with a fault", "difficulty", "other causes left"], rows),
        "",
        f"Of {len(controls)} controls {apart} are ever told apart from everything else: that nothing at all is wrong cannot be shown. "
        f"Their difficulty: {spread([item.difficulty for item in controls])}.",
    ]


def _tiers(rated: list[Scenario]) -> list[str]:
    rows = []
    for kind in (*CATEGORIES, ""):
        cells = [kind or "(control)"]
        for tier in TIERS:
            here = [item.difficulty for item in rated if item.tier == tier and _kind(item) == kind]
            cells.append(f"{len(here)}: {spread(here)}")
        rows.append(cells)
    size = {tier: [item for item in rated if item.tier == tier] for tier in TIERS}
    rows.append(["all", *(f"{len(size[tier])}: {spread([item.difficulty for item in size[tier]])}" for tier in TIERS)])
    rows.append(["controls", *(share(sum(item.is_control for item in size[tier]), len(size[tier])) for tier in TIERS)])
    rows.append(["silent", *(share(sum(item.silent for item in size[tier]), len(size[tier])) for tier in TIERS)])
    for project in sorted({item.project for item in rated}):
        rows.append(
            [project, *(share(sum(item.project == project for item in size[tier]), len(size[tier])) for tier in TIERS)]
        )
    return table(["", *TIERS], rows)


def _kind(item: Scenario) -> str:
    return item.answers[0].categories[0] if item.answers else ""


def _correlations(broken: list[Scenario], old: dict[str, Scenario]) -> list[str]:
    measured = json.loads(MEASURED.read_text("utf-8")) if MEASURED.is_file() else {"measured": "", "agents": {}}
    by_id = {item.scenario_id: item for item in broken}
    told = {
        "rules": "`rules`, without running fixes",
        "rules, fixes run": "`rules`, fixes run",
        "nearest_neighbour": "`nearest_neighbour`, without running fixes, all of validation and test",
        "classifiers": "classifiers of the artifact probe on all artifacts and checks: share that names the fault",
    }
    rows = []
    for name, words in told.items():
        episodes = {key: value for key, value in measured["agents"].get(name, {}).items() if key in by_id}
        rows += _row(words, episodes, by_id, old)
        if name == "nearest_neighbour":
            seen = {key: value for key, value in episodes.items() if by_id[key].site not in HELD_OUT_SITES}
            rows += _row("`nearest_neighbour`, only faults that train has too", seen, by_id, old)
    ids = list(by_id)
    harm = spearmanr([by_id[i].difficulty for i in ids], [by_id[i].harm for i in ids])
    lines = []
    if rows:
        lines += [
            f"Rank correlation (Spearman) of difficulty with failure, that is with the score's negative, on scenarios with a fault; measured on {measured['measured']} "
            "(`python benchmarks/difficulty.py`). Positive: what is called hard is failed more often. *Stored* is the difficulty that the bank holds.",
            "",
            *table(
                ["who", "episodes", "this measure (p)", "stored (p)", "score by tier: " + ", ".join(TIERS), "steps"],
                rows,
            ),
            "",
            _between(measured["agents"].get("rules", {}), by_id),
        ]
    else:
        lines += ["The agents have not played this bank yet: `python benchmarks/difficulty.py` lets them.", ""]
    return [*lines, f"With the least harm over a scenario's seeds: {harm.statistic:+.2f} (p {harm.pvalue:.2g})."]


def _row(words: str, episodes: dict[str, Any], by_id: dict[str, Scenario], old: dict[str, Scenario]) -> list[list[str]]:
    if len(episodes) < 10:
        return []
    failure = [-value[0] for value in episodes.values()]
    cells = []
    for source in (by_id, old):
        values = [source[key].difficulty for key in episodes]
        if len(set(values)) < 2 or len(set(failure)) < 2:
            cells.append("constant")
            continue
        found = spearmanr(values, failure)
        cells.append(f"{found.statistic:+.2f} ({found.pvalue:.2g})")
    means = []
    for tier in TIERS:
        here = [value[0] for key, value in episodes.items() if by_id[key].tier == tier]
        means.append(f"{statistics.mean(here):.2f}" if here else "–")
    steps = [value[1] for value in episodes.values()]
    said = "–" if not any(steps) else f"always {steps[0]}" if len(set(steps)) == 1 else spread(steps)
    return [[words, str(len(episodes)), *cells, ", ".join(means), said]]


def _between(episodes: dict[str, Any], by_id: dict[str, Scenario]) -> str:
    """How much of an agent's score the fault alone decides."""
    by_fault: dict[str, list[float]] = defaultdict(list)
    for key, value in episodes.items():
        if key in by_id:
            by_fault[by_id[key].fault or ""].append(value[0])
    scores = [score for found in by_fault.values() for score in found]
    if len(set(scores)) < 2:
        return ""
    inner = sum(sum((score - statistics.mean(found)) ** 2 for score in found) for found in by_fault.values())
    part = 1 - inner / (statistics.pvariance(scores) * len(scores))
    never = sum(max(found) == 0 for found in by_fault.values())
    always = sum(min(found) > 0 for found in by_fault.values())
    return (
        f"`rules` either has a rule for a fault or not: it names {always} of {len(by_fault)} faults always and {never} never, and which fault it is decides "
        f"{100 * part:.0f} % of the variance of its score. It lacks rules for several of the loudest faults (a code line that nobody else has together with statistics far "
        "outside), and has them for quiet ones whose value in the configuration its author knew to be odd. So it is no yardstick of what can be told apart, and "
        "nothing was fitted to it. In full: a first version (6 bits an action, odd lines and values at most 3, no *something else*) had been compared with `rules` before the "
        "constants got their present values, for the reasons that stand beside them in the code; the sign stayed. The classifiers know nothing but other "
        "scenarios; they were asked after all choices but two (the bits of one action and the odds at which a cause is left, both rounder now), which moved their row by 0.01.\n"
    )


def _examples(broken: list[Scenario], ratings: dict[str, Rating]) -> list[str]:
    lines = [
        "The best order of actions, and how many causes of the panel (the true one included) are left after each.",
        "",
    ]
    shown: set[str | None] = set()
    for tier in TIERS:
        lines += [f"### {tier}", ""]
        here = sorted(
            (item for item in broken if item.tier == tier), key=lambda item: (item.difficulty, item.scenario_id)
        )
        for place in range(EXAMPLES):
            start = (2 * place + 1) * len(here) // (2 * EXAMPLES)
            item = next((found for found in here[start:] if found.fault not in shown), here[start])
            shown.add(item.fault)
            lines += [_example(item, ratings[item.scenario_id]), ""]
    return lines[:-1]


def _example(item: Scenario, rating: Rating) -> str:
    steps = " → ".join(
        f"{action} ({len(left) + 1})" for action, left in zip(rating.steps, rating.left[1:], strict=True)
    )
    rest = rating.left[-1]
    end = (
        "the true cause alone is left"
        if rating.separated
        else f"never separated from {', '.join(rest[:4])}{f' and {len(rest) - 4} more' if len(rest) > 4 else ''}"
    )
    return f"- **{item.fault}** on {item.project}, difficulty {item.difficulty:.2f}: {len(rating.left[0]) + 1} causes → {steps}; {end}."


def draw(rated: list[Scenario]) -> bytes:
    """Difficulty by category and tier, a dot a scenario, as PNG, the same bytes every time."""
    kinds = (*CATEGORIES, "")
    style = {
        "font.family": "DejaVu Sans",
        "font.size": 8.5,
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    }
    with matplotlib.rc_context(style):
        figure, (above, below) = pyplot.subplots(2, 1, figsize=(8.0, 5.2), dpi=120, sharex=True, height_ratios=(1, 2))
        values = {tier: [item.difficulty for item in rated if item.tier == tier and item.fault] for tier in TIERS}
        above.hist(
            list(values.values()),
            bins=[step / 25 for step in range(26)],
            stacked=True,
            color=[COLOURS[tier] for tier in TIERS],
            label=TIERS,
        )
        above.set_ylabel("scenarios")
        above.legend(frameon=False, ncols=3, loc="upper right")
        for row, kind in enumerate(kinds):
            for tier in TIERS:
                here = sorted(item.difficulty for item in rated if item.tier == tier and _kind(item) == kind)
                heights = [row + 0.24 * ((place * 0.618) % 1 - 0.5) * 2 for place in range(len(here))]
                below.scatter(here, heights, s=11, color=COLOURS[tier], alpha=0.75, linewidths=0)
        below.set_yticks(range(len(kinds)), [kind.replace("_", " ") or "control" for kind in kinds])
        below.invert_yaxis()
        below.set_xlim(0, 1)
        below.set_xlabel("difficulty")
        for axes in (above, below):
            axes.spines[["top", "right"]].set_visible(False)
        figure.tight_layout()
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png")
        pyplot.close(figure)
    page = io.BytesIO()
    Image.open(drawn).convert("RGB").quantize(64, Image.Quantize.MEDIANCUT).save(page, format="png", optimize=True)
    return page.getvalue()
