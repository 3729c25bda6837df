# `make` alone lists what can be done. Everything happens in .venv; nothing is installed again unless the pins change.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes
DEV := $(VENV)/.installed-dev
RUN := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help run demo test lint format bench docs install pins clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN)  ## serve on 127.0.0.1:8000 from an embedded SQLite file; the first run prints the first keys
	@ORDERLY_LOG_FORMAT=$${ORDERLY_LOG_FORMAT:-console} $(BIN)/orderly serve --migrate --seed

demo: $(RUN)  ## walk one order through its whole life, over HTTP, on a temporary database
	@$(BIN)/python -m orderly.demo

test: $(DEV)  ## run every test, on SQLite and on a real PostgreSQL
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(DEV)  ## check formatting, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(DEV)  ## bring the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV)  ## measure the speed on this machine
	$(BIN)/python -m benchmarks

docs: $(RUN)  ## write docs/settings.md from the code
	$(BIN)/python -m orderly.reference > docs/settings.md

install: $(DEV)  ## make the environment in .venv, with everything that tests need

pins: $(DEV)  ## pin the newest dependencies that pyproject.toml allows
	CUSTOM_COMPILE_COMMAND="make pins" $(COMPILE) --all-build-deps --upgrade -o requirements.txt pyproject.toml
	CUSTOM_COMPILE_COMMAND="make pins" $(COMPILE) --all-build-deps --extra dev -c requirements.txt -o requirements-dev.txt pyproject.toml

COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

clean:  ## remove the environment and what tools left behind; databases and keys stay
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two environments in one: what serving needs, and with it what tests and checks need.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else \
	    "Orderly needs Python 3.11 or later, this is %d.%d: run make with PYTHON=python3.11 or the like" % sys.version_info[:2])'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "can't make $(VENV): on Debian and Ubuntu install python3-venv" >&2; exit 1; }

$(RUN): requirements.txt pyproject.toml | $(BIN)/python
	@echo "installing what Orderly needs into $(VENV)"
	@$(PIP) -r requirements.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(DEV): requirements-dev.txt $(RUN)
	@echo "installing what tests and checks need into $(VENV)"
	@$(PIP) -r requirements-dev.txt
	@touch $@
