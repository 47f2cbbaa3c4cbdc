"""The web page at /web, with an episode for every visitor.

OpenEnv's own page lets everybody who opens it drive one shared environment, and so does its HTTP interface beside it;
neither is mounted here. This page is built of the same parts (gradio, OpenEnv's theme, an environment's `render_web`
and `web_actions`) on an environment for each open page. A page never shows the answer: it never asks for the state.
"""

from __future__ import annotations

import copy
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import gradio as gr
from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from openenv.core.env_server.gradio_theme import OPENENV_GRADIO_CSS, OPENENV_GRADIO_THEME
from openenv.core.env_server.serialization import serialize_observation

from mlops_debugger.contract import ARTIFACTS, CATEGORIES, SANITY_CHECKS
from mlops_debugger.environment import TASKS
from mlops_debugger.errors import EpisodeError
from mlops_debugger.openenv.drawing import text
from mlops_debugger.openenv.environment import MLOpsEnvironment
from mlops_debugger.openenv.models import MLOpsObservation, WireAction
from mlops_debugger.openenv.style import PAGE_STYLE

PATH = "/web"
_DIGITS = 30
TITLE = "MLOps Pipeline Debugger"
_LOG = logging.getLogger(__name__)
_ABOUT = f"""<div class="mlops-title"><h1>{TITLE}</h1><p>A training run, as a team would find it in the morning. Read
what it left behind, run checks, and say what is wrong. The fix that you propose is trained for real.</p></div>"""
_PYTHON = """```python
from mlops_debugger.client import MLOpsAction, MLOpsClient

with MLOpsClient("http://127.0.0.1:8000").sync() as env:
    result = env.reset(seed=7)
    result = env.step(MLOpsAction(action_type="read_config"))
    print(result.observation.last_action_result)
```"""
Shown = tuple[str, Any]
"""What an event updates: the drawing, and the choice of next actions."""


class Visitors:
    """An environment for each open page, by gradio's name of it.

    At most `limit` pages play at once; a new one takes the place of the page that was idle longest, whose visitor is
    told to reset.
    """

    def __init__(self, open_environment: Callable[[], MLOpsEnvironment], limit: int) -> None:
        self._open = open_environment
        self._limit = limit
        self._playing: OrderedDict[str, MLOpsEnvironment] = OrderedDict()

    def __len__(self) -> int:
        return len(self._playing)

    def of(self, page: str | None) -> MLOpsEnvironment:
        """The environment of a page, opened when the page is new; raises `EpisodeError` for none."""
        if not page:
            raise EpisodeError("expected a request of an open page, found none: reload the page")
        if page not in self._playing:
            while len(self._playing) >= self._limit:
                _, idle = self._playing.popitem(last=False)
                idle.close()
                _LOG.info("a page made room for another: %d are open", self._limit)
            self._playing[page] = self._open()
        self._playing.move_to_end(page)
        return self._playing[page]

    def leave(self, page: str | None) -> None:
        """The page was closed: forget its episode."""
        if (left := self._playing.pop(page or "", None)) is not None:
            left.close()


def mount(app: FastAPI, open_environment: Callable[[], MLOpsEnvironment], limit: int) -> FastAPI:
    """Serve the page at /web, for at most `limit` visitors at once; / leads there."""
    blocks = build(Visitors(open_environment, limit), limit)

    @app.get("/", include_in_schema=False)
    @app.get(PATH, include_in_schema=False)
    async def to_page() -> RedirectResponse:
        return RedirectResponse(f"{PATH}/")

    mounted: FastAPI = gr.mount_gradio_app(
        app,
        blocks,
        path=PATH,
        theme=_theme(),
        css=OPENENV_GRADIO_CSS + PAGE_STYLE,
        footer_links=[],
        show_error=False,
        max_file_size="1kb",  # nothing here takes a file, but gradio's upload route stands open
    )
    return mounted


