# Two commands for a newcomer: `make run` and `make test`. Everything is set up on first use.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup run test coverage check format names dashboards rules clean

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.run: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("PEA needs Python 3.11 or newer; set PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV) || { echo "could not make a virtual environment: on Debian, apt-get install python3-venv"; exit 1; }
	@echo "installing PEA into $(VENV) (once) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[assistant]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing the test tools into $(VENV) (once) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

setup: $(VENV)/.dev ## virtual environment with PEA and the test tools

run: $(VENV)/.run ## start PEA on the sample workspace and show a morning briefing
	@exec $(BIN)/pea serve --config examples/workspace/pea.yaml --first briefing.morning

test: $(VENV)/.dev ## all tests, on every core
	@$(BIN)/python -m pytest -n logical --dist loadfile

coverage: $(VENV)/.dev ## the same, with the branches that no test takes
	@$(BIN)/python -m pytest -n logical --dist loadfile --cov --cov-report=term:skip-covered

check: $(VENV)/.dev ## lint, types, layers, generated names
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.dev ## rewrite the code in the project's style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

names: $(VENV)/.dev ## generate names.py and instruments.py in pea/telemetry from otel/registry
	@$(BIN)/python otel/generate.py

dashboards: $(VENV)/.dev ## write the Grafana dashboards from their typed source
	@$(BIN)/python -m dashboards.build

rules: $(VENV)/.dev ## export the default alert rules for Prometheus
	@$(BIN)/pea rules export alerts/default.yaml > alerts/prometheus/pea.yaml

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .coverage .coverage.* .hypothesis build dist
