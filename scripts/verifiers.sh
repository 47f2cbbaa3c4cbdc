#!/usr/bin/env bash
# Evaluates a scripted endpoint with verifiers, through its OpenEnv taskset, against our server; checks every reward.
#
# verifiers 0.4 needs mcp 2, openenv 0.10 pins fastmcp 3 and with it mcp 1: they cannot share an environment. So verifiers
# lives in one of its own (VERIFIERS_VENV, .venv-verifiers if unset), with an older OpenEnv client, and talks to the
# server over the WebSocket. Its harness installs the packages of its own program with uv: a package index is needed.
set -euo pipefail
cd "$(dirname "$0")/.."
# Not PYTHON, which make hands down and which names the interpreter that .venv is made with.
OURS=${DEBUGGER_PYTHON:-.venv/bin/python}
VENV=$(realpath -m "${VERIFIERS_VENV:-.venv-verifiers}")

if ! test -x "$VENV/bin/vf-eval"; then
    "$OURS" -m venv "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check uv
    # uv, not pip: pip searches for minutes until it finds the one OpenEnv that fits.
    VIRTUAL_ENV="$VENV" "$VENV/bin/uv" pip install --quiet -r scripts/verifiers.txt
fi

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT

port() { "$OURS" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
server=http://127.0.0.1:$(port)
endpoint_port=$(port)

"$OURS" -c 'from mlops_debugger.cli import app; app()' serve --port "${server##*:}" &
"$OURS" examples/scripted_endpoint.py --port "$endpoint_port" &
"$OURS" - "$server/health" <<'PY'
import sys, time, urllib.request
for _ in range(240):
    try:
        urllib.request.urlopen(sys.argv[1], timeout=5)
        sys.exit(0)
    except OSError:
        time.sleep(0.25)
sys.exit("expected the server to answer within a minute, it did not: see its messages above")
PY

PATH="$VENV/bin:$PATH" ENDPOINT_API_KEY=none PYTHONPATH= "$VENV/bin/vf-eval" @ examples/verifiers.toml \
    --env.taskset.base-url "$server" --client.base-url "http://127.0.0.1:$endpoint_port/v1" --output-dir "$work/runs"

"$OURS" - "$work/runs" <<'PY'
import json, pathlib, sys

from mlops_debugger.bank import Bank, starter_bank_path
from mlops_debugger.environment import Session

# The script finds no fault anywhere: right on healthy runs, wrong on all others.
session = Session(Bank(starter_bank_path()))
lines = [line for path in pathlib.Path(sys.argv[1]).rglob("traces.jsonl") for line in path.read_text().splitlines()]
found = {}
for line in lines:
    episode = json.loads(line)
    trace = episode["traces"][0]
    if not (episode["ok"] and trace["ok"]):
        sys.exit(f"expected every episode to end, found {trace['errors']}")
    reset = trace["task"]["data"]["reset"]
    session.reset(**reset)
    found[reset["index"]] = (trace["rewards"]["openenv_reward"]["score"], float(not session.state().bug_type))
wrong = {index: pair for index, pair in found.items() if pair[0] != pair[1]}
if len(found) != 4 or wrong or not any(reward for reward, _ in found.values()):
    sys.exit(f"expected the rewards of four episodes, one at least 1, found (reward, expected) {found}")
print("4 passed, 0 failed")
PY
