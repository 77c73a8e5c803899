# `make bench` and `make test` are what a fresh clone needs; each sets itself up first.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PLUGINS := $(wildcard plugins/*)

# Without compiled files, each of the hundreds of processes of a suite compiles bastzoo again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install bench test coverage soak lint perf perf-all perf-check docs notebooks dist test-lowest site browser clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt $(PLUGINS:=/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "bastzoo needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]' $(PLUGINS:%=--editable ./%)
	@touch $(INSTALLED)

bench: $(INSTALLED)
	$(BIN)/bastzoo bench --backbone mamba --integ SUB --jobs 2

# Whole files each, so that what a file renders and trains is made once, in the order of tests/conftest.py:
# xdist's own, files of many tests first, leaves those of few long ones to a last worker.
test: $(INSTALLED)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder -p no:benchmark

# The suite, and which lines of bastzoo/ it runs, also in processes of its own; a third slower. Without the tests of a
# full disk, whose limit cuts the coverage's own file.
coverage: $(INSTALLED)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder -p no:benchmark --cov --cov-report= \
	  --deselect tests/cli/test_runs.py::test_a_full_disk_is_a_sentence_and_finished_runs_are_kept
	$(BIN)/python -m coverage report --skip-covered --sort=cover

# What takes longer than a minute: 200 kills, 50 of a parent, 20 of one of two processes, a Ray cluster that loses a node, ONNX, damaged records.
soak: $(INSTALLED)
	BASTZOO_KILLS=200 $(BIN)/python -m pytest tests/cli/test_harness.py -k killed
	$(BIN)/python -m pytest tests -m soak

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Ratios of two things in one run; `perf-all` also what takes long, and writes benchmarks/*.md.
PERF := -m pytest benchmarks --benchmark-only --benchmark-sort=name -o addopts=""
perf: $(INSTALLED)
	$(BIN)/python $(PERF) -m 'not thorough'

perf-all: $(INSTALLED)
	$(BIN)/python $(PERF)

# What got slower by more than 20 %, beside benchmarks/baseline.json.
perf-check: perf
	$(BIN)/python benchmarks/check.py

# Pages of docs/, boards, commands and docstrings. A warning, a broken link too, is an error.
docs: $(INSTALLED)
	$(BIN)/python -m sphinx -b html -c docs -d build/doctrees --fail-on-warning --keep-going --quiet . build/site
	@echo "Open build/site/docs/index.html; its search works from the file."

# The notebooks again, with what they show; they train for minutes.
notebooks: $(INSTALLED)
	cd docs/notebooks && rm -rf runs && PYTHONWARNINGS=ignore:IProgress ../../$(BIN)/jupyter execute --inplace *.ipynb && rm -rf runs

# Wheels and source archives of the project and of each plugin, checked, installed apart and tried.
dist: $(INSTALLED)
	rm -rf dist
	for project in . $(PLUGINS); do \
	  $(BIN)/python -m build --no-isolation --outdir dist $$project || exit 1; done
	$(BIN)/python -m twine check --strict dist/*
	rm -rf build/try && $(PYTHON) -m venv build/try
	build/try/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd build && try/bin/bastzoo doctor && try/bin/bastzoo list backbone && \
	  try/bin/bastzoo train --backbone cnn --env RI01 --steps 2 --runs try/runs

# The lowest versions that pyproject.toml admits, in an environment of their own; the quick part of the suite,
# without the check of every shape, which takes newer versions than running does.
test-lowest:
	rm -rf build/lowest && $(PYTHON) -m venv build/lowest
	build/lowest/bin/python -m pip install --quiet uv
	build/lowest/bin/uv pip install --python build/lowest/bin/python --resolution lowest-direct --editable '.[lowest]'
	build/lowest/bin/python -m pytest tests/acoustics tests/boards tests/data tests/engine tests/metrics tests/ops \
	  tests/records tests/zoo tests/test_model.py tests/test_registry.py tests/test_experiment.py -p no:cacheprovider \
	  -o addopts="-ra --strict-markers -m 'not soak'"

# All committed boards as pages, what holds outside first; open site/index.html. With pictures of every row,
# in some minutes more: make site REPORTS=--reports
OUTSIDE := $(addprefix leaderboards/records/,measured-rooms measured-heads unseen-world)
site: $(INSTALLED)
	$(BIN)/bastzoo leaderboard $(OUTSIDE) $(filter-out $(OUTSIDE),$(wildcard leaderboards/records/*)) --html site $(REPORTS)

# What the tests of the pages need beside Python: they are skipped without it.
browser:
	command -v chromium || { apt-get update && apt-get install --yes --no-install-recommends chromium; }
	mkdir -p .cache && cd .cache && npm pack --silent axe-core@4 && tar -xzf axe-core-4*.tgz package/axe.min.js

clean:
	rm -rf .venv .cache site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
