# Two commands matter: `make demo` shows Clamor at work, `make test` shows that it is sound. Both start from a bare machine.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
DEMO_HOME ?= demo-home
LEARNT ?= .cache/learnt
RECIPE ?= training/encoder.yaml
MODEL_VERSION ?= 3
WORKERS ?= 2
OWN_VENV ?= .cache/own
OWN_TESTS := tests/nlp/test_own_bring.py tests/nlp/test_own_train.py tests/nlp/test_own_weights.py tests/training/test_batches.py tests/training/test_network.py

.DEFAULT_GOAL := help
.PHONY: help install install-dev install-own install-gpu demo up test test-all test-own soak bench docs lint format schemas train train-linear evaluate lock clean

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Clamor needs Python 3.11 or newer, $$($(PYTHON) --version) is first on PATH: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "python3 cannot make a virtual environment here; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/.installed: requirements/default.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/default.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements/dev.txt $(VENV)/.installed
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

install: $(VENV)/.installed ## Clamor into .venv, pinned by version and hash: .venv/bin/clamor
	@$(BIN)/clamor --version

install-dev: $(VENV)/.installed-dev ## and what its tests, docs and training need

install-own: $(VENV)/.installed requirements/own.txt ## and what `clamor model import` and `train` need: torch, with CUDA on Linux some 5 GB
	$(PIP) install --require-hashes -r requirements/own.txt

install-gpu: $(VENV)/.installed requirements/gpu.txt ## and what reads posts on an NVIDIA GPU: onnxruntime-gpu for onnxruntime, CUDA's libraries
	$(PIP) uninstall -y onnxruntime onnxruntime-gpu
	$(PIP) install --require-hashes -r requirements/gpu.txt

demo: $(VENV)/.installed ## a week of three brands at 2,000 times its speed, in a home of its own
	$(BIN)/clamor demo --home $(DEMO_HOME)

up: .env ## Kafka, Elasticsearch, PostgreSQL, a mail catcher and Clamor's stages in containers (docs/containers.md)
	docker compose up --build --detach --wait

.env:
	@umask 077 && printf 'CLAMOR_DATABASE_PASSWORD=%s\n' "$$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" > $@
	@echo "a password for the database was made: it stands in .env, keep that file for yourself"

test: $(VENV)/.installed-dev ## lint, types, arrows and the test suite (in two processes, each with servers of its own; WORKERS=0: in one)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q -m "not soak" --numprocesses $(WORKERS) --dist loadfile

test-all: test docs ## and the documentation, built strictly

$(OWN_VENV)/.installed-own: requirements/default.txt requirements/dev.txt requirements/own.txt pyproject.toml
	$(MAKE) VENV=$(OWN_VENV) install-dev
	$(MAKE) VENV=$(OWN_VENV) install-own
	@touch $@

test-own: $(OWN_VENV)/.installed-own ## the tests of model import and training, which `make test` skips: torch in its own OWN_VENV
	@$(OWN_VENV)/bin/python -c 'import torch, transformers'
	$(OWN_VENV)/bin/python -m pytest -q $(OWN_TESTS)

soak: $(VENV)/.installed-dev ## hundreds of rounds of kill -9, thousands of simulated interleavings
	CLAMOR_SOAK=1 $(BIN)/python -m pytest -q -m "soak or not soak" tests/faults tests/simulation \
	  tests/routing/test_work_order.py tests/routing/test_mail_kill.py tests/routing/test_work_kill.py tests/stream tests/ingest/networks \
	  tests/services/database/test_scale.py

bench: $(VENV)/.installed ## every figure of docs/performance.md, measured here
	$(BIN)/python -m bench

docs: $(VENV)/.installed-dev ## the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

lint: $(VENV)/.installed-dev ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.installed-dev ## rewrite the code in the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(VENV)/.installed ## JSON Schemas of records and settings into docs/schemas/
	$(BIN)/python -m stream.schemas
	$(BIN)/python -m config.reference
	$(BIN)/python -m web.openapi

train: $(VENV)/.installed-dev ## the shipped encoders from ../shared, by RECIPE (one, or legs in their order), kept under LEARNT until they are whole
	@$(BIN)/python -c 'import torch' 2>/dev/null || \
	  { echo "training needs torch, which is 5 GB: make install-own, then again"; exit 1; }
	test -f $(LEARNT)/pack/rows.npz || $(BIN)/python -m training.pack --out $(LEARNT)/pack
	set -e; for recipe in $(RECIPE); do $(BIN)/python -m training.learn $(LEARNT)/pack --out $(LEARNT) --recipe $$recipe; done
	$(BIN)/python -m training.ship $(LEARNT)/fast $(LEARNT)/pack --tier fast --version $(MODEL_VERSION) --out nlp/models/fast
	whole=$(LEARNT)/accurate; test -f $$whole.0.npz || whole=$(LEARNT)/teacher-1; \
	  $(BIN)/python -m training.ship $$whole $(LEARNT)/pack --tier accurate --version $(MODEL_VERSION) --out nlp/models/accurate

train-linear: $(VENV)/.installed-dev ## the shipped linear model from ../shared
	$(BIN)/python -m training.linear

evaluate: $(VENV)/.installed-dev ## the accuracy of all shipped models, beside VADER and the majority class
	$(BIN)/python -m training.evaluate

lock: $(BIN)/python ## pin every dependency anew, by version and hash, for all platforms
	$(PIP) install uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate pyproject.toml requirements/build.in -o requirements/default.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate -c requirements/default.txt --extra apprise --extra dev --extra docs --extra elastic --extra fulltext --extra kafka --extra networks --extra pdf --extra pictures --extra postgres --extra sheets --extra train \
	  pyproject.toml requirements/build.in -o requirements/dev.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate -c requirements/dev.txt --extra apprise --extra elastic --extra kafka --extra networks --extra pdf --extra pictures --extra postgres --extra sheets \
	  pyproject.toml requirements/build.in -o requirements/engines.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate -c requirements/dev.txt --extra own pyproject.toml requirements/build.in -o requirements/own.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate -c requirements/dev.txt --excludes requirements/without.txt --extra gpu \
	  pyproject.toml requirements/build.in -o requirements/gpu.txt

clean: ## what the other targets made
	rm -rf $(VENV) site .cache $(DEMO_HOME) .mypy_cache .ruff_cache .pytest_cache .hypothesis
