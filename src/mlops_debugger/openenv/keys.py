"""Secrets of the operator: read from a file, else from an environment variable; never from a command line.

What stands on a command line is seen by everybody on the machine (`ps`) and ends in the shell's history.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mlops_debugger.errors import ServingError

HARNESS_KEY_VARIABLE = "MLOPS_DEBUGGER_HARNESS_KEY"
TOKEN_VARIABLE = "MLOPS_DEBUGGER_TOKEN"  # noqa: S105 - the name of a variable
_MOST_BYTES = 4096


def read_secret(what: str, file: Path | None, variable: str) -> str | None:
    """The secret in `file`, else in the environment variable (or in the file that `variable`_FILE names), else None.

    Raises `ServingError` for a file that cannot be read, that anybody may read, and for a secret that is empty or
    could not be sent in a header. A variable that is set, but empty, is such an error too: a secret that got lost on
    the way must not open a server.
    """
    named = os.environ.get(f"{variable}_FILE")
    if file is None and named is not None:
        file = Path(named)
    if file is not None:
        return _usable(_contents(what, file), f"the {what} in {file}")
    given = os.environ.get(variable)
    return None if given is None else _usable(given, f"the {what} in {variable}")


def _contents(what: str, file: Path) -> str:
    try:
        # Opened first, then looked at: what is checked is what is read.
        with file.open("rb") as handle:
            mode = os.fstat(handle.fileno()).st_mode
            raw = handle.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ServingError(
            f"expected the {what} in {file}, cannot read it ({error.strerror}): name another file"
        ) from None
    if stat.S_ISREG(mode) and mode & stat.S_IRWXO:
        raise ServingError(
            f"expected {file} to be the operator's alone, found mode {stat.S_IMODE(mode):o}, which lets everybody on "
            f"this machine at the {what}: chmod 600 {file}"
        )
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise ServingError(f"expected the {what} in {file} as ASCII text, found other bytes: write it anew") from None


def _usable(text: str, where: str) -> str:
    secret = text.strip()
    if not secret:
        raise ServingError(f"expected {where}, found nothing: put a long random text there, or do not name it")
    if len(secret) > _MOST_BYTES or not all("!" <= letter <= "~" for letter in secret):
        raise ServingError(
            f"expected {where} to be one line of at most {_MOST_BYTES} visible ASCII characters without blanks, since "
            "it travels in a header; found something else: write it anew"
        )
    return secret
