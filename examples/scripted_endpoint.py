"""An OpenAI-compatible endpoint that follows a script instead of a model: to try a harness without a model at hand.

    python examples/scripted_endpoint.py --port 9000

Answers POST /v1/chat/completions. It looks at the log, then finds no fault, whatever it read. Where the request offers
tools it calls them; where it does not, its reply is an action as JSON, as verifiers' OpenEnv taskset expects.
"""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SCRIPT: tuple[tuple[str, dict[str, str]], ...] = (
    ("read_logs", {"log_filter": "epoch:1-3"}),
    ("run_sanity_check", {"sanity_check_type": "metric_gap_analysis"}),
    ("submit_diagnosis", {"diagnosis": "No fault found."}),
)


def completion(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to a chat request: the step of the script that comes after as many as it has replies."""
    turn = sum(message.get("role") == "assistant" for message in request["messages"])
    name, arguments = SCRIPT[min(turn, len(SCRIPT) - 1)]
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if request.get("tools"):
        function = {"name": name, "arguments": json.dumps(arguments)}
        message["tool_calls"] = [{"id": f"call_{turn}", "type": "function", "function": function}]
    else:
        message["content"] = json.dumps({"action_type": name, **arguments})
    reason = "tool_calls" if "tool_calls" in message else "stop"
    return {
        "id": f"chatcmpl-{turn}",
        "object": "chat.completion",
        "created": 0,
        "model": request.get("model", "scripted"),
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def streamed(reply: dict[str, Any]) -> bytes:
    """The reply as server-sent events, for clients that ask for a stream: all of it, then the end, then the usage."""
    (choice,) = reply["choices"]
    delta = dict(choice["message"])
    if "tool_calls" in delta:
        delta["tool_calls"] = [{"index": 0, **call} for call in delta["tool_calls"]]
    base = {name: reply[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    chunks = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]},
        {"choices": [], "usage": reply["usage"]},
    ]
    return b"".join(b"data: %s\n\n" % json.dumps(base | chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0, as by default: a connection for each reply, so that no client has to close what it kept.

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/chat/completions") and request.get("stream"):
            self._send(200, streamed(completion(request)), "text/event-stream")
        elif self.path.endswith("/chat/completions"):
            self._send(200, completion(request))
        else:
            self._send(404, {"error": {"message": f"expected /v1/chat/completions, found {self.path}"}})

    def do_GET(self) -> None:
        self._send(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}]})

    def _send(self, status: int, body: dict[str, Any] | bytes, kind: str = "application/json") -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def scripted_endpoint(port: int = 0) -> Iterator[str]:
    """Serve on 127.0.0.1, on a free port if none is given; gives the base URL."""
    with ThreadingHTTPServer(("127.0.0.1", port), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9000)
    with scripted_endpoint(parser.parse_args().port) as url:
        print(url, flush=True)
        threading.Event().wait()
