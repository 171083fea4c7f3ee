# Needs python3 (3.11 or newer, with venv), make and a shell; everything else goes into .venv.
# Another interpreter: make PYTHON=python3.12. Arguments for pytest: make test ARGS="-k config".
# No GPU: make setup CPU=1 takes torch without CUDA from PyTorch's own index.

PYTHON ?= python3
ARGS ?=
CPU ?=
TORCH_INDEX := https://download.pytorch.org/whl/cpu
BIN := .venv/bin
STAMP := .venv/.installed
DEV_STAMP := .venv/.installed-dev
CAMPAIGN := $(BIN)/campaign
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --no-loadscope-reorder
# A third of the sizes with which docs/results.md was measured, so that the demo takes minutes.
DEMO_SWEEP := --set data.num_train=2000 --set data.num_test=500 --set training.epochs=5
DEMO_PROMOTION := --set training.epochs=4
BENCHMARKS := cli_start head_step loader_throughput objective_step recipe_step scale soak train_throughput trial_overhead

PIP_INSTALL := $(BIN)/python -m pip install --prefer-binary --no-compile --constraint constraints.txt
# pip compiles on one core, this on all, and CAMpaign too, for machines on which Python is told to write no bytecode.
# It fails on the templates that some packages ship as .py files.
COMPILE := $(BIN)/python -m compileall -qq -j 0 .venv/lib orchestrator search_spaces trainables >/dev/null 2>&1 || true

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all chaos networks check format bench results constraints clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP)  ## make .venv with what the demo needs; a second call does nothing

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; CAMpaign needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is $$($(PYTHON) --version 2>&1); CAMpaign needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(if $(CPU),$(PIP_INSTALL) --no-deps --index-url $(TORCH_INDEX) torch torchvision)
	$(PIP_INSTALL) --editable .
	@$(COMPILE)
	@touch $@

$(DEV_STAMP): $(STAMP)  # what tests and checks need besides
	$(PIP_INSTALL) --editable '.[dev]'
	@$(COMPILE)
	@touch $@

demo: $(STAMP)  ## small sweep on the built-in data set, promotion of the best to two workers, evaluation, report
	$(CAMPAIGN) sweep digits-background-weight --name demo --trials 8 $(DEMO_SWEEP)
	$(CAMPAIGN) promote demo --scale digits-full $(DEMO_PROMOTION)
	$(CAMPAIGN) evaluate demo-digits-full
	$(CAMPAIGN) report demo
	@echo "Open the report above in a browser. $(CAMPAIGN) ui shows every run in MLflow."

test: $(DEV_STAMP)  ## the tests that are not slow, and an end-to-end run from sweep to report
	$(PYTEST) -m "(not slow or spine) and not gpu and not data" $(ARGS)

test-all: $(DEV_STAMP)  ## every test that needs no GPU and no external data
	$(PYTEST) -m "not gpu and not data and not chaos and not exhaustive" $(ARGS)

chaos: $(DEV_STAMP)  ## inject every fault for real, and write docs/reliability.md
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.chaos $(ARGS)

networks: $(DEV_STAMP)  ## judge every network of timm, and write the tables of docs/models.md
	$(BIN)/python -m benchmarks.models
	$(PYTEST) -m exhaustive $(ARGS)

check: $(DEV_STAMP)  ## format, lint, types and imports; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

format: $(DEV_STAMP)  ## rewrite what ruff can put right by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## run every benchmark and write docs/performance.md
	@set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done

results: $(STAMP)  ## run the sweep and study of docs/results.md that need no external data, and write the page
	$(BIN)/python -m benchmarks.results sweep digits-background-weight --trials 8
	$(BIN)/python -m benchmarks.results study digits-shortcut

constraints:  ## write constraints.txt from what .venv holds
	$(BIN)/python -m pip list --format=freeze --exclude-editable --exclude pip --exclude setuptools > constraints.txt.new
	@{ echo "# Exact versions of '.[dev]' for Linux, CPython 3.11 and newer; written by 'make constraints' from .venv."; \
	  sed 's/+.*//' constraints.txt.new | LC_ALL=C sort -f; } > constraints.txt
	@rm constraints.txt.new
	@touch $(STAMP) $(DEV_STAMP)

clean:  ## remove caches and build outputs; keeps .venv and campaign-data
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -path ./campaign-data -prune -o -name __pycache__ -type d -exec rm -rf {} +
