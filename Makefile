# One line of help each: `make` alone prints them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
.DEFAULT_GOAL := help
.PHONY: help setup check test demo proto bench sim soak limits card fuzz upstreams published lock clean

help: ## print this
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make the virtual environment with the locked packages

$(STAMP): requirements/dev.lock pyproject.toml clients/python/pyproject.toml
	$(PYTHON) requirements/install.py $(VENV)
	@touch $@

check: setup ## linters, import contracts, types, generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python proto/generate.py --check

test: setup ## all tests; ARGS="-k name" for some
	$(BIN)/python -m pytest $(ARGS)

demo: setup ## the main job, live: streams, a dying provider, a waited-out 429, the ledger
	@$(BIN)/headway demo

proto: setup ## lint the API and generate the stubs
	$(BIN)/python proto/generate.py

bench: setup ## measure the promises of speed and size (needs Go)
	$(BIN)/python bench/run.py $(ARGS)

sim: setup ## simulate worlds with faults: SEED=7, SEEDS=1000 or REQUESTS=100000
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),) $(if $(SEEDS),--seeds $(SEEDS),) \
	  $(if $(REQUESTS),--requests $(REQUESTS),)

soak: setup ## an hour of 200 streams; RUN=kills, stalled, flapping or recovery for others
	$(BIN)/python -m tests.soak $(or $(RUN),streams) $(ARGS)

limits: setup ## the limits' figures, in about nine minutes; ARGS="--write" or parts
	$(BIN)/python -m bench.limits_all $(ARGS)

card: setup ## run the failure card and write docs/failure-card.md
	$(BIN)/python -m tests.faults --write

upstreams: setup ## real servers as upstreams: LiteLLM, Portkey, llama.cpp (two minutes to install)
	$(PYTHON) -m tests.upstreams.install
	$(BIN)/python -m pytest tests/upstreams

published: setup ## what is sent, against the request types in the providers' own SDKs (a minute to install)
	$(PYTHON) -m tests.published.install
	$(BIN)/python -m pytest tests/published

# The fuzzer has its own environment: nothing else needs it.
FUZZERS ?= openai-chat openai-responses anthropic gemini gemini-interactions ollama typed-event
FUZZ := .cache/fuzz-env

fuzz: $(FUZZ)/.installed ## fuzz every decoder: SECONDS=20 for each, FUZZERS=gemini for one
	@for dialect in $(FUZZERS); do echo "fuzzing $$dialect"; $(FUZZ)/bin/python -m \
	  tests.providers.fuzz $$dialect $(or $(SECONDS),20) >.cache/fuzz-$$dialect.log 2>&1 || \
	  { tail -30 .cache/fuzz-$$dialect.log; exit 1; }; grep -a executed .cache/fuzz-$$dialect.log; done

$(FUZZ)/.installed: tests/providers/fuzz-requirements.txt
	$(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install -q -r tests/providers/fuzz-requirements.txt
	@touch $@

lock: ## resolve the locked packages anew
	$(PYTHON) requirements/resolve.py

clean: ## remove what was made here
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
