"""What a server does with bad input, bad clients and bad clocks, over real sockets; and that input is bounded."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenarios import scenario
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from mlops_debugger.bank import Bank, BankWriter
from mlops_debugger.contract import MLOpsAction
from mlops_debugger.edits import apply_fix, load_yaml, parse_fix
from mlops_debugger.edits._fix import MAX_CONFIG_VALUES
from mlops_debugger.environment import Session
from mlops_debugger.environment.log import MAX_KEYWORD
from mlops_debugger.environment.plain import MAX_PATH
from mlops_debugger.errors import FixApplyError
from mlops_debugger.openenv import app as app_module
from mlops_debugger.openenv import frames
from mlops_debugger.openenv.app import create_server_app, local_server, server_config

ROOT = Path(__file__).parents[1]
STEP = '{"type": "step", "data": {"action_type": "read_config"}}'
RESET = '{"type": "reset", "data": {"seed": 1, "episode_id": "e"}}'
UNREADABLE: tuple[tuple[str | bytes, str, str], ...] = (
    ("[1]", "VALIDATION_ERROR", "found list"),
    ("null", "VALIDATION_ERROR", "found NoneType"),
    ("", "INVALID_JSON", "JSON object"),
    ("{", "INVALID_JSON", "JSON object"),
    ("9" * 5_000, "INVALID_JSON", "too long"),
    ("[" * 19_000, "INVALID_JSON", "nested"),
    ('{"a":' * 9_000 + "1" + "}" * 9_000, "INVALID_JSON", "nested"),
    ('{"type": "step", "data": {"metadata": [' + "[]," * 20_001 + "1]}}", "INVALID_JSON", "20000 opening brackets"),
    ('{"type": "dance"}', "UNKNOWN_TYPE", "reset, step, state, close, mcp"),
    ('{"type": ["step"]}', "UNKNOWN_TYPE", "found list"),
    ('{"type": "' + "x" * 100_000 + '"}', "UNKNOWN_TYPE", "…"),
    ('{"type": "step"}', "VALIDATION_ERROR", "found none"),
    ('{"type": "step", "data": [1]}', "VALIDATION_ERROR", "found list"),
    ('{"type": "state", "data": {}}', "VALIDATION_ERROR", "leave it out"),
    ('{"type": "state", "\\ud800": 1}', "VALIDATION_ERROR", "leave it out"),
    ('{"type": "state", "": "\\ud800"}', "VALIDATION_ERROR", "no field ''"),
    ('{"type": "mcp", "data": {"jsonrpc": "2.0", "method": "\\ud800"}}', "VALIDATION_ERROR", "JSON-RPC"),
    ('{"type": "mcp", "data": {"jsonrpc": "2.0", "method": 1, "id": [1]}}', "VALIDATION_ERROR", "JSON-RPC"),
    (b'{"type": "state"}', "INVALID_JSON", "binary"),
)
ODD_BUT_READABLE = (
    '{"type": "reset", "data": {"self": 1, "seed": 1}}',
    '{"type": "reset", "data": {"episode_id": "\\ud800"}}',
    '{"type": "reset", "data": {"seed": NaN}}',
    '{"type": "reset", "data": {"split": "\\ud800/a", "task_id": "\\ud800"}}',
    '{"type": "step", "data": {"action_type": NaN, "metadata": {"x": "\\ud800"}}}',
    '{"type": "step", "data": {"\\ud800": "\\ud800"}}',
    '{"type": "step", "data": {"action_type": "read_logs", "log_filter": "\\ud800"}}',
    '{"type": "step", "data": {"action_type": "query_artifact", "artifact_name": "train.log", "field_path": "\\ud800"}}',
    '{"type": "mcp", "data": {"jsonrpc": "2.0", "method": "tools/list", "id": 1}}',
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("bank") / "bank.sqlite"
    BankWriter(path).write([scenario()], {})
    with local_server(create_server_app(path, max_sessions=8)) as address:
        yield address


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def joined(url: str, **options: Any) -> ClientConnection:
    return connect(url.replace("http", "ws") + "/ws", compression=None, max_size=None, **options)


def ask(session: ClientConnection, frame: str | bytes) -> dict[str, Any]:
    session.send(frame)
    reply: dict[str, Any] = json.loads(session.recv(timeout=20))
    return reply


def plays(session: ClientConnection) -> bool:
    return (
        ask(session, RESET)["data"]["observation"]["step_count"] == 0
        and ask(session, STEP)["data"]["observation"]["artifacts_read"] == ["config.yaml"]
        and ask(session, '{"type": "state"}')["data"]["step_count"] == 1
    )


# --- frames


def test_every_unreadable_frame_is_told_and_the_session_goes_on(url: str) -> None:
    with joined(url) as session:
        ask(session, RESET)
        for steps, (frame, code, said) in enumerate(UNREADABLE, start=1):
            reply = ask(session, frame)
            assert reply["type"] == "error" and set(reply["data"]) == {"message", "code"}, frame[:80]
            assert reply["data"]["code"] == code and said in reply["data"]["message"], reply
            assert len(reply["data"]["message"]) < 400
            assert ask(session, STEP)["data"]["observation"]["step_count"] == steps


@pytest.mark.parametrize("frame", ["[1]", "9" * 5_000, "[" * 19_000, b"{}"], ids=["array", "digits", "deep", "binary"])
def test_without_the_middleware_such_frames_end_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame: str | bytes
) -> None:
    """The positive control: what the middleware is for."""

    class Nothing:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, *arguments: Any) -> None:
            await self.app(*arguments)

    monkeypatch.setattr(app_module, "FrameMiddleware", Nothing)
    path = tmp_path / "bank.sqlite"
    BankWriter(path).write([scenario()], {})
    with local_server(create_server_app(path)) as address, joined(address) as session:
        assert ask(session, frame)["data"]["code"] == "SESSION_ERROR"
        with pytest.raises(ConnectionClosed):
            session.recv(timeout=20)


def test_odd_values_are_answered_and_the_session_goes_on(url: str) -> None:
    with joined(url) as session:
        for frame in ODD_BUT_READABLE:
            assert ask(session, frame)["type"] in ("observation", "error", "mcp"), frame
        assert plays(session)


def test_fragments_and_pings_make_one_message(url: str) -> None:
    with joined(url) as session:
        ask(session, RESET)
        session.send([STEP[:3], "", STEP[3:9], STEP[9:]])
        session.ping()
        assert json.loads(session.recv(timeout=20))["data"]["observation"]["step_count"] == 1


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81" + bytes([0x80 | 127]) + struct.pack("!Q", 200_000) + bytes(4) + b"x" * 200_000, 1009),
        (b"\x81\x82\0\0\0\0\xff\xff", 1007),
        (b"\x81\x02{}", 1002),
        (b"\x85\x80\0\0\0\0", 1002),
    ],
    ids=["too large", "not UTF-8", "no mask", "unknown opcode"],
)
def test_what_breaks_the_protocol_is_closed_with_its_code(url: str, frame: bytes, code: int) -> None:
    with joined(url) as other, closing(socket.create_connection(("127.0.0.1", port_of(url)))) as raw:
        raw.settimeout(20)
        raw.sendall(HANDSHAKE)
        assert b"101" in raw.recv(4096)
        raw.sendall(frame[:60_000])
        answer = raw.recv(4096)
        assert answer[0] == 0x88 and struct.unpack("!H", answer[2:4])[0] == code
        assert plays(other)


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "step", "data": {"a": 1}, "x": "}}', '{"type": "step", "data": {"a": "}", "x": 1}}', '{"type": "step", "data": {}}',
        '{"type":"step","data":{"a":"{"}}', '{"type": "step", "data": {"a": 1}, "type": {}}', '{"type": "step", "data": {"a": [1]}}',
        '{"type": "step", "data": {"a": "\\"}}', '{"type": "step", "data": {}, "data": 5}}', '{"type": "step", "data": {"a": ' + "9" * 4_400 + "}}",
    ],
)  # fmt: skip
def test_short_cut_for_plain_steps_lets_nothing_pass_that_is_none(text: str) -> None:
    """It may let pass what is no JSON, which OpenEnv itself answers; never JSON of another form."""
    if not frames.is_plain_step(text):
        return
    try:
        message = json.loads(text)
    except json.JSONDecodeError:
        return
    assert set(message) == {"type", "data"} and message["type"] == "step" and isinstance(message["data"], dict)


@given(st.text('{}":,a1[] \\', max_size=40))
def test_short_cut_for_plain_steps_on_any_ending(ending: str) -> None:
    for start in ('{"type": "step", "data": {', '{"type":"step","data":{'):
        test_short_cut_for_plain_steps_lets_nothing_pass_that_is_none(start + ending + "}}")
    assert frames.is_plain_step('{"type": "step", "data": {"action_type": "read_config"}}')


# --- HTTP


@pytest.mark.parametrize("path", ["reset", "step", "mcp", "mlops_pipeline_debugger/task"])
@pytest.mark.parametrize(
    "body",
    [
        b"[1]", b"", b"not json", b"\xff\xfe", b'{"seed": NaN, "action": NaN, "split": NaN}', b"[" * 19_000, b"9" * 5_000,
        b'{"seed": "\\ud800", "episode_id": "\\ud800", "action": {"\\ud800": "\\ud800"}, "split": "\\ud800", "index": 0}',
        b'{"seed": 1e999, "action": 5, "split": 5, "index": "a"}', b"[" + b"[]," * 20_001 + b"1]",
    ],
)  # fmt: skip
def test_bad_bodies_are_told_without_repeating_them(url: str, path: str, body: bytes) -> None:
    answer = httpx.post(f"{url}/{path}", content=body, headers={"content-type": "application/json"})
    assert answer.status_code < 500, answer.text
    answer.json()
    assert len(answer.content) < 6_000
    for words in ("pydantic", "Traceback", "input_value", "argument after"):
        assert words not in answer.text


@pytest.mark.slow
def test_schemathesis_finds_no_error_of_the_servers(url: str, tmp_path: Path) -> None:
    """Requests that fit the published OpenAPI description, and ones that do not, on every route."""
    config = tmp_path / "schemathesis.toml"
    config.write_text('[parameters]\n"path.env_name" = "mlops_pipeline_debugger"\n')
    checks = "not_a_server_error,response_schema_conformance,content_type_conformance"
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "--config-file",
        str(config),
        "run",
        f"{url}/openapi.json",
    ]
    command += ["--max-examples", "15", "--checks", checks, "--mode", "all", "--seed", "1", "--no-color"]
    command += ["--phases", "examples,coverage,fuzzing"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert re.search(r"(\d+) selected / \1 total", done.stdout) and "Missing test data" not in done.stdout, done.stdout[
        -3000:
    ]


def test_too_large_bodies_are_refused_unread(url: str) -> None:
    assert httpx.post(f"{url}/reset", content=b"x" * 200_000).status_code == 413
    pieces = iter([b"x" * 1_000] * 1_000)
    assert httpx.post(f"{url}/reset", content=pieces).status_code == 413
    with closing(socket.create_connection(("127.0.0.1", port_of(url)))) as raw:
        raw.settimeout(20)
        raw.sendall(b"POST /reset HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        assert b"413" in raw.recv(4096)
    chunked = httpx.post(
        f"{url}/reset", content=iter([b'{"se', b'ed": 1}']), headers={"content-type": "application/json"}
    )
    assert chunked.json()["observation"]["step_count"] == 0


# --- clients that behave badly

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def masked(text: str) -> bytes:
    data = text.encode()
    return b"\x81" + bytes([0x80 | 126]) + struct.pack("!H", len(data)) + bytes(4) + data


def wait_until(said: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def has_room(url: str) -> bool:
    """Whether the server takes another session; a full one says so and hangs up, perhaps before the question comes."""
    try:
        with joined(url) as session:
            return ask(session, RESET)["type"] == "observation"
    except ConnectionClosed:
        return False


def test_a_client_that_does_not_read_holds_nobody_up(url: str) -> None:
    """It asks for megabytes and reads nothing: the server stops reading from it, and answers the others."""
    with closing(socket.create_connection(("127.0.0.1", port_of(url)))) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.sendall(HANDSHAKE + masked(RESET))
        raw.setblocking(False)
        sent, stalled = 0, 0
        while stalled < 20:
            try:
                sent += raw.send(masked(STEP) * 100)
                stalled = 0
            except BlockingIOError:
                stalled += 1
                time.sleep(0.05)
            assert sent < 50_000_000, "the server takes whatever it is sent, and keeps the answers"
        with joined(url) as other:
            assert plays(other)


FLOOD = 40_000


def test_many_messages_at_once_do_not_hold_the_others_up(url: str) -> None:
    """A client sends thousands of messages in one go; the server turns to others between them."""
    answered = threading.Event()
    order: list[str] = []

    def flood() -> None:
        with closing(socket.create_connection(("127.0.0.1", port_of(url)))) as raw:
            raw.settimeout(60)
            raw.sendall(HANDSHAKE)
            raw.recv(4096)
            raw.sendall(masked('{"type": "nothing"}') * FLOOD)
            read, rest = 0, b""
            while read < FLOOD:
                told = rest + raw.recv(1 << 16)
                read += told.count(b"UNKNOWN_TYPE")
                rest = told[-11:]  # a word may come in two pieces; a whole one does not fit into this
            order.append("flood")
            answered.set()

    with joined(url) as other:
        ask(other, RESET)
        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        while not answered.is_set() and order.count("other") < 5:
            ask(other, '{"type": "state"}')
            order.append("other")
        thread.join(60)
    # How many depends on the machine. Where nobody is let in between, it is the one that was asked first, at most.
    assert order.index("flood") >= 5, "five questions of another client were not answered before the flood was over"


@pytest.mark.parametrize(
    "sent", [b"", HANDSHAKE[:30], HANDSHAKE, HANDSHAKE + masked(RESET)[:20], HANDSHAKE + masked(RESET)]
)
def test_vanished_clients_give_their_places_back(url: str, sent: bytes) -> None:
    """Gone without a close, at any point: after twice as many as there are places, there is one left."""
    for _ in range(16):
        raw = socket.create_connection(("127.0.0.1", port_of(url)))
        raw.sendall(sent)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()

    wait_until(lambda: has_room(url))


@pytest.mark.slow
def test_half_open_sockets_are_found_out(tmp_path: Path) -> None:
    """A peer that is gone without a word answers no ping: its place is free after two intervals."""
    path = tmp_path / "bank.sqlite"
    BankWriter(path).write([scenario()], {})
    assert server_config(create_server_app(path)).ws_ping_interval == 20.0
    assert server_config(create_server_app(path)).ws_ping_timeout == 20.0
    with (
        local_server(create_server_app(path, max_sessions=1)) as address,
        closing(socket.create_connection(("127.0.0.1", port_of(address)))) as silent,
    ):
        silent.sendall(HANDSHAKE + masked(RESET))
        assert b"101" in silent.recv(200)
        with joined(address) as second:
            assert json.loads(second.recv(timeout=20))["data"]["code"] == "CAPACITY_REACHED"

        def free() -> bool:
            with joined(address) as session:
                return json.loads(_first(session))["type"] == "observation"

        wait_until(free, 90)


def _first(session: ClientConnection) -> str:
    """The first answer: to a reset, or the refusal that comes before it."""
    try:
        session.send(RESET)
    except ConnectionClosed:
        pass
    return str(session.recv(timeout=20))


# --- clocks


@pytest.mark.slow
@pytest.mark.parametrize("steady", [True, False], ids=["steady", "wall"])
def test_a_clock_set_forward_ends_no_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steady: bool) -> None:
    """The positive control is OpenEnv's own clock: set forward by a day, it ends a session that was just used."""
    monkeypatch.setattr(frames.http_server, "time", time)
    if not steady:
        monkeypatch.setattr(app_module, "prepare_openenv", lambda: None)
    path = tmp_path / "bank.sqlite"
    BankWriter(path).write([scenario()], {})
    with local_server(create_server_app(path, idle_timeout_s=20.0)) as address, joined(address) as session:
        ask(session, RESET)
        wall = time.time
        monkeypatch.setattr(time, "time", lambda: wall() + 86_400)
        time.sleep(6.5)  # OpenEnv looks for idle sessions every five seconds
        told = ask(session, STEP)["data"]
        assert told["done"] is not steady
        assert ("error" in told["observation"]["last_action_result"]) is not steady


