"""Bad frames and actions, sent to a real server process over real WebSockets and HTTP.

    python benchmarks/fuzz.py [--frames 100000] [--http 5000] [--sessions 16] [--seed 0]     a table and fuzz.json

A healthy session plays the same episode over and over meanwhile, and every answer must be, to the byte, what it was
before. Each abusive session must answer every frame, and afterwards play that episode, too. Frames that the protocol
itself ends a connection for (too large, not UTF-8, no mask, an unknown opcode) go over connections of their own, which
must be closed with the code that says why. Nothing that comes back may hold a trace or words of the machinery.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import struct
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from bad_input import BadInput
from servers import Server, running
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

OUT = Path(__file__).with_suffix(".json")
MAX_MESSAGE = 4_000
INTERNALS = re.compile(
    r"Traceback|File \"|site-packages|pydantic|starlette| at 0x[0-9a-f]+|NoneType' object|object has no attribute|"
    r"argument of type|positional argument|keyword argument|codec can't|src/mlops|site-packages|errors\.pydantic"
)
HEALTHY = [
    {"type": "reset", "data": {"seed": 5, "episode_id": "healthy"}},
    *({"type": "step", "data": {"action_type": kind}} for kind in ("read_config", "read_logs", "check_dataset_stats")),
    {"type": "step", "data": {"action_type": "query_artifact", "artifact_name": "config.yaml", "field_path": "nope"}},
    {"type": "state"},
    {"type": "step", "data": {"action_type": "submit_diagnosis", "diagnosis": "none"}},
]
PATHS = (
    "reset",
    "step",
    "mcp",
    *(f"mlops_pipeline_debugger/{name}" for name in ("tasks", "task", "num_tasks", "task_range")),
)


class Found:
    """What was seen: counts, and what should not have been."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.healthy_rounds = 0
        self.slowest_healthy_ms = 0.0

    def bad(self, what: str, sent: object, answer: object) -> None:
        if len(self.wrong) < 20:
            self.wrong.append(f"{what}: sent {str(sent)[:150]!r}, found {str(answer)[:250]!r}")


def judge(answer: str, sent: str | bytes, found: Found) -> None:
    """An answer is an observation, a state, a JSON-RPC answer, or an error in words."""
    try:
        reply = json.loads(answer)
        kind, data = reply["type"], reply["data"]
    except (ValueError, KeyError, TypeError):
        found.bad("no structured answer", sent, answer)
        return
    found.counts[f"answered by {kind}"] += 1
    words = ""
    if kind == "error":
        words = data["message"]
        found.counts[f"error {data['code']}"] += 1
        if set(data) != {"message", "code"} or data["code"] in ("SESSION_ERROR", "FACTORY_ERROR"):
            found.bad("an error that is not clear", sent, answer)
    elif kind == "observation":
        words = str(data["observation"]["last_action_result"].get("error", ""))
    elif kind == "mcp":
        words = json.dumps(data)
    elif kind != "state":
        found.bad("an unknown type", sent, answer)
    if len(words) > MAX_MESSAGE or INTERNALS.search(words):
        found.bad("words of the machinery", sent, words)


async def play(socket: ClientConnection) -> list[str]:
    answers = []
    for message in HEALTHY:
        await socket.send(json.dumps(message))
        answers.append(str(await asyncio.wait_for(socket.recv(), 60)))
    return answers


async def healthy(server: Server, expected: list[str], found: Found, over: asyncio.Event) -> None:
    async with connect(server.web_socket, compression=None, max_size=None) as socket:
        while not over.is_set():
            start = time.perf_counter()
            if await play(socket) != expected:
                found.bad("the healthy session", "its episode", "other answers than before")
            found.slowest_healthy_ms = max(found.slowest_healthy_ms, (time.perf_counter() - start) * 1e3)
            found.healthy_rounds += 1
            await asyncio.sleep(0.05)


async def abuse(server: Server, seed: int, frames: int, expected: list[str], found: Found) -> None:
    """One session: every frame is answered once, whole or in fragments, and afterwards it still plays."""
    source = BadInput(seed)
    try:
        async with connect(server.web_socket, compression=None, max_size=None) as socket:
            for number in range(frames):
                frame = source.frame()
                if isinstance(frame, str):
                    # A client that is not ours may send half of a surrogate pair as JSON escapes, and so does this one.
                    frame = frame.encode("utf-8", "replace").decode()
                if number % 50 == 0 and isinstance(frame, str) and len(frame) > 3:
                    await socket.send([frame[:1], frame[1:2], "", frame[2:]])
                else:
                    await socket.send(frame)
                judge(str(await asyncio.wait_for(socket.recv(), 60)), frame, found)
                found.counts["frames"] += 1
            if await play(socket) != expected:
                found.bad("an abusive session", "a good episode afterwards", "other answers than a new one")
    except (ConnectionClosed, TimeoutError) as error:
        found.counts["lost sessions"] += 1
        found.bad("a lost session", frame, repr(error))


def raw_frame(opcode: int, payload: bytes, *, masked: bool = True, final: bool = True) -> bytes:
    head = struct.pack("!B", (0x80 if final else 0) | opcode)
    size = len(payload)
    flag = 0x80 if masked else 0
    length = bytes([flag | size]) if size < 126 else struct.pack("!BQ", flag | 127, size)
    return head + length + (b"\0\0\0\0" if masked else b"") + payload


