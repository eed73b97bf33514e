# Everything a developer or a newcomer does, each by one word. Paths are relative, so that a blank in the checkout's path
# does no harm. .venv holds the installed project (not editable: commands start faster) and the tools.

PYTHON ?= $(shell .ci/python)
PY := .venv/bin/python
SOURCES := $(shell find crane_celery beat workers cli -name '*.py' -o -name '*.lua') \
	$(shell find packaging -type f) pyproject.toml README.md
CODE := crane_celery beat workers cli bench examples tests

.PHONY: help demo docs test check fmt lint types arch unit fuzz campaign-users bench metrics compose-test clean

help:
	@echo 'make demo          a cluster on this machine runs a real workload, in two minutes'
	@echo 'make test          every test that needs no container engine'
	@echo 'make fuzz          a million inputs for each decoder (hours); INPUTS=N, NAMES="when gateway"'
	@echo 'make campaign-users  two users attack a cluster while a third works on it; CRANE_CAMPAIGN_S=600 CRANE_SEED=N'
	@echo 'make compose-test  the cluster of docker-compose.yml, for real'
	@echo 'make bench         this project beside Slurm, HyperQueue and GNU parallel'
	@echo 'make check         what a commit must pass: fmt lint types arch unit'
	@echo 'make docs          docs/commands, from the parsers of the commands'
	@echo 'make metrics       counts of functions, files, classes, imports and docstrings (docs/architecture.md)'
	@echo 'make clean         remove what these made'

# An empty stamp each: made again when the project file changed (tools) or any source did (the installed project).
.venv/pip: .ci/venv
	@PYTHON='$(PYTHON)' .ci/venv
	@touch .venv/pip

.venv/installed: .venv/pip $(SOURCES)
	@$(PY) -m pip install -q --disable-pip-version-check --upgrade --force-reinstall --no-deps . \
	  && $(PY) -m pip install -q --disable-pip-version-check .
	@touch .venv/installed

.venv/tools: .venv/installed pyproject.toml
	@$(PY) -m pip install -q --disable-pip-version-check --group dev
	@touch .venv/tools

demo: .venv/installed
	@$(PY) examples/demo.py demo-report

.venv/fuzz: .venv/tools
	@$(PY) -m pip install -q --disable-pip-version-check --group fuzz || echo 'no atheris here: inputs are random'
	@touch .venv/fuzz

fuzz: .venv/fuzz
	@$(PY) -m tests.fuzz.run --each --inputs $(or $(INPUTS),1000000) $(NAMES)

campaign-users: .venv/tools
	@PATH="$$PWD/.venv/bin:$$PATH" CRANE_CAMPAIGN_S=$(or $(CRANE_CAMPAIGN_S),600) \
	  $(PY) -m pytest -s tests/faults/test_two_users.py

test: .venv/fuzz
	@PATH="$$PWD/.venv/bin:$$PATH" $(PY) -m pytest -m 'not compose' --durations=20

compose-test: .venv/tools
	@PATH="$$PWD/.venv/bin:$$PATH" $(PY) -m pytest -m compose

.venv/bench: .venv/tools
	@$(PY) -m pip install -q --disable-pip-version-check --group bench
	@touch .venv/bench

bench: .venv/bench
	@PATH="$$PWD/.venv/bin:$$PATH" $(PY) -m bench.run

check: fmt lint types arch unit

fmt: .venv/tools
	@$(PY) -m ruff format --check $(CODE)

lint: .venv/tools
	@$(PY) -m ruff check $(CODE)

types: .venv/tools
	@$(PY) -m mypy

arch: .venv/tools
	@.venv/bin/lint-imports

unit: .venv/tools
	@$(PY) -m pytest tests/unit tests/property tests/arch tests/golden

docs: .venv/tools
	@$(PY) -m cli.manual.pages docs/commands
	@$(PY) -c 'from crane_celery.lifecycle.diagram import page; print(page(), end="")' > docs/states.md
	@$(PY) -m tests.arch.metrics --write

metrics: .venv/tools
	@$(PY) -m tests.arch.metrics

clean:
	@rm -rf .venv demo-report artefacts build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
