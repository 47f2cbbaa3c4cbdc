"""docs/projects.md: what every project trains, on what, how it varies, and which faults fit it."""

from __future__ import annotations

import inspect
import json
import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from mlops_debugger.bank import Scenario
from mlops_debugger.edits import CONFIG, Value, flatten, load_yaml
from mlops_debugger.faults import CodePlant, faults
from mlops_debugger.forge.healthy import healthy_bands
from mlops_debugger.forge.plant import variation_of
from mlops_debugger.forge.prove import proof_bar
from mlops_debugger.projects import Data, Project, projects
from pages import GENERATED, NOTHING, Shelf, docstring, silent, spread, table
from pages.pictures import Chosen

DRAWS = 200
"""Variations that are drawn to see the healthy choices."""
SEEDS = 3
"""Draws of data from which the naive predictor is read."""
LONGEST = 90
"""Characters of a cell, after which a list of values is cut."""


def projects_page(shelf: Shelf, pictures: dict[str, tuple[Chosen, ...]]) -> str:
    """The page of projects; `pictures` names, by project, the scenarios of its picture."""
    bands = healthy_bands()
    rows = []
    for name, project in projects().items():
        band = bands[name]
        fitting = [fault for fault in faults().values() if fault.plants_for(project)]
        rows.append(
            [f"[{name}](#{name})", project.model, project.dataset, project.metric.name, f"{band.skill_mean:.2f} ± {band.skill_sd:.2f}",
             f"{band.gap_mean:.3f}", f"{band.sigma:.4f}", f"{proof_bar(band.sigma):.3f}", f"{band.seconds_median:.2f}", len(fitting)]
        )  # fmt: skip
    headings = ("project", "model", "data", "metric", "healthy skill ± sd", "abs(reported − actual)", "σ of harm",
                "bar of proof", "CPU s a run", "faults")  # fmt: skip
    lines = [
        "# Projects",
        "",
        GENERATED.format("the projects, healthy.json"),
        "Skill is 0 for the naive predictor and 1 for a perfect one. Healthy figures were measured by `mlops-debugger "
        "calibrate`. Healthy choices are those of "
        f"{DRAWS} variations; where there are more than six numbers, the lowest and the highest stand for them.",
        "",
        *table(headings, rows),
    ]
    for name, project in projects().items():
        lines += ["", f"## {name}", "", *_about(shelf, project)]
        if name in pictures:
            lines += ["", *_picture(project, pictures[name])]
        lines += ["", *_choices(project), "", *_faults(shelf, project)]
    return "\n".join(lines) + "\n"


def _about(shelf: Shelf, project: Project) -> list[str]:
    """Prose and figures: what trains, on which data, how it is measured and split."""
    package = f"mlops_debugger.projects.{project.id}"
    band = healthy_bands()[project.id]
    draws = [project.generate(seed, variation_of(project, seed).data) for seed in range(SEEDS)]
    naive = [project.metric.naive(data.labels["rows"], data.labels["sealed"]) for data in draws]
    meaning = (inspect.getdoc(project.metric.compute) or "").split("\n\n")[0].replace("\n", " ")
    return [
        docstring(f"{package}.project"),
        "",
        docstring(f"{package}.data"),
        "",
        f"- model: {project.model}; task of the checks' bands: {project.kind}, "
        + (f"{len(draws[0].classes)} classes" if draws[0].classes else "regression"),
        f"- metric: `{project.metric.name}`" + f" ({meaning.rstrip('.')})" * bool(meaning) + f"; perfect "
        f"{project.metric.perfect:g}, naive {spread(naive)} in {SEEDS} draws of data",
        f"- splits: {_policy(project)}",
        f"- rows, median: {_sizes(shelf, project, draws)}",
        f"- healthy runs ({band.runs}): skill {band.skill_mean:.3f} ± {band.skill_sd:.3f}, reported test skill "
        f"{band.reported_low:.3f} to {band.reported_high:.3f} (5–95 %), abs(reported − actual) {band.gap_mean:.3f}, "
        f"final training loss {band.loss_low:.3g} to {band.loss_high:.3g}, σ of harm {band.sigma:.4f}; "
        f"{band.seconds_median:.2f} CPU seconds a run (most {band.seconds_max:.2f})",
    ]


def _policy(project: Project) -> str:
    """What the model card says on splits."""
    card = project.card(variation_of(project, 0), np.random.default_rng(0))
    texts = [value for key, value in flatten(card) if "split" in key]
    return "; ".join(str(text) for text in texts) or NOTHING


