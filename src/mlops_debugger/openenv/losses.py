"""What happened to a session, in words: from what websockets and OpenEnv raise to a `SessionError`."""

from __future__ import annotations

import re

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from mlops_debugger.errors import (
    CapacityError,
    MessageTooLargeError,
    NoAnswerError,
    RefusedError,
    ServerGoneError,
    SessionClosedError,
    SessionError,
)

_AGAIN = "its episode is gone; reset opens another session"
IDLE = f"the server closed the session, idle for longer than it allows: {_AGAIN}"
# Close codes of RFC 6455 and its registry.
_GOING_AWAY, _POLICY, _TOO_BIG, _INTERNAL, _RESTART, _TRY_LATER = 1001, 1008, 1009, 1011, 1012, 1013
_REFUSALS = {
    401: "it wants a token: pass headers={'Authorization': 'Bearer …'}",
    403: "there is no OpenEnv server at this path, or the token is not the server's",
    404: "there is no OpenEnv server at this address: check host, port and path",
}


def unreachable(url: str, cause: BaseException) -> SessionError:
    """Why no connection came about."""
    if isinstance(cause, InvalidStatus):
        status = cause.response.status_code
        if status in (502, 503, 504):
            return ServerGoneError(f"expected a server at {url}, found a gateway that answers {status}: try later")
        advice = _REFUSALS.get(status, "check the address, and the server's log")
        return RefusedError(f"the server at {url} refuses the connection with HTTP {status}: {advice}")
    if isinstance(cause, InvalidHandshake):
        return RefusedError(f"expected an OpenEnv server at {url}, found something that speaks no WebSocket: {cause}")
    if isinstance(cause, TimeoutError):
        return ServerGoneError(f"expected a server at {url}, found no answer in time: is it up, is it reachable?")
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause) or type(cause).__name__
    return ServerGoneError(
        f"expected a server at {url}, found none ({reason:.200}): start it (mlops-debugger serve), or check the address"
    )


def lost(error: BaseException | None, sent_bytes: int, limit_bytes: int) -> SessionError:
    """Why an open connection ended. `sent_bytes` is the size of the message under way, `limit_bytes` ours to read."""
    if not isinstance(error, ConnectionClosed):
        return ServerGoneError(f"the connection was closed: {_AGAIN}")
    theirs, ours = error.rcvd, error.sent
    if theirs is not None and theirs.code == _TOO_BIG:
        size = f" of {sent_bytes} bytes" if sent_bytes else ""
        return MessageTooLargeError(f"the message{size} is larger than the server reads, so it hung up: {_AGAIN}")
    if ours is not None and ours.code == _TOO_BIG:
        return MessageTooLargeError(
            f"the answer is larger than max_message_size_mb allows ({limit_bytes} bytes): raise it; {_AGAIN}"
        )
    if theirs is None and ours is not None and ours.code == _INTERNAL:
        return ServerGoneError(f"the server stopped answering pings, so it or the way to it is down: {_AGAIN}")
    if theirs is None:
        return ServerGoneError(f"the server vanished without a goodbye (killed, or the network broke): {_AGAIN}")
    said = f"code {theirs.code}" + (f", {theirs.reason}" if theirs.reason else "")
    if theirs.code in (_GOING_AWAY, _RESTART):
        return ServerGoneError(f"the server is shutting down or restarting ({said}): {_AGAIN}")
    if theirs.code == _TRY_LATER:
        return CapacityError(f"the server has no room ({said}): try later; {_AGAIN}")
    if theirs.code == _POLICY:
        return RefusedError(f"the server refuses this connection ({said}): check token and key")
    return SessionClosedError(f"the server closed the session ({said}): {_AGAIN}")


def no_answer(waited_s: float) -> NoAnswerError:
    """A late answer would be taken for that of the next question, so the connection is given up."""
    return NoAnswerError(
        f"no answer within {waited_s:g} s, so the connection was given up: {_AGAIN}, message_timeout_s waits longer"
    )


def answered(message: str) -> SessionError | None:
    """An error frame of OpenEnv's server as a `SessionError`, or None where the session goes on."""
    if "CAPACITY_REACHED" in message:
        numbers = re.findall(r"\d+", message)
        most = f" ({numbers[-1]})" if numbers else ""
        return CapacityError(
            f"the server plays as many sessions as it may{most}: close one, try later, or start it with more "
            "(serve --max-sessions). [CAPACITY_REACHED]"
        )
    if "SESSION_ERROR" in message or "FACTORY_ERROR" in message:
        return SessionClosedError(f"the server could not open or keep the session ({message:.300}): see its log")
    if "the session is closed" in message:
        return SessionClosedError(IDLE)
    return None
