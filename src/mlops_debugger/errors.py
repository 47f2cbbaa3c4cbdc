"""Every error that this package raises on purpose.

    DebuggerError
    ├── CatalogError          a project, fault, check or agent file is malformed or missing
    ├── EditError             a proposed fix cannot be used
    │   ├── FixSyntaxError        the text is not in the fix language
    │   └── FixApplyError         it parses, but does not match the files
    ├── RunError              a training process could not be carried out, for reasons that are ours
    │   ├── RecordError           a data-only file is missing, truncated, oversized or not well formed
    │   ├── PoolError             a warm worker died or never answered
    │   └── SandboxError          a trial's isolation could not be set up, or its keeper died
    │       └── IsolationError        a code patch is refused: this machine cannot isolate it completely
    ├── ForgeError            a scenario cannot be rendered or proven
    ├── BankError             a bank file is missing, damaged, of another version, or lacks what was asked for
    ├── IntakeError           a folder of somebody's own run cannot be read
    ├── EpisodeError          the driver of an episode used it wrongly (step before reset, step after done)
    ├── AgentError            an agent cannot go on with its episode, for reasons that are its own: it scores 0
    ├── ServingError          a server cannot start, or cannot keep what it promised: keys, limits, workers, logs
    ├── SessionError          a session with a server failed; its episode is gone (a ConnectionError, too)
    │   ├── ServerGoneError       nothing answers at the address, or the server went away in mid-session
    │   ├── CapacityError         the server plays as many sessions as it may
    │   ├── SessionClosedError    the server closed this session: idle for too long, or by its operator
    │   ├── RefusedError          the server does not let this connection in (a token, a wrong address)
    │   ├── MessageTooLargeError  a message is larger than the other side reads
    │   └── NoAnswerError         the server took longer than this client waits (a TimeoutError, too)
    └── EvaluationError       an evaluation cannot start or continue

Each message names what was expected, what was found and what to do. A run that crashes is *not* an error: it is a
result (see `mlops_debugger.runs`).
"""

from __future__ import annotations


class DebuggerError(Exception):
    """Base of every error raised on purpose by this package."""


class CatalogError(DebuggerError):
    """A project, fault, check or agent file is malformed or missing."""


class EditError(DebuggerError):
    """A proposed fix cannot be used; the message is safe to show to an agent."""


class FixSyntaxError(EditError):
    """The text is not in the fix language."""


class FixApplyError(EditError):
    """The fix parses, but does not match the files that it wants to change."""


class RunError(DebuggerError):
    """A training process could not be carried out, for reasons that are ours."""


class RecordError(RunError):
    """A data-only file is missing, truncated, oversized or not well formed."""


class PoolError(RunError):
    """A warm worker died or never answered."""


class SandboxError(RunError):
    """A trial's isolation could not be set up here, or its keeper died."""


class IsolationError(SandboxError):
    """A code patch is refused: this machine cannot isolate it completely. The message is safe to show to an agent."""


class ForgeError(DebuggerError):
    """A scenario cannot be rendered or proven."""


class BankError(DebuggerError):
    """A bank file is missing, damaged, of another version, or lacks what was asked for."""


class IntakeError(DebuggerError):
    """A folder of somebody's own run cannot be read."""


class EpisodeError(DebuggerError):
    """The driver of an episode used it wrongly."""


class AgentError(DebuggerError):
    """An agent cannot go on with its episode, for reasons that are its own."""


class ServingError(DebuggerError):
    """A server cannot start, or cannot keep what it promised; the message is the operator's to read."""


class EvaluationError(DebuggerError):
    """An evaluation cannot start or continue."""


class SessionError(DebuggerError, ConnectionError):
    """A session with a server failed, and its episode is gone; `reset` opens another session where that can help."""


class ServerGoneError(SessionError):
    """Nothing answers at the address, or the server went away in mid-session."""


class CapacityError(SessionError, RuntimeError):
    """The server plays as many sessions as it may. (A RuntimeError too: OpenEnv's client raises one.)"""


class SessionClosedError(SessionError):
    """The server closed this session: idle for too long, or by its operator."""


class RefusedError(SessionError):
    """The server does not let this connection in."""


class MessageTooLargeError(SessionError):
    """A message is larger than the other side reads."""


class NoAnswerError(SessionError, TimeoutError):
    """The server took longer than this client waits."""
