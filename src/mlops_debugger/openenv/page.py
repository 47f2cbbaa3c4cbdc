"""The web page at /web: OpenEnv's own interface, with an episode for every visitor.

As OpenEnv mounts it, everybody who opens the page drives one shared environment. Here the interface is given a manager
that keeps an environment for each open page instead. A page never shows the answer: its state is sealed, whatever key
its requests carry, because gradio serves events of all visitors from tasks of its own.
"""

from __future__ import annotations

import copy
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import gradio
from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from gradio.context import LocalContext
from openenv.core.env_server.gradio_theme import OPENENV_GRADIO_CSS, OPENENV_GRADIO_THEME
from openenv.core.env_server.gradio_ui import build_gradio_app
from openenv.core.env_server.serialization import serialize_observation

from mlops_debugger.errors import EpisodeError
from mlops_debugger.openenv.environment import MLOpsEnvironment
from mlops_debugger.openenv.models import WireAction
from mlops_debugger.openenv.style import PAGE_STYLE

PATH = "/web"
_LOG = logging.getLogger(__name__)
_QUICK_START = """\
```python
from mlops_debugger.client import MLOpsAction, MLOpsClient

with MLOpsClient("{url}").sync() as env:
    result = env.reset(seed=7)
    result = env.step(MLOpsAction(action_type="read_config"))
    print(result.observation.last_action_result)
```"""


class Visitors:
    """What OpenEnv's interface calls its manager and its environment, over an environment for each open page.

    At most `limit` pages play at once; a new one takes the place of the page that was idle longest, whose visitor is
    told to reset. `now` names the page that is being served (gradio's own name of it when not given).
    """

    action_cls = WireAction

    def __init__(
        self, open_environment: Callable[[], MLOpsEnvironment], limit: int, now: Callable[[], str] | None = None
    ) -> None:
        self._open = open_environment
        self._limit = limit
        self._now = now or _page
        self._playing: OrderedDict[str, MLOpsEnvironment] = OrderedDict()

    @property
    def env(self) -> Visitors:
        """The interface draws by the manager's environment, which it asks for once: this object answers for all."""
        return self

    async def reset_environment(self, reset_kwargs: dict[str, Any] | None = None) -> dict[str, Any]:
        """Open an episode for the page that asks."""
        told: dict[str, Any] = serialize_observation(await self._mine().reset_async(**(reset_kwargs or {})))
        return told

    async def step_environment(self, action_data: dict[str, Any]) -> dict[str, Any]:
        """Carry an action out in the episode of the page that asks."""
        action = WireAction.model_validate(action_data)
        told: dict[str, Any] = serialize_observation(await self._mine().step_async(action))
        return told

    def get_state(self) -> dict[str, Any]:
        """The state of the page that asks, its answer sealed."""
        return self._mine().state.sealed().model_dump()

    def render_web(self, observation: dict[str, Any]) -> str | None:
        return self._mine().render_web(observation)

    def web_actions(self, observation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        return self._mine().web_actions(observation)

    def leave(self) -> None:
        """The page that asks was closed: forget its episode."""
        if (left := self._playing.pop(self._now(), None)) is not None:
            left.close()

    def __len__(self) -> int:
        return len(self._playing)

    def _mine(self) -> MLOpsEnvironment:
        name = self._now()
        if name not in self._playing:
            while len(self._playing) >= self._limit:
                _, idle = self._playing.popitem(last=False)
                idle.close()
                _LOG.info("a page made room for another: %d are open", self._limit)
            self._playing[name] = self._open()
        self._playing.move_to_end(name)
        return self._playing[name]


def _page() -> str:
    request = LocalContext.request.get(None)
    name = getattr(request, "session_hash", None)
    if not name:
        raise EpisodeError("expected a request of an open page, found none: reload the page")
    return str(name)


def mount(app: FastAPI, open_environment: Callable[[], MLOpsEnvironment], limit: int) -> FastAPI:
    """Serve the page at /web, for at most `limit` visitors at once; / leads there."""
    visitors = Visitors(open_environment, limit)
    metadata = open_environment().get_metadata()
    blocks = build_gradio_app(
        visitors, [], metadata, False, metadata.name, _QUICK_START.format(url="http://localhost:8000")
    )
    with blocks:
        blocks.unload(visitors.leave)
    # OpenEnv lets one event run at a time, since all share an environment; here they do not, and a trial takes seconds.
    for event in blocks.fns.values():
        if event.concurrency_id == "env":
            event.concurrency_limit = limit
    blocks.title = "MLOps Pipeline Debugger"

    @app.get("/", include_in_schema=False)
    @app.get(PATH, include_in_schema=False)
    async def to_page() -> RedirectResponse:
        return RedirectResponse(f"{PATH}/")

    mounted: FastAPI = gradio.mount_gradio_app(
        app, blocks, path=PATH, theme=_theme(), css=OPENENV_GRADIO_CSS + PAGE_STYLE
    )
    return mounted


def _theme() -> Any:
    """OpenEnv's theme with the fonts that the reader has: a page must not tell anybody else that it was opened."""
    theme = copy.deepcopy(OPENENV_GRADIO_THEME)
    theme._stylesheets = []
    return theme
