"""Keys and tokens: where they are read from, and what is open without them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from routes import walk
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from mlops_debugger import __version__
from mlops_debugger.errors import ServingError
from mlops_debugger.openenv.app import create_server_app, local_server
from mlops_debugger.openenv.client import MLOpsClient
from mlops_debugger.openenv.keys import read_secret

TOKEN = "a-token-for-everybody-who-may-come-in"  # noqa: S105
VARIABLE = "MLOPS_DEBUGGER_TEST_SECRET"
ROOT = Path(__file__).parents[1]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(content: bytes, mode: int = 0o600) -> Path:
        file = tmp_path / "secret"
        file.write_bytes(content)
        file.chmod(mode)
        return file

    return write


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, f"{VARIABLE}_FILE"):
        monkeypatch.delenv(name, raising=False)


# --- where secrets come from


def test_secrets_come_from_the_file_before_the_variable(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_secret("key", None, VARIABLE) is None
    monkeypatch.setenv(VARIABLE, "of-the-variable")
    assert read_secret("key", None, VARIABLE) == "of-the-variable"
    file = written(b"  of-the-file\n", 0o640)
    assert read_secret("key", file, VARIABLE) == "of-the-file"
    monkeypatch.setenv(f"{VARIABLE}_FILE", str(file))
    assert read_secret("key", None, VARIABLE) == "of-the-file"


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"", 0o600, "found nothing"),
        (b" \n\n", 0o600, "found nothing"),
        (b"secret", 0o644, "chmod 600"),
        (b"secret", 0o602, "chmod 600"),
        (b"two words", 0o600, "visible ASCII"),
        (b"two\nlines", 0o600, "visible ASCII"),
        (b"x" * 5000, 0o600, "4096"),
        ("schlüssel".encode(), 0o600, "ASCII"),
        (b"\xff\x00", 0o600, "ASCII"),
    ],
)
def test_unusable_files_are_told_and_their_content_is_not(
    written: Callable[..., Path], content: bytes, mode: int, said: str
) -> None:
    file = written(content, mode)
    with pytest.raises(ServingError, match=re.escape(said)) as told:
        read_secret("harness key", file, VARIABLE)
    assert "harness key" in str(told.value) and str(file) in str(told.value)
    assert content.decode("latin-1").strip() in ("", "secret") or content.decode("latin-1").strip() not in str(
        told.value
    )


def test_missing_files_and_empty_variables_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServingError, match="No such file"):
        read_secret("token", tmp_path / "none", VARIABLE)
    with pytest.raises(ServingError, match="Is a directory"):
        read_secret("token", tmp_path, VARIABLE)
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(ServingError, match="found nothing"):
        read_secret("token", None, VARIABLE)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_are_told(written: Callable[..., Path]) -> None:
    with pytest.raises(ServingError, match="Permission denied"):
        read_secret("token", written(b"secret", 0o000), VARIABLE)


def test_command_line_takes_files_alone(written: Callable[..., Path]) -> None:
    """A key on the command line is seen by everybody on the machine."""
    start = [sys.executable, "-c", "from mlops_debugger.cli import app; app()"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*start, *arguments], env=environment, capture_output=True, text=True, timeout=120)

    answer = run("serve", "--harness-key", "KEY")
    assert answer.returncode == 2 and "No such option" in answer.stderr
    answer = run("serve", "--token-file", str(written(b"token", 0o644)))
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: ") and "chmod 600" in answer.stderr and "Traceback" not in answer.stderr


# --- the token


def app_with_mounts(bank_path: Path) -> Any:
    """The app, with one mounted later, as others mount theirs."""
    app = create_server_app(bank_path, token=TOKEN)

    async def page(_: Any) -> PlainTextResponse:
        return PlainTextResponse("inside")

    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("inside")
        await socket.close()

    inner = Starlette(routes=[Route("/page", page), Route("/health", page), WebSocketRoute("/echo", echo)])
    app.mount("/mounted", inner)
    return app


def fetch(url: str, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """(status, body); 101 where a WebSocket was accepted."""
    path = re.sub(r"\{[^}]*\}", "mlops_pipeline_debugger", path)
    if method != "WS":
        answer = httpx.request(
            method, url + path, headers=headers, json={"split": "train"} if method == "POST" else None
        )
        return answer.status_code, answer.text
    try:
        with connect(url.replace("http", "ws", 1) + path, additional_headers=headers):
            return 101, ""
    except InvalidStatus as refused:
        return refused.response.status_code, (refused.response.body or b"").decode()


def test_without_the_token_nothing_but_health_is_open(bank_path: Path) -> None:
    app = app_with_mounts(bank_path)
    routes = sorted(set(walk(list(app.routes))))
    assert {("WS", "/ws"), ("WS", "/mcp"), ("WS", "/mounted/echo"), ("GET", "/mounted/page")} <= set(routes)
    wrong: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"X-Harness-Key": TOKEN},
    ]
    with local_server(app) as url:
        for number, (method, path) in enumerate(
            [*routes, ("GET", "/nowhere"), ("GET", "/health/"), ("GET", "//health")]
        ):
            status, body = fetch(url, method, path, wrong[number % len(wrong)])
            if path == "/health":
                assert status in (200, 405), body
                continue
            assert status == 401, (method, path)
            assert method == "HEAD" or "Authorization: Bearer TOKEN" in body
            assert TOKEN not in body
        for headers in wrong:
            assert fetch(url, "WS", "/ws", headers)[0] == 401
            assert fetch(url, "GET", "/metrics?token=" + TOKEN, headers)[0] == 401
        assert httpx.get(f"{url}/state").headers["www-authenticate"] == "Bearer"
        right = {"Authorization": f"bearer {TOKEN}"}
        for method, path in routes:
            assert fetch(url, method, path, right)[0] != 401, (method, path)
        turned_away = re.search(
            r'rejects_total\{reason="unauthorized"\} (\d+)', fetch(url, "GET", "/metrics", right)[1]
        )
        assert turned_away is not None and int(turned_away[1]) > len(routes)


def test_clients_with_the_token_play(bank_path: Path) -> None:
    with local_server(create_server_app(bank_path, token=TOKEN, harness_key="k")) as url:
        with MLOpsClient(url, token=TOKEN, harness_key="k").sync() as session:
            assert session.reset(seed=1).observation.step_count == 0
            assert session.state().bug_type != "sealed"
        with MLOpsClient(url, token=TOKEN).sync() as session:
            session.reset(seed=1)
            assert session.state().bug_type == "sealed"
        for token in (None, "another"):
            with pytest.raises(ConnectionError, match="401"), MLOpsClient(url, token=token).sync() as session:
                session.reset(seed=1)


def test_evaluation_presents_the_token(bank_path: Path) -> None:
    from mlops_debugger.errors import EvaluationError
    from mlops_debugger.evaluation import Room

    with local_server(create_server_app(bank_path, token=TOKEN)) as url:
        room = Room(url=url, token=TOKEN)
        assert (room.size("train", "mixed", None) or 0) > 0
        table = room.table()
        assert table.reset(split="train", task="mixed", index=0, controls=None).step_count == 0
        table.close()
        with pytest.raises(EvaluationError, match="Bearer"):
            Room(url=url).size("train", "mixed", None)
        with pytest.raises(EvaluationError, match="401"):
            Room(url=url).table()


def test_health_tells_how_the_server_is_doing(bank_path: Path) -> None:
    app = create_server_app(bank_path, token=TOKEN, max_sessions=7)
    with local_server(app) as url, MLOpsClient(url, token=TOKEN).sync() as session:
        session.reset(seed=1)
        assert httpx.get(f"{url}/health").json() == {
            "status": "healthy",
            "version": __version__,
            "worker": {"number": 1, "of": 1},
            "sessions": {"open": 1, "max": 7},
            "mcp_sessions": {"open": 0},
            "mcp_episodes": {"open": 0, "max": 7},
            "trials": {"running": 0, "waiting": 0, "slots": 0},
        }
