"""The server as OpenEnv's tools start it: `uvicorn server.app:app`, or `python -m server.app --port 8000`."""

from __future__ import annotations

from mlops_debugger.openenv.app import app_from_environment, run_from_command_line

app = app_from_environment()


def main() -> None:
    """Serve `app` at the address given on the command line."""
    run_from_command_line(app)


if __name__ == "__main__":
    main()