PROTOCOL = {
    "too large": (raw_frame(1, b"x" * 300_000), 1009),
    "too large in fragments": (raw_frame(1, b"x" * 200_000, final=False) + raw_frame(0, b"x" * 200_000), 1009),
    "not UTF-8": (raw_frame(1, b'{"type": "\xff"}'), 1007),
    "no mask": (raw_frame(1, b"{}", masked=False), 1002),
    "unknown opcode": (raw_frame(5, b""), 1002),
    "a continuation of nothing": (raw_frame(0, b"x"), 1002),
    "a long ping": (raw_frame(9, b"x" * 200), 1002),
}
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def break_protocol(server: Server, name: str, found: Found) -> None:
    """A connection that breaks WebSocket's rules is closed with the code for it."""
    data, code = PROTOCOL[name]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(data)
    try:
        rest = await asyncio.wait_for(reader.read(), 30)
    except ConnectionResetError:
        # The server closed while we were still sending: TCP may then drop what it had said.
        rest = b""
        found.counts[f"reset: {name}"] += 1
    closed = struct.unpack("!H", rest[2:4])[0] if rest[:1] == b"\x88" and len(rest) >= 4 else None
    if rest and closed != code:
        found.bad(f"protocol: {name}", code, rest)
    found.counts["protocol errors"] += 1
    writer.close()


async def vanish(server: Server, number: int, found: Found) -> None:
    """Half a handshake, half a frame, a request whose answer nobody reads: then gone, without a close."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    step = raw_frame(1, b'{"type": "reset", "data": {"seed": 1}}')
    writer.write(
        (HANDSHAKE[: 20 + number % 40], HANDSHAKE + step[:9], HANDSHAKE + step * 20, b"\x16\x03\x01" * 9)[number % 4]
    )
    await asyncio.sleep(0.01)
    writer.transport.abort()
    found.counts["vanished clients"] += 1


async def post(client: httpx.AsyncClient, source: BadInput, path: str, found: Found) -> None:
    body = source.body()
    answer = await client.post(path, content=body, headers={"content-type": "application/json"})
    found.counts["http requests"] += 1
    found.counts[f"http {answer.status_code}"] += 1
    try:
        answer.json()
    except ValueError:
        found.bad("http: no JSON", body, answer.text)
    # Errors of JSON-RPC come with status 200, in words all the same.
    if answer.status_code >= 500 or (answer.status_code >= 400 and len(answer.content) > MAX_MESSAGE):
        found.bad(f"http {answer.status_code} {path}", body, answer.text)
    if (answer.status_code >= 400 or path == "mcp") and INTERNALS.search(answer.text):
        found.bad(f"http words {path}", body, answer.text)


async def web(server: Server, requests: int, seed: int, found: Found) -> None:
    source = BadInput(seed)
    async with httpx.AsyncClient(base_url=server.http, timeout=60) as client:
        for number in range(requests):
            await post(client, source, PATHS[number % len(PATHS)], found)
        big = await client.post("reset", content=b'{"a": "' + b"x" * 300_000 + b'"}')
        if big.status_code != 413:
            found.bad("http too large", "300 kB", big.text)


async def fuzz(server: Server, frames: int, requests: int, sessions: int, seed: int) -> Found:
    found, over = Found(), asyncio.Event()
    async with connect(server.web_socket, compression=None, max_size=None) as socket:
        expected = await play(socket)
    canary = asyncio.create_task(healthy(server, expected, found, over))

    async def rude() -> None:
        for number in range(max(14, frames // 500)):
            await break_protocol(server, list(PROTOCOL)[number % len(PROTOCOL)], found)
            await vanish(server, number, found)

    # Few frames a connection at first, many later: sessions are opened and lost all the time.
    parts = [max(1, frames // sessions)] * sessions
    await asyncio.gather(
        *(abuse(server, seed + number, part, expected, found) for number, part in enumerate(parts)),
        web(server, requests, seed - 1, found),
        rude(),
    )
    over.set()
    await canary
    async with connect(server.web_socket, compression=None, max_size=None) as socket:
        if await play(socket) != expected:
            found.bad("a new session afterwards", "a good episode", "other answers than before")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--http", type=int, default=5_000)
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        with running("ours", log=log) as server:
            memory = server.resident_bytes()
            found = asyncio.run(fuzz(server, options.frames, options.http, options.sessions, options.seed))
            crashed = not server.alive
            grown = (server.resident_bytes() - memory) / 2**20
        traces = log.read_text(errors="replace").count("Traceback")
    result: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "crashed": crashed,
        "lost_sessions": found.counts["lost sessions"],
        "healthy_rounds": found.healthy_rounds,
        "slowest_healthy_episode_ms": round(found.slowest_healthy_ms),
        "traces_in_the_servers_log": traces,
        "memory_grown_mb": round(grown, 1),
        "counts": dict(sorted(found.counts.items())),
        "wrong": found.wrong,
    }
    print(json.dumps(result, indent=1))
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(bool(crashed or found.wrong or found.counts["lost sessions"]))


if __name__ == "__main__":
    main()
