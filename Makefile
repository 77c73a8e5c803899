# The two commands of the README are `make bench` and `make test`; each sets itself up first.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PLUGINS := $(wildcard plugins/*)

.PHONY: install bench test soak lint perf site browser clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt $(PLUGINS:=/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "bastzoo needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]' $(PLUGINS:%=--editable ./%)
	@touch $(INSTALLED)

bench: $(INSTALLED)
	$(BIN)/bastzoo bench --backbone mamba --integ SUB

# Most of the suite's time is processes that start: several workers, whole files each.
test: $(INSTALLED)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile -p no:benchmark

# What takes longer than a minute: 200 kills, a Ray cluster that loses a node.
soak: $(INSTALLED)
	BASTZOO_KILLS=200 $(BIN)/python -m pytest tests/cli/test_harness.py -k killed
	$(BIN)/python -m pytest tests/soak -m soak

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

perf: $(INSTALLED)
	$(BIN)/python -m pytest benchmarks --benchmark-only --benchmark-sort=name -o addopts=""

# All committed boards as pages; open site/index.html.
site: $(INSTALLED)
	$(BIN)/bastzoo leaderboard $(wildcard leaderboards/records/*) --html site

# What the tests of the pages need beside Python: they are skipped without it.
browser:
	command -v chromium || { apt-get update && apt-get install --yes --no-install-recommends chromium; }
	mkdir -p .cache && cd .cache && npm pack --silent axe-core@4 && tar -xzf axe-core-4*.tgz package/axe.min.js

clean:
	rm -rf .venv .cache site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
