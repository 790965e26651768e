# Every target sets up what it needs in $(VENV): Python 3.11 or later (with venv and pip) and make are enough.
PYTHON ?= python3
VENV   ?= .venv
CUDA   ?= cuda13
PY     := $(VENV)/bin/python

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint bench fuzz predict gpu-check gpu-check-here gpu-check-bare
MAKEFLAGS += --no-builtin-rules

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' Makefile
	@echo "Variables: PYTHON=$(PYTHON) (3.11 or later), VENV=$(VENV), CUDA=$(CUDA) (the extra that gpu-check installs),"
	@echo "           PARTS (of gpu-check: some of tests,memcheck,racecheck,benchmarks; default all)"

demo: $(VENV)/.has-demo  ## train on handwritten digits and compare every way to the gradient
	$(VENV)/bin/gpuad compare

test: lint  ## lint, types and all tests
	$(PY) -m pytest -n auto

lint: $(VENV)/.has-test  ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m mypy

bench: $(VENV)/.has-bench  ## times and ratios to the peers that are installed
	env -u OPENBLAS_CORETYPE $(PY) -m benchmarks

predict: $(VENV)/.has-bench  ## what a model predicts for an H200 that is not at hand
	$(PY) -m benchmarks --predict h200

fuzz: $(VENV)/.has-fuzz  ## 20,000 random programs: gradients against JAX's
	$(PY) -m tests.fuzz --output out/fuzz

gpu-check:  ## tests, compute-sanitizer and benchmarks on the GPU, where there is one
	@if nvidia-smi -L 2>/dev/null | grep -q '^GPU '; then $(MAKE) --no-print-directory gpu-check-here; \
	else echo "gpu-check: nothing was run, since nvidia-smi finds no GPU on this machine"; fi

gpu-check-here: $(VENV)/.has-$(CUDA) $(VENV)/.has-test $(VENV)/.has-bench
	env -u OPENBLAS_CORETYPE $(PY) -m benchmarks.gpu_check $(PARTS:%=--only %)

gpu-check-bare:  ## gpu-check with the packages that $(PYTHON) has: CuPy, pytest, and the peers; installs nothing
	env -u OPENBLAS_CORETYPE PYTHONPATH=".$${PYTHONPATH:+:$$PYTHONPATH}" $(PYTHON) -m benchmarks.gpu_check $(PARTS:%=--only %)

# A stamp for each extra, made again when pyproject.toml changes.
$(VENV)/.has-%: pyproject.toml $(VENV)/.made
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

# Prints nothing where Python is missing or too old, so that one clear line can be said instead.
new_enough = $(shell $(PYTHON) -c 'import sys; print("yes" if sys.version_info >= (3, 11) else "")' 2>/dev/null)
version = $(shell $(PYTHON) -c 'import sys; print(sys.version.split()[0])' 2>/dev/null)

$(VENV)/.made:
	$(if $(new_enough),,$(error gpuad needs Python 3.11 or later, and $(PYTHON) is $(or $(version),missing): \
	name another one, as in "make $(MAKECMDGOALS) PYTHON=python3.12"))
	$(PYTHON) -m venv $(VENV)
	@touch $@
