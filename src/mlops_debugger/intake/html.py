"""One self-contained HTML file of a diagnosis: verdicts, evidence, curves, distributions. Everything is escaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

import numpy as np

from mlops_debugger import pictures
from mlops_debugger.checks import RunView
from mlops_debugger.errors import IntakeError
from mlops_debugger.intake._diagnose import Diagnosis
from mlops_debugger.intake._sources import printable

_SPLITS = ("train", "validation", "test")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1b1b1b; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .4rem .8rem;
border-bottom: 1px solid #ddd; overflow-wrap: anywhere; } .pass { color: #19703a; } .warn { color: #8a5a00; }
.fail { color: #b3261e; } .not_applicable { color: #6b6b6b; } .verdict { font-weight: 600; white-space: nowrap; }
.quiet { color: #6b6b6b; font-size: .9em; } .pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; } figcaption { font-size: .9em; } svg { max-width: 100%; height: auto; }
"""
_CURVES = (
    ("Loss", (("epoch.train_loss", "train"), ("epoch.val_loss", "validation"))),
    ("Validation metric", (("epoch.val_metric", "validation"),)),
    ("Learning rate", (("epoch.lr", "learning rate"),)),
    ("Gradient norm", (("epoch.grad_norm", "median"), ("epoch.grad_norm_max", "largest"))),
)
_MAX_FEATURES = 6


def write_html(found: Diagnosis, path: Path) -> None:
    """Write the report; raises `IntakeError` where the file cannot be written."""
    try:
        path.write_text(page(found), "utf-8")
    except OSError as error:
        raise IntakeError(f"{path}: expected a file that can be written ({error.strerror}): name another one") from None


def page(found: Diagnosis) -> str:
    """The whole page; it loads nothing from anywhere and runs no script."""
    name = printable(found.run.path.resolve().name)
    title = f"{name}: {found.verdict.replace('_', ' ')}"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f'<h1>{escape(name)}: <span class="{found.verdict}">{escape(found.verdict.replace("_", " "))}</span></h1>',
        *_sources(found),
        "<h2>Checks</h2>",
        *_findings(found),
        *_pictures("Curves", _curve_pictures(found.run.view)),
        *_pictures("Distributions", _distribution_pictures(found.run.view)),
        *_missing(found),
    ]
    if found.run.notes:
        parts += ["<h2>Notes</h2><ul>", *(f"<li>{escape(note)}</li>" for note in found.run.notes), "</ul>"]
    return "\n".join([*parts, "</body></html>", ""])


def _sources(found: Diagnosis) -> Iterator[str]:
    yield "<ul>"
    for source in found.run.sources:
        run = f" of run {source.run}" if source.run else ""
        yield f"<li>{escape(source.reader + run)}: {escape(', '.join(source.files))}</li>"
    yield f"<li>Held against healthy runs of the kind {escape(found.band)}</li></ul>"


def _findings(found: Diagnosis) -> Iterator[str]:
    yield "<table><tr><th>check</th><th>verdict</th><th>evidence</th></tr>"
    for name, finding in found.findings.items():
        evidence = escape(finding.evidence)
        if finding.value is not None and finding.threshold is not None:
            evidence += (
                f'<div class="quiet">{escape(finding.statistic)} {finding.value:.4g}, healthy: {finding.healthy}, '
                f"n = {finding.n}; compared: {escape(finding.compared)}</div>"
            )
        if finding.worst and finding.verdict != "pass":
            listed = "; ".join(f"{worst} {value:.4g}" for worst, value in finding.worst)
            evidence += f'<div class="quiet">worst: {escape(listed)}</div>'
        verdict = f'<td class="verdict {finding.verdict}">{escape(finding.verdict.replace("_", " "))}</td>'
        yield f"<tr><td>{escape(name)}</td>{verdict}<td>{evidence}</td></tr>"
    yield "</table>"


def _missing(found: Diagnosis) -> Iterator[str]:
    if any(found.needs.values()):
        yield "<h2>Not looked at, and what would allow it</h2>"
        yield "<table><tr><th>check</th><th>what</th><th>give</th></tr>"
        for name, needs in found.needs.items():
            for need in needs:
                yield f"<tr><td>{escape(name)}</td><td>{escape(need.allows)}</td><td>{escape(need.file)}</td></tr>"
        yield "</table>"


def _pictures(title: str, pictures: Iterator[tuple[str, str]]) -> Iterator[str]:
    drawn = [(caption, svg) for caption, svg in pictures if svg]
    if drawn:
        yield f'<h2>{title}</h2><div class="pictures">'
        for caption, svg in drawn:
            yield f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
        yield "</div>"


def _curve_pictures(view: RunView) -> Iterator[tuple[str, str]]:
    for caption, series in _CURVES:
        there = [(label, view.arrays[name].ravel()) for name, label in series if name in view.arrays]
        metric = view.meta.get("metric")
        said = f"{caption} ({metric})" if caption == "Validation metric" and isinstance(metric, str) else caption
        yield printable(f"{said} by epoch"), pictures.curves(there)
    steps = view.arrays.get("step.loss")
    if steps is not None and steps.size > 1:
        yield "Training loss as it was logged", pictures.curves([("train", steps.ravel())])


def _distribution_pictures(view: RunView) -> Iterator[tuple[str, str]]:
    for what, caption in (("target", "Targets"), ("prediction", "Predictions")):
        parts = [(s, v.ravel()) for s in _SPLITS if (v := view.arrays.get(f"{s}.{what}")) is not None]
        yield f"{caption} by split, in shares", pictures.histogram(parts)
    rows = {split: values for split in _SPLITS if (values := view.arrays.get(f"{split}.features")) is not None}
    widths = {values.shape[1] for values in rows.values() if values.ndim == 2}
    if len(rows) < 2 or len(widths) != 1 or view.meta.get("kind") in ("image", "text"):
        return
    for column in _most_changed(rows)[:_MAX_FEATURES]:
        named = view.meta.get("feature_names")
        listed = isinstance(named, list | tuple) and len(named) == next(iter(widths))
        name = str(named[column]) if listed and named is not None else f"feature {column}"
        yield printable(f"{name} by split, in shares"), pictures.histogram([(s, v[:, column]) for s, v in rows.items()])


def _most_changed(rows: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]) -> list[int]:
    """Columns by how far apart the means of the splits are, the farthest first."""
    with np.errstate(all="ignore"):
        means = np.array([np.nan_to_num(values, posinf=0.0, neginf=0.0).mean(axis=0) for values in rows.values()])
        first = np.nan_to_num(next(iter(rows.values())), posinf=0.0, neginf=0.0)
        apart = np.nan_to_num((means.max(axis=0) - means.min(axis=0)) / np.maximum(first.std(axis=0), 1e-12))
    return [int(column) for column in np.argsort(-apart, kind="stable")]
