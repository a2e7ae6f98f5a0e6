# What a contributor types. Each target makes what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Made again whenever what it is made from changes.
READY := $(VENV)/.ready
PIP_OPTIONS ?= --quiet --disable-pip-version-check

.PHONY: help test lint slow stages demo benchmarks picture docs preview release clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@echo "==> Making the environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	@$(PYTHON) -m venv $(VENV)
	@echo "==> Installing torch, nnscaffold and what its tests need (a few minutes the first time)"
	@$(BIN)/python -m pip install $(PIP_OPTIONS) --upgrade 'pip>=25.1' # older ones know no groups
	@$(BIN)/python -m pip install $(PIP_OPTIONS) -c constraints.txt torch
	@$(BIN)/python -m pip install $(PIP_OPTIONS) -c constraints.txt -e . --group dev --group template
	@touch $@

test: $(READY) lint ## Check and run the fast tests
	@echo "==> Running the fast tests"
	@$(BIN)/python tools/stages.py fast

lint: $(READY) ## Check this project's own code
	@echo "==> Checking the code"
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

slow: $(READY) ## Run all stages of slow tests
	@$(BIN)/python tools/stages.py --except fast --all

stages: $(READY) ## Run the stages of slow tests that are due, and record those that pass
	@$(BIN)/python tools/stages.py --except fast --record

demo: $(READY) ## Make a repository, add a layer, test it, train it
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/demo.sh build/demo

benchmarks: $(READY) ## Measure the README's figures again; fails above a target
	@$(BIN)/python benchmarks/run.py

picture: $(READY) ## Draw the README's picture of a session again
	@$(BIN)/python tools/picture.py

docs: $(READY) ## Write the pages of the rules in docs/rules again
	@$(BIN)/python tools/rules.py

preview: $(READY) ## Show what your change means for repositories: [BASE=v0.3.0] [ANSWERS="-d ci=none"]
	@$(BIN)/python tools/preview.py --base $(or $(BASE),HEAD) $(ANSWERS)

release: $(READY) ## Record a release: make release VERSION=x.y.z
	@$(BIN)/python tools/release.py $(VERSION)

clean: ## Remove what these targets made
	rm -rf $(VENV) build dist
