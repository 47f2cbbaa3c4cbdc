"""Pictures of docs/projects.md: for each project healthy against broken curves of three faults."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot, ticker
from matplotlib.axes import Axes
from PIL import Image

from mlops_debugger.bank import Scenario
from mlops_debugger.environment.log import parse_log
from mlops_debugger.faults import faults
from mlops_debugger.projects import Project, projects
from pages import Shelf

Kind = Literal["training differs", "held-out figures differ", "curves are the same"]
KINDS: tuple[Kind, ...] = ("training differs", "held-out figures differ", "curves are the same")
HEALTHY, BROKEN, INK, GRID = "#2a6fb0", "#d1602c", "#24292f", "#dfe3e8"
COLOURS = 64
APART = 0.15
"""Curves differ where their last points are further apart than this share of the healthy curve's range."""
HEADROOM = 2.5
"""Loss of a broken run beyond this multiple of the healthy one's largest is cut off: it would flatten both curves."""


@dataclass(frozen=True)
class Curves:
    """One run: training loss and validation metric by epoch, the metric on test and on the live sample."""

    loss: tuple[float, ...]
    metric: tuple[float, ...]
    test: float
    live: float


@dataclass(frozen=True)
class Chosen:
    """A scenario of a picture, with both runs' curves."""

    fault: str
    kind: Kind
    healthy: Curves
    broken: Curves


def curves(project: Project, artifacts: dict[str, str]) -> Curves | None:
    """The curves of a run that finished; None where log or report do not have them."""
    series = parse_log(artifacts["train.log"]).tree["metrics"]
    found = [
        _numbers(series.get(name)) if isinstance(series, dict) else ()
        for name in ("train_loss", f"val_{project.metric.name}")
    ]
    report = json.loads(artifacts["eval_results.json"] or "{}")
    ends = [report.get(split, {}).get(project.metric.name) for split in ("test", "live")]
    if min(len(values) for values in found) < 2 or not all(isinstance(end, int | float) for end in ends):
        return None
    return Curves(found[0], found[1], float(ends[0]), float(ends[1]))


def _numbers(points: object) -> tuple[float, ...]:
    values = points.values() if isinstance(points, dict) else ()
    return tuple(float(value) if isinstance(value, int | float) else math.nan for value in values)


def _kind(healthy: Curves, broken: Curves) -> Kind:
    if _apart(healthy.loss, broken.loss):
        return "training differs"
    return "held-out figures differ" if _apart(healthy.metric, broken.metric) else "curves are the same"


def _apart(one: Sequence[float], other: Sequence[float]) -> bool:
    return not abs(one[-1] - other[-1]) <= APART * (max(one) - min(one))


def choose(shelf: Shelf, project: Project) -> tuple[Chosen, ...]:
    """One fault of each kind: of those the one that fits the fewest projects, a silent scenario first, then by harm."""
    by_kind: dict[Kind, list[tuple[tuple[object, ...], Chosen]]] = {kind: [] for kind in KINDS}
    for scenario in shelf.scenarios:
        if scenario.project != project.id or scenario.fault is None:
            continue
        healthy, broken = curves(project, scenario.twin_artifacts), curves(project, scenario.artifacts)
        if healthy is None or broken is None:
            continue
        kind = _kind(healthy, broken)
        by_kind[kind].append((_rank(scenario), Chosen(scenario.fault, kind, healthy, broken)))
    best: list[Chosen] = []
    for found in by_kind.values():
        fresh = [pair for pair in found if pair[1].fault not in {other.fault for other in best}]
        if fresh:
            best.append(min(fresh, key=lambda pair: pair[0])[1])
    # A project without one kind shows a second fault of another.
    rest = sorted((pair for found in by_kind.values() for pair in found), key=lambda pair: pair[0])
    for _, item in rest:
        if len(best) < len(KINDS) and item.fault not in {other.fault for other in best}:
            best.append(item)
    return tuple(best)


