# Botyard. Each target installs what it needs and is quick the second time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv

.PHONY: setup run test check bench fmt lock widget clean help

help:  ## show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv==0.13.8

$(VENV)/base.stamp: requirements/base.txt | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/base.txt
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@ $(VENV)/base.stamp

setup: $(VENV)/base.stamp  ## install what running needs into .venv

run: setup  ## start Botyard: panel, demo page, bots and widgets
	@exec $(BIN)/python orchestrator.py run

test: $(VENV)/dev.stamp  ## install what the tests need (Debian's packages where root) and run them all
	@sh tests/packages.sh
	@$(BIN)/python -m providers.engine.families install diffusers
	$(BIN)/python -m pytest -q -p no:cacheprovider

check: $(VENV)/dev.stamp  ## linters, types and import arrows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/dev.stamp  ## measure; figures are kept in docs/benchmarks.md
	$(BIN)/python -m bench

fmt: $(VENV)/dev.stamp  ## format and sort
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(UV)  ## resolve requirements/*.txt anew from pyproject.toml
	$(UV) pip compile --quiet --upgrade --generate-hashes pyproject.toml -o requirements/base.txt
	$(UV) pip compile --quiet --upgrade --generate-hashes pyproject.toml --group dev -o requirements/dev.txt

widget:  ## rebuild widget/dist from widget/src (needs node)
	cd widget && npm ci --no-fund --no-audit && npm run build

clean:  ## remove environments and caches, never data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
