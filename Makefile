# What a developer or an operator types. `make run` and `make test` work on a fresh machine, without root.

VENV := .venv
BIN := $(VENV)/bin
LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
       --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help run install test mutants attack check format coverage bench chaos size commands lock clean

help:  ## This list.
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  make %-8s %s\n", $$1, $$2 }'

run: $(VENV)/installed  ## Install what is missing and run the gateway with Lumail's stand-in (Ctrl-C ends it).
	@$(BIN)/lumail-gateway up --sandbox

install: $(VENV)/installed  ## Only install, to run it live.

test: $(VENV)/developing  ## All tests, against a real Redis, PostgreSQL and Chromium.
	$(BIN)/pytest --quiet --numprocesses $$(( $$(getconf _NPROCESSORS_ONLN) + 2 )) --dist worksteal

mutants: $(VENV)/developing  ## Make small wrong changes in copies, and say which the tests notice (ONLY=roles: a part).
	@$(BIN)/python -m tests.mutants $(ONLY) $(if $(JOBS),--jobs $(JOBS))

attack: $(VENV)/developing  ## What strangers can send, thrown at running gateways; with the figures.
	$(BIN)/pytest --quiet -rP --both tests/attack tests/adapters/test_unproven.py tests/crash/test_erasure.py

check: $(VENV)/developing  ## Format, lint, types, direction of imports.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/developing  ## Put the code into shape.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/developing  ## Measure the door, a drain and the memory.
	$(BIN)/python -m benchmarks

chaos: $(VENV)/developing  ## Kill, stop and fail everything while 10,000 events come in; count what is lost or doubled.
	$(BIN)/python -m benchmarks.chaos

coverage: $(VENV)/developing  ## All tests, and how many lines of the product they run, file by file.
	$(BIN)/pytest --quiet --numprocesses $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) --dist worksteal \
	    --cov=gateway --cov=adapters --cov-report=term:skip-covered

size: $(VENV)/developing  ## Say how large the product is: lines, packages, settings, commands.
	@$(BIN)/python .ci/size.py

commands: $(VENV)/developing  ## Write docs/reference/commands.md anew, from the commands.
	@$(BIN)/python -m tests.docs.commands

lock: $(VENV)/developing  ## Write the lock files anew, with the newest versions that pyproject.toml allows.
	@$(BIN)/python -m pip install --quiet uv
	$(LOCK) --upgrade --group build --output-file requirements.lock
	$(LOCK) --upgrade --group dev --constraint requirements.lock --output-file requirements-dev.lock

clean:  ## Remove the environment; var/ stays.
	rm -rf $(VENV)

# A stamp is newer than what it was made from, so a second run goes straight to work.

$(VENV)/python:
	@./.ci/make-environment $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/python requirements.lock pyproject.toml
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/developing: $(VENV)/installed requirements-dev.lock
	@echo "Installing what tests and checks need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@touch $@
