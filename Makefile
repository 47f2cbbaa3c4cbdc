PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test fast slow lint serve verifiers clean lock

run: $(READY)  ## set everything up, then watch an agent investigate 30 runs
	$(BIN)/mlops-debugger run --episodes 30 --out reports/run

test: $(READY) lint fast slow  ## set everything up, then pass the tests, as CI does

fast: $(READY)  ## tests without the long proofs
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

slow: $(READY)  ## proofs that train many models
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

serve: $(READY)
	$(BIN)/mlops-debugger serve

verifiers: $(READY)  ## evaluate with verifiers, in an environment of its own (it cannot share ours)
	scripts/verifiers.sh

$(READY): pyproject.toml requirements.lock
	$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info[:2] == (3, 11) else 'expected Python 3.11, found %d.%d: make PYTHON=/path/to/python3.11' % sys.version_info[:2])"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)

lock: $(READY)  ## pin every package again; the lock file names packages and versions alone
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --no-emit-index-url --no-header --upgrade --extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .venv-verifiers reports build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