def test_steady_time_is_unix_time_that_nobody_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = frames._SteadyTime()
    assert abs(clock.time() - time.time()) < 5
    before = clock.time()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= clock.time() - before < 5


def test_openenv_notes_a_session_as_before() -> None:
    frames.prepare_openenv()
    openenv_s = frames.SessionInfo
    assert frames.http_server.SessionInfo is not openenv_s
    given = {"session_id": "a", "created_at": 1.0, "last_activity_at": 1.0, "environment_type": "b"}
    noted, plain = frames.http_server.SessionInfo(**given), openenv_s(**given)
    for info in (noted, plain):
        info.last_activity_at = 2.0
        info.step_count += 1
    assert noted.model_dump() == plain.model_dump() == {**given, "last_activity_at": 2.0, "step_count": 1}
    assert type(noted).model_fields.keys() == openenv_s.model_fields.keys()


# --- bounds


def error_of(**fields: Any) -> str:
    """What an episode says to an action."""
    session = Session(_OneScenario())  # type: ignore[arg-type]
    session.reset(scenario_id="s")
    return str(session.step(MLOpsAction(**fields)).last_action_result.get("error", ""))


class _OneScenario:
    """A bank as a session needs it."""

    def get(self, scenario_id: str) -> Any:
        return scenario()


