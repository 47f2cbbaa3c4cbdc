# The server with its embedded bank. Hugging Face Spaces runs it as it is (user 1000, port 8000).
FROM python:3.11-slim AS builder

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app/env
RUN python -m venv /app/.venv
ENV PATH="/app/.venv/bin:$PATH"

# torch's CPU build where pip is told of one (--build-arg PIP_OPTIONS=...), else the default build.
ARG PIP_OPTIONS=""

# The lock file as constraints: its versions, without what only tests and other harnesses need.
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY src ./src
RUN pip install $PIP_OPTIONS --constraint requirements.lock .

FROM python:3.11-slim

LABEL org.opencontainers.image.title="MLOps Pipeline Debugger" \
      org.opencontainers.image.description="Investigate a broken training run, say what is wrong, and have the fix run" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"

RUN useradd --create-home --uid 1000 user
COPY --from=builder /app/.venv /app/.venv
COPY --chown=user README.md openenv.yaml /app/env/
COPY --chown=user server /app/env/server

USER user
WORKDIR /app/env
ENV PATH="/app/.venv/bin:$PATH" PYTHONUNBUFFERED=1

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=2)"]

# Settings: MLOPS_DEBUGGER_BANK, MLOPS_DEBUGGER_HARNESS_KEY and MLOPS_DEBUGGER_TOKEN (secrets; each may also be named as a
# file: MLOPS_DEBUGGER_TOKEN_FILE), MLOPS_DEBUGGER_MAX_SESSIONS, MLOPS_DEBUGGER_TRANSCRIPTS (a folder on a volume).
# Trials in flight have 30 s when the container is stopped: docker stop --time 40.
CMD ["python", "-m", "server.app", "--host", "0.0.0.0", "--port", "8000"]
