# The commands of the project. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUNS := $(VENV)/.runs

VERSION := $(shell sed -n 's/^VERSION.*"\(.*\)"/\1/p' hub/version.py)

# Options of the demo: make demo ONCE=1 DIR=/tmp/tps PORT=9000 BROKER=rabbitmq
demo_options := $(if $(ONCE),--once) $(if $(DIR),--dir "$(DIR)") $(if $(PORT),--port "$(PORT)") $(if $(BROKER),--broker "$(BROKER)")

# What `make test` plays over each real broker as well: some minutes less than all of the acceptance tests.
BOTH_ROADS := FILES="$(patsubst %,tests/acceptance/test_%*.py,f1 f6 f7 f8 f9 foreseen unforeseen)"
BOTH_ROADS += ARGS='-q -n 2 -k "not amqp and not postgres"'

# What `make check` plays of the acceptance tests: the two use cases. The rest takes minutes.
QUICK := tests/architecture tests/contract tests/docker tests/docs tests/golden tests/property tests/unit $(wildcard tests/acceptance/*_use_case.py)

.PHONY: help venv demo test acceptance test-containers bench soak golden screenshots lowest check format lock upgrade image wheel clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

venv: $(READY) ## Create or refresh the environment in .venv (done by the others when needed)

$(READY): requirements/dev.txt requirements/bootstrap.txt pyproject.toml scripts/make-venv
	@scripts/make-venv "$(PYTHON)" "$(VENV)" requirements/dev.txt
	@touch $(RUNS) $@

# What the demo needs is a quarter of what the tests need; an environment that has it all keeps it all.
$(RUNS): requirements/runtime.txt requirements/bootstrap.txt pyproject.toml scripts/make-venv
	@scripts/make-venv "$(PYTHON)" "$(VENV)" requirements/$(if $(wildcard $(READY)),dev,runtime).txt
	@touch $@

demo: $(RUNS) ## Run everything on this machine and play a sample day (ONCE=1: play, check, end; BROKER=rabbitmq: as separate processes; DIR=, PORT=)
	@exec $(BIN)/tps demo $(demo_options)

test: $(READY) ## Run all tests, and the main stories over both real brokers (with options for pytest, ARGS=: only all tests)
	@$(BIN)/pytest $(ARGS)
	@$(if $(ARGS),,$(MAKE) --no-print-directory acceptance GROUND=embedded $(BOTH_ROADS))
	@$(if $(ARGS),,$(MAKE) --no-print-directory acceptance GROUND=rabbitmq $(BOTH_ROADS))

acceptance: $(READY) ## Run all acceptance tests over one road: GROUND=memory, embedded or rabbitmq (FILES=, ARGS=)
	@TPS_TEST_GROUND="$(or $(GROUND),memory)" exec $(BIN)/pytest $(or $(FILES),tests/acceptance) $(ARGS)

test-containers: $(READY) ## Build the image, run the platform in containers, try restarts and failover; as root, some minutes
	@exec $(BIN)/python -m tests.containers $(ARGS)

bench: $(READY) ## Measure the whole product, its transport, an audit and a rebuild of views, each beside its bound (ARGS="limits --repeats 1", ARGS=--help)
	@exec $(BIN)/python -m tests.bench $(ARGS)

soak: $(READY) ## Ten minutes of load while the broker is killed every minute; prints a table (ARGS="--minutes 30")
	@exec $(BIN)/python -m tests.fault.soak $(ARGS)

golden: $(READY) ## Write the golden log of this version, once before its release (ARGS=--again replaces it)
	@exec $(BIN)/python -m tests.golden $(ARGS)

screenshots: $(READY) ## Write a picture of every view of the operator's pages, light and dark (TO=build/screenshots)
	@exec $(BIN)/python -m tests.browser.screenshots $(TO)

lowest: $(READY) ## Run all tests with the oldest versions of the libraries that are allowed
	@exec scripts/test-lowest $(ARGS)

check: $(READY) ## Format, lint, types, import contracts, the fast tests with few examples: under a minute
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@TPS_TEST_EXAMPLES=0.1 exec $(BIN)/pytest -q -n 2 -m "not slow" $(QUICK) $(ARGS)

format: $(READY) ## Format the code and mend what the linter can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(READY) ## Write the lock files after a change of pyproject.toml
	@scripts/lock

upgrade: $(READY) ## Write the lock files with the newest versions allowed
	@scripts/lock --upgrade

image: ## Build the container image (TAG=tps:0.1.0, BASE=python:...)
	@docker build --file docker/Dockerfile --tag "$(or $(TAG),tps:$(VERSION))" $(if $(BASE),--build-arg BASE="$(BASE)") \
		--build-arg VERSION="$(VERSION)" --build-arg REVISION="$$(git rev-parse HEAD)" \
		--build-arg SOURCE="$$(git config --get remote.origin.url || echo unknown)" .

wheel: $(READY) ## Build the wheel into dist/
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

clean: ## Remove what can be made again; keeps .demo/, where the demo stores its data
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