def test_filters_and_paths_have_a_longest_length() -> None:
    longest = "x" * MAX_KEYWORD
    assert "at most" not in error_of(action_type="read_logs", log_filter=longest)
    assert f"at most {MAX_KEYWORD} characters" in error_of(action_type="read_logs", log_filter=longest + "x")
    for name in ("config.yaml", "train.log", "preprocessing.py"):
        told = error_of(action_type="query_artifact", artifact_name=name, field_path="a" * MAX_PATH)
        assert "no field" in told
        told = error_of(action_type="query_artifact", artifact_name=name, field_path="a" * (MAX_PATH + 1))
        assert f"at most {MAX_PATH} characters" in told


def test_a_fixed_config_has_a_largest_number_of_values() -> None:
    files = {"config.yaml": "model: a\nrate: 1\n", "preprocessing.py": "x = 1\n"}

    def fixed(count: int) -> str:
        text = f"config.yaml:\n- rate: 1\n+ rate: [{', '.join('1' * count)}]"
        return apply_fix(parse_fix(text), files, {})["config.yaml"]

    # Two keys, a value, the list and the mapping are values as well.
    assert load_yaml(fixed(MAX_CONFIG_VALUES - 5))["rate"] == [1] * (MAX_CONFIG_VALUES - 5)
    with pytest.raises(FixApplyError, match=f"at most {MAX_CONFIG_VALUES} values"):
        fixed(MAX_CONFIG_VALUES - 4)


def test_configs_of_the_bank_are_far_from_the_limit(bank_path: Path) -> None:
    bank = Bank(bank_path)
    for entry in bank.entries[::100]:
        load_yaml(bank.get(entry.scenario_id).artifacts["config.yaml"], most=MAX_CONFIG_VALUES / 4)
    bank.close()


# --- the drivers, small


def test_fuzz_driver_finds_nothing_wrong(tmp_path: Path) -> None:
    """Some hundreds of frames; benchmarks/fuzz.py alone sends 100,000."""
    out = tmp_path / "fuzz.json"
    command = [
        sys.executable,
        "benchmarks/fuzz.py",
        "--frames",
        "600",
        "--http",
        "100",
        "--sessions",
        "4",
        "--out",
        str(out),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads(out.read_text())
    assert found["lost_sessions"] == 0 and found["wrong"] == [] and not found["crashed"]
    assert found["counts"]["frames"] == 600 and found["healthy_rounds"] > 0


def test_async_middleware_passes_other_scopes_on() -> None:
    seen: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        return {}

    asyncio.run(frames.FrameMiddleware(inner)({"type": "lifespan"}, nothing, nothing))
    assert seen == ["lifespan"]