def _sizes(shelf: Shelf, project: Project, draws: Sequence[Data]) -> str:
    """Rows of every split in the bank's healthy twins, and of the two served samples."""
    sizes: dict[str, list[int]] = {}
    for scenario in shelf.scenarios:
        artifacts = scenario.artifacts if scenario.is_control else scenario.twin_artifacts
        if scenario.project == project.id:
            for split, described in json.loads(artifacts["dataset_stats.json"])["splits"].items():
                sizes.setdefault(split, []).append(described.get("rows") or described["tokens"])
    served = {name: [len(data.labels[name].row_id) for data in draws] for name in ("live", "sealed")}
    return ", ".join(f"{name} {statistics.median(found):.0f}" for name, found in (sizes | served).items())


def _picture(project: Project, chosen: Sequence[Chosen]) -> list[str]:
    """The picture, and what stands in it."""
    names = ", ".join(f"[{item.fault}](faults.md#{item.fault}) ({item.kind})" for item in chosen)
    return [
        f"![Healthy and broken runs of {project.id}](pictures/{project.id}.png)",
        "",
        f"Three scenarios of the bank, each with its healthy twin: {names}.",
    ]


def _choices(project: Project) -> list[str]:
    """Config keys, slots and data choices, with what healthy runs have there."""
    variations = [variation_of(project, seed) for seed in range(DRAWS)]
    defaults = dict(flatten(load_yaml(project.sources()[CONFIG])))
    rows = []
    for key, path in project.dialect.items():
        values = [variation.config.get(key, defaults.get(path)) for variation in variations]
        rows.append([f"`{key}`", f"`{path}`", seen(values)])
    lines = [
        "### " + f"{project.id}: healthy choices",
        "",
        *table(["canonical key", "in config.yaml", "healthy values"], rows),
    ]
    slots = []
    for slot in project.slots:
        there = [name for name, fault in faults().items() if any(
            isinstance(plant, CodePlant) and plant.slot == slot.name for plant in fault.plants_for(project))]  # fmt: skip
        slots.append([f"`{slot.name}`", len(slot.spellings), ", ".join(_link(name) for name in there) or NOTHING])
    lines += ["", *table(["slot of preprocessing.py", "spellings", "faults there"], slots)]
    data = {name: [variation.data[name] for variation in variations] for name in variations[0].data}
    lines += [
        "",
        *table(["choice of the data", "healthy values"], [[f"`{name}`", seen(found)] for name, found in data.items()]),
    ]
    return [*lines, "", "The order of the config's sections and their comments vary too."]


def seen(values: Iterable[Value]) -> str:
    """The distinct values, or their range where there are more than six numbers."""
    distinct = {json.dumps(value): value for value in values}
    numbers = [value for value in distinct.values() if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(distinct) > 6 and len(numbers) == len(distinct):
        return f"{min(numbers):g} – {max(numbers):g}"
    ordered = sorted(numbers) if len(numbers) == len(distinct) else list(distinct.values())
    texts = [value if isinstance(value, str) else json.dumps(value).replace('"', "") for value in ordered]
    shown = [text for place, text in enumerate(texts) if not place or len(", ".join(texts[: place + 1])) <= LONGEST]
    return ", ".join(shown) + f", … ({len(texts)} in all)" * (len(shown) < len(texts))


def _link(fault: str) -> str:
    return f"[{fault}](faults.md#{fault})"


def _faults(shelf: Shelf, project: Project) -> list[str]:
    """Which faults fit, what the bank knows of them here, and which are silent."""
    fitting = {name: fault for name, fault in faults().items() if fault.plants_for(project)}
    found = {name: shelf.broken(name, project.id) for name in fitting}
    quiet = [name for name, rows in found.items() if any(row.silent for row in rows)]
    rows = [
        [_link(name), fault.category, shelf.proven(name, project.id), spread(_harms(found[name])), silent(found[name])]
        for name, fault in fitting.items()
    ]
    return [
        f"### {project.id}: faults",
        "",
        f"{len(fitting)} faults fit. Silent in at least one scenario: {', '.join(_link(name) for name in quiet) or 'none'}.",
        "",
        *table(["fault", "category", "proven / tried", "harm", "silent"], rows),
    ]


def _harms(rows: Sequence[Scenario]) -> list[float]:
    return [row.harm for row in rows]