def _rank(scenario: Scenario) -> tuple[object, ...]:
    fits = sum(bool(faults()[scenario.fault or ""].plants_for(project)) for project in projects().values())
    return fits, not scenario.silent, -scenario.harm, scenario.scenario_id


def draw(project: Project, chosen: Sequence[Chosen]) -> bytes:
    """The picture as PNG, the same bytes every time."""
    style = {"font.family": "DejaVu Sans", "font.size": 8.5, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": "#8b949e",
             "xtick.color": INK, "ytick.color": INK}  # fmt: skip
    with matplotlib.rc_context(style):
        figure, grid = pyplot.subplots(2, len(chosen), figsize=(9.0, 4.3), dpi=130, squeeze=False)
        for column, item in enumerate(chosen):
            _draw_loss(grid[0][column], item)
            _draw_metric(grid[1][column], item)
        grid[0][0].set_ylabel("training loss")
        grid[1][0].set_ylabel(project.metric.name.replace("_", " "))
        handles, names = grid[0][0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="upper right", ncols=2, frameon=False, fontsize=9.5, bbox_to_anchor=(0.995, 0.998)
        )
        figure.text(0.012, 0.955, project.id, fontsize=12, fontweight="bold", va="center")
        figure.align_ylabels(grid[:, 0])
        figure.tight_layout(rect=(0, 0, 1, 0.95), w_pad=1.6, h_pad=1.2)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png")
        pyplot.close(figure)
    page = io.BytesIO()
    # A palette halves the file, and drops what names the library's version.
    Image.open(drawn).convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT).save(page, format="png", optimize=True)
    return page.getvalue()


def _draw_loss(axes: Axes, item: Chosen) -> None:
    for name, run, colour, width in _runs(item):
        axes.plot(range(1, len(run.loss) + 1), run.loss, color=colour, linewidth=width, label=name)
    top = min(
        max(item.healthy.loss) * HEADROOM,
        max(value for value in (*item.healthy.loss, *item.broken.loss) if value == value),
    )
    axes.set_ylim(0, 1.06 * top)
    axes.set_title(item.fault, loc="left", fontsize=9.5, fontweight="bold")
    _tidy(axes, item)


def _draw_metric(axes: Axes, item: Chosen) -> None:
    """The validation curve, and to its right what the report says of test and what came of the live sample."""
    last = max(len(item.healthy.metric), len(item.broken.metric))
    places = (last + 0.14 * last, last + 0.3 * last)
    for _, run, colour, width in _runs(item):
        axes.plot(range(1, len(run.metric) + 1), run.metric, color=colour, linewidth=width)
        axes.plot(
            places,
            (run.test, run.live),
            "o",
            color=colour,
            markersize=width + 3.2,
            markeredgecolor="white",
            markeredgewidth=0.6,
        )
    axes.axvspan(last + 0.06 * last, last + 0.38 * last, color="#f3f5f7", zorder=0)
    axes.set_xlabel("validation, by epoch")
    _tidy(axes, item)
    epochs = [tick for tick in axes.get_xticks() if 1 <= tick <= last]
    axes.set_xticks([*epochs, *places], [*(f"{tick:g}" for tick in epochs), "test", "live"], va="baseline")
    axes.tick_params(axis="x", pad=11)
    axes.set_xlim(1 - 0.03 * last, last + 0.38 * last)
    axes.xaxis.set_label_coords(0.36, -0.17)


def _runs(item: Chosen) -> tuple[tuple[str, Curves, str, float], ...]:
    """Healthy below and wider: it stays visible where the broken run has the same curve."""
    return ("healthy", item.healthy, HEALTHY, 3.2), ("broken", item.broken, BROKEN, 1.4)


def _tidy(axes: Axes, item: Chosen) -> None:
    last = max(len(item.healthy.loss), len(item.broken.loss))
    axes.set_xlim(1 - 0.03 * last, last + 0.03 * last)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(ticker.MaxNLocator(4))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=2.5)
