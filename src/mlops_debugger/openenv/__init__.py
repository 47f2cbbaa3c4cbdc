"""The OpenEnv adapter: wire models, environment, server and client. Only here is `openenv` imported.

Importing OpenEnv loads gradio for its optional web page, which takes 3 of the 4 seconds and half of the memory. Unless
the page is asked for (`ENABLE_WEB_INTERFACE`), gradio is hidden while OpenEnv is imported and visible again afterwards,
so nobody else's gradio is touched.
"""

from __future__ import annotations

import importlib
import os
import sys

WEB_VARIABLE = "ENABLE_WEB_INTERFACE"


def web_page_wanted() -> bool:
    """Whether OpenEnv will mount its web page at /web (OpenEnv's own variable, read as OpenEnv reads it)."""
    return os.environ.get(WEB_VARIABLE, "false").lower() in ("true", "1", "yes")


def _import_openenv() -> None:
    hide = "gradio" not in sys.modules and not web_page_wanted()
    if hide:
        # None makes `import gradio` raise ModuleNotFoundError, which OpenEnv catches: a supported way of doing without.
        sys.modules["gradio"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("openenv.core.env_server")
    finally:
        if hide:
            del sys.modules["gradio"]


_import_openenv()