def build(visitors: Visitors, limit: int) -> gr.Blocks:
    """The page: the drawing on the left, what one can do on the right."""

    # What comes in is what somebody sends: a field that the page leaves empty may be null.
    async def begin(task: str, seed: str | None, request: gr.Request) -> Shown:
        wanted = (seed or "").strip()
        if wanted and not (wanted.isdecimal() and len(wanted) < _DIGITS):
            return _refused(f"expected a seed as a whole number, found {wanted!r:.60}: leave it empty for any")
        number = int(wanted) if wanted else None
        return await _shown(visitors.of(request.session_hash), lambda env: env.reset_async(seed=number, task_id=task))

    async def act(action: dict[str, Any], request: gr.Request) -> Shown:
        read = WireAction.model_validate({name: value for name, value in action.items() if value})
        return await _shown(visitors.of(request.session_hash), lambda env: env.step_async(read))

    async def suggested(choice: str | None, request: gr.Request) -> Shown:
        try:
            action = json.loads(choice or "")
        except ValueError:
            action = None
        if not isinstance(action, dict):
            return _refused("expected one of the suggested actions, found something else: choose one")
        return await act(action, request)

    async def look(artifact: str, path: str, request: gr.Request) -> Shown:
        if artifact == "train.log":
            return await act({"action_type": "read_logs", "log_filter": path}, request)
        return await act({"action_type": "query_artifact", "artifact_name": artifact, "field_path": path}, request)

    async def check(name: str, request: gr.Request) -> Shown:
        return await act({"action_type": "run_sanity_check", "sanity_check_type": name}, request)

    async def submit(
        category: str | None, file: str | None, field: str, fix: str, words: str, request: gr.Request
    ) -> Shown:
        said = {"failure_category": category, "root_cause_file": file, "root_cause_field": field, "proposed_fix": fix}
        return await act({"action_type": "submit_diagnosis", **said, "diagnosis": words}, request)

    def leave(request: gr.Request) -> None:
        visitors.leave(request.session_hash)

    blocks: gr.Blocks
    with gr.Blocks(title=TITLE, analytics_enabled=False) as blocks:
        gr.HTML(_ABOUT)
        with gr.Row(equal_height=False):
            with gr.Column(scale=7, min_width=420):
                drawing = gr.HTML(elem_classes="mlops-drawing")
            with gr.Column(scale=3, min_width=330, elem_classes="oe-card mlops-side"):
                with gr.Row():
                    task = gr.Dropdown([*TASKS], value="mixed", label="Task", min_width=90)
                    seed = gr.Textbox(label="Seed", placeholder="any", max_lines=1, min_width=80)
                new = gr.Button("New episode")
                quick = gr.Radio([], label="What an engineer might do next", elem_classes="oe-actions", visible=False)
                with gr.Tabs():
                    with gr.Tab("Look"):
                        artifact = gr.Dropdown([*ARTIFACTS], value="config.yaml", label="Artifact")
                        path = gr.Textbox(
                            label="Part of it: a field, a function; in the log a word or epoch:1-5",
                            placeholder="all of it",
                            max_lines=1,
                        )
                        looking = gr.Button("Read")
                    with gr.Tab("Check"):
                        name = gr.Dropdown([*SANITY_CHECKS], value=SANITY_CHECKS[0], label="Check")
                        checking = gr.Button("Run check")
                    with gr.Tab("Diagnose"):
                        diagnosis = [
                            gr.Dropdown([*CATEGORIES], value=None, label="Category"),
                            gr.Dropdown([*ARTIFACTS], value=None, label="File"),
                            gr.Textbox(label="Field", placeholder="parameter, function or variable"),
                            gr.Textbox(
                                label="Fix", lines=3, placeholder="config.yaml: optimizer.learning_rate = 0.001"
                            ),
                            gr.Textbox(label="In words", lines=2, placeholder="alone: no fault found"),
                        ]
                        submitting = gr.Button("Submit and end the episode", variant="primary")
                with gr.Accordion("The same in Python", open=False):
                    gr.Markdown(_PYTHON)
        # A visitor's clicks wait for each other; visitors do not, since each has an episode, and a trial takes seconds.
        event: dict[str, Any] = {
            "outputs": [drawing, quick],
            "concurrency_limit": limit,
            "trigger_mode": "once",
            "show_progress_on": drawing,
            "api_visibility": "private",
        }
        gr.on([blocks.load, new.click, seed.submit], begin, [task, seed], **event)
        quick.input(suggested, [quick], **event)
        gr.on([looking.click, path.submit], look, [artifact, path], **event)
        checking.click(check, [name], **event)
        submitting.click(submit, diagnosis, **event)
        # The newest answer stands at the top, and the result of the episode with it.
        drawing.change(None, js="() => window.scrollTo({top: 0, behavior: 'smooth'})", api_visibility="private")
        blocks.unload(leave)
    return blocks


async def _shown(
    environment: MLOpsEnvironment, ask: Callable[[MLOpsEnvironment], Awaitable[MLOpsObservation]]
) -> Shown:
    """Ask the environment for an observation, and what the page makes of it."""
    try:
        told = serialize_observation(await ask(environment))
    except EpisodeError as error:
        return _refused(str(error))
    observation = {**told["observation"], "reward": told["reward"], "done": told["done"]}
    choices = [(label, json.dumps(action)) for label, action in environment.web_actions(observation)]
    return environment.render_web(observation) or "", gr.update(choices=choices, value=None, visible=bool(choices))


def _refused(reason: str) -> Shown:
    """The page stays as it is; the reason stands in a corner."""
    gr.Warning(text(reason))
    return gr.skip(), gr.skip()


def _theme() -> Any:
    """OpenEnv's theme with the fonts that the reader has: a page must not tell anybody else that it was opened."""
    theme = copy.deepcopy(OPENENV_GRADIO_THEME)
    theme._stylesheets = []
    return theme
