# TwinOS: `make bench` is the main job, `make test` the tests. Each target sets itself up.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= 2

.PHONY: bench test lint format report reference setup clean

bench: $(VENV)/.core
	$(BIN)/twinos bench

# The many interpreters that tests start need not compile everything each.
test: $(VENV)/.dev
	@$(BIN)/python -m compileall -q twinos kernels servers workloads lab assignments
	$(BIN)/python -m pytest --jobs $(JOBS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

report: $(VENV)/.dev
	$(BIN)/twinos report --quick -o report.html

# The run that is published, and README's table from it; for a quiet machine.
reference: $(VENV)/.dev
	$(BIN)/twinos report --reference
	$(BIN)/twinos report --readme README.md

setup: $(VENV)/.dev

# Also for an environment that another tool made, without pip.
PIP := $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --upgrade >/dev/null

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "TwinOS needs Python 3.11 or later; name one with make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml | $(BIN)/python
	@$(PIP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@$(PIP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.core

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
