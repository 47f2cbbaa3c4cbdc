"""The episode as HTML for OpenEnv's web page: no script, nothing loaded from elsewhere, every text escaped.

Artifacts are a stranger's text. What is drawn comes from the observation and the trail of the episode, so it is what
the agent saw: unread artifacts, checks that were not run and row scores before the end are not there to be drawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import numpy as np

from mlops_debugger import pictures
from mlops_debugger.contract import MLOpsAction
from mlops_debugger.grading.rubric import WEIGHTS
from mlops_debugger.openenv.style import STYLE
from mlops_debugger.openenv.trail import Step, Trail, figures, findings, sheets

_MAX_EPOCHS = 10_000
_CURVES = (
    ("Loss", (("train_loss", "train"), ("val_loss", "validation"))),
    ("Learning rate", (("lr", "learning rate"),)),
    ("Gradient norm", (("grad_norm", "gradient norm"), ("grad_norm_max", "largest"))),
)
_KNOWN = {name for _, series in _CURVES for name, _ in series} | {"step"}
_LEFT_OUT = "[… "
_CALLED = {
    "read_config": "Read config.yaml",
    "read_logs": "Read train.log",
    "check_dataset_stats": "Read dataset_stats.json",
    "inspect_preprocessing": "Read preprocessing.py",
    "read_eval_results": "Read eval_results.json",
    "submit_diagnosis": "Submit a diagnosis",
    "invalid": "Invalid action",
}


def draw(observation: Mapping[str, Any], trail: Trail) -> str:
    """The drawing. `observation` is the serialized one, with `reward` and `done`."""
    parts = [
        f'<style>{STYLE}</style><div class="mlops">',
        *_head(observation),
        *_messages(observation),
        *_result(observation),
        *_newest(observation, trail),
        *_curves(trail),
        *_findings(trail),
        *_folder(observation, trail),
        *_steps(trail),
        "<details><summary>The task in full: actions, categories, fix language, scoring</summary>",
        f"<pre>{text(observation.get('task_description', ''))}</pre></details>",
        "</div>",
    ]
    return "".join(parts)


def text(found: object) -> str:
    """Any text as one that HTML shows and never runs; characters that no one can see become visible."""
    clean = str(found).encode("utf-8", "replace").decode()
    return escape("".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in clean))


def _head(observation: Mapping[str, Any]) -> Iterator[str]:
    taken, most = int(observation.get("step_count", 0)), max(int(observation.get("max_steps", 1)), 1)
    left = max(most - taken, 0)
    summary = observation.get("run_summary") or {}
    tier = (observation.get("metadata") or {}).get("tier")
    yield f'<div class="head"><div><div class="run">{text(observation.get("run_id", ""))}</div><dl>'
    for name, value in [*summary.items(), *([("tier", tier)] if tier else [])]:
        yield f"<div><dt>{text(name).replace('_', ' ')}</dt><dd>{text(value)}</dd></div>"
    yield "</dl></div>"
    state = "episode over" if observation.get("done") else f"{left} step{'' if left == 1 else 's'} left"
    yield (
        f'<div class="meter"><b>{state}</b><progress max="{most}" value="{min(taken, most)}"></progress>'
        f"<span>{taken} of {most} steps used</span></div></div>"
    )


def _messages(observation: Mapping[str, Any]) -> Iterator[str]:
    if told := observation.get("messages"):
        yield f'<ul class="told">{"".join(f"<li>{text(message)}</li>" for message in told)}</ul>'


def _result(observation: Mapping[str, Any]) -> Iterator[str]:
    """After the end: the score and its rows, as the observation has them."""
    if not observation.get("done"):
        return
    answer = observation.get("last_action_result") or {}
    yield f'<div class="result"><div class="score"><b>{float(observation.get("reward") or 0):.2f}</b> of 1</div>'
    rows = answer.get("rows")
    unscored = (observation.get("metadata") or {}).get("unscored") or ()
    if answer.get("accepted") is not True:
        yield "<p>The episode ended without an accepted diagnosis.</p>"
    elif not isinstance(rows, Mapping):
        yield "<p>This server tells the score alone and withholds the scores of the rows.</p>"
        if unscored:
            yield f"<p>Not scored: {text(', '.join(unscored))}.</p>"
    else:
        yield "<table><tr><th>row</th><th>share</th><th>points</th></tr>"
        for name, weight in WEIGHTS.items():
            share = rows.get(name)
            if share is None or name in unscored:
                yield f'<tr><td>{name}</td><td colspan="2" class="quiet">not scored (up to {weight:.2f})</td></tr>'
            else:
                bar = f'<meter max="1" value="{share:.3f}"></meter> {share:.0%}'
                yield f"<tr><td>{name}</td><td>{bar}</td><td>{weight * share:.2f} of {weight:.2f}</td></tr>"
        yield "</table>"
    yield "</div>"


def _newest(observation: Mapping[str, Any], trail: Trail) -> Iterator[str]:
    """The last answer, in full."""
    if not trail:
        yield (
            '<p class="quiet">A training run went wrong, or did not. Read what it left behind, run checks, and submit '
            "what is wrong with a fix. Each action costs a step.</p>"
        )
        return
    step = trail[-1]
    answer = step.answer
    if answer.get("accepted") is True:
        return
    yield f"<h3>{text(_named(step.action))}</h3>"
    if "error" in answer:
        yield f'<p class="problem">{text(answer["error"])}</p>'
    elif "sanity_check" in answer:
        yield '<table class="checks">' + _finding(str(answer["sanity_check"]), answer) + "</table>"
    elif step.text:
        if (matched := answer.get("matched")) is not None and answer.get("filter"):
            yield f'<p class="quiet">{matched} of {answer.get("records")} records</p>'
        yield _listing(step)
    else:
        yield f"<pre>{text(_plain(answer.get('value', answer.get('note', answer.get('fields', dict(answer))))))}</pre>"
    if "truncated" in answer:
        yield f'<p class="quiet">{text(answer["truncated"])}</p>'


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False, default=str)


def _listing(step: Step) -> str:
    """Lines with their numbers; where lines were left out or filtered, numbers are not known and not shown."""
    number: int | None = None
    if step.whole:
        number = 1
    elif (first := str(step.answer.get("lines", "")).partition("-")[0]).isdecimal():
        number = int(first)
    rows = []
    for line in (step.text or "").rstrip("\n").split("\n"):
        if number is not None and line.startswith(_LEFT_OUT):
            number = None
        shown = "" if number is None else str(number)
        rows.append(f'<tr{_level(step, line)}><td class="n">{shown}</td><td>{text(line) or "&nbsp;"}</td></tr>')
        number = None if number is None else number + 1
    return f'<div class="listing"><table class="lines">{"".join(rows)}</table></div>'


def _level(step: Step, line: str) -> str:
    if step.artifact != "train.log":
        return ""
    grave = any(level in line for level in ("ERROR", "CRITICAL", "Traceback"))
    return ' class="fail"' if grave else ' class="warn"' if "WARNING" in line else ""


def _curves(trail: Trail) -> Iterator[str]:
    """What train.log said so far, by epoch; epochs that were not shown are gaps."""
    known = {epoch: values for epoch, values in figures(trail).items() if epoch <= _MAX_EPOCHS}
    if not known:
        return
    first = min(1, min(known))
    metrics = sorted({name for values in known.values() for name in values if name.startswith("val_")} - _KNOWN)
    groups = (*_CURVES[:1], *((name[4:] + " on validation", ((name, "validation"),)) for name in metrics), *_CURVES[1:])
    drawn = []
    for caption, series in groups:
        lines = []
        for name, label in series:
            values = np.full(max(known) - first + 1, np.nan)
            for epoch, found in known.items():
                values[epoch - first] = found.get(name, np.nan)
            lines.append((label, values))
        if svg := pictures.curves(lines):
            drawn.append(f"<figure>{svg}<figcaption>{text(caption)} by epoch</figcaption></figure>")
    if drawn:
        yield f'<h3>Curves, from the lines of train.log read so far</h3><div class="pictures">{"".join(drawn)}</div>'


def _findings(trail: Trail) -> Iterator[str]:
    found = findings(trail)
    if not found or (len(found) == 1 and trail[-1].action.action_type == "run_sanity_check"):
        return
    yield '<h3>Checks run</h3><table class="checks">'
    yield from (_finding(name, finding) for name, finding in found.items())
    yield "</table>"


def _finding(name: str, finding: Mapping[str, Any]) -> str:
    verdict = str(finding.get("verdict", ""))
    style = verdict if verdict in ("pass", "warn", "fail", "not_applicable") else ""
    said = text(finding.get("summary") or "")
    value = finding.get("value")
    if value is not None:
        held = f", healthy: {text(finding['healthy'])}" if finding.get("healthy") else ""
        said += (
            f'<div class="quiet">{text(finding.get("statistic", "value"))} {text(value)}{held}, '
            f"n = {text(finding.get('n', '?'))}</div>"
        )
    label = text(verdict.replace("_", " "))
    return f'<tr><td>{text(name)}</td><td class="verdict {style}">{label}</td><td>{said}</td></tr>'


def _folder(observation: Mapping[str, Any], trail: Trail) -> Iterator[str]:
    """The run folder: what was read can be opened again, without a step; what was not shows its size alone."""
    whole = sheets(trail)
    touched = set(observation.get("artifacts_read") or ())
    newest = trail[-1] if trail else None
    yield '<h3>The run folder</h3><div class="folder">'
    for meta in observation.get("available_artifacts") or ():
        name = str(meta.get("name"))
        about = (
            f"<b>{text(name)}</b> <span>{text(meta.get('size_hint', ''))} · {text(meta.get('description', ''))}</span>"
        )
        step = whole.get(name)
        if step is not None and step.text and step is not newest:
            yield f"<details><summary>{about} <i>read at step {step.number}</i></summary>{_listing(step)}</details>"
        else:
            state = "shown above" if step is not None else "read in part" if name in touched else "not read"
            yield f'<div class="file">{about} <i>{state}</i></div>'
    yield "</div>"


def _steps(trail: Trail) -> Iterator[str]:
    if len(trail) > 1:
        yield '<h3>Steps</h3><ol class="steps">'
        for step in trail:
            yield f'<li value="{step.number}">{text(_named(step.action))} <span>{text(_outcome(step))}</span></li>'
        yield "</ol>"


def _named(action: MLOpsAction) -> str:
    if action.action_type == "run_sanity_check":
        return f"Check {action.sanity_check_type}"
    if action.action_type == "query_artifact":
        return f"Read {action.artifact_name}" + (f": {action.field_path[:80]}" if action.field_path else "")
    if action.action_type == "read_logs" and action.log_filter:
        return f"Filter train.log: {action.log_filter[:80]}"
    return _CALLED.get(action.action_type, action.action_type)


def _outcome(step: Step) -> str:
    answer = step.answer
    if "error" in answer:
        return "sent back" if answer.get("accepted") is False else "refused"
    if "accepted" in answer:
        return f"score {answer.get('score', 0):.2f}"
    if "verdict" in answer:
        return str(answer["verdict"]).replace("_", " ")
    if "matched" in answer and answer.get("filter"):
        return f"{answer['matched']} of {answer.get('records')} records"
    if step.text:
        lines = len(step.text.splitlines())
        return f"{lines} line{'' if lines == 1 else 's'}"
    value = _plain(answer.get("value", ""))
    return value if len(value) <= 60 else value[:59] + "…"
