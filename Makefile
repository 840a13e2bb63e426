# Everything is a target here; `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Each worker has a cluster of its own, and mostly waits for it; a file's tests stay together.
WORKERS  ?= 2
PARALLEL := -n $(WORKERS) --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check format types imports lint bench churn month generate score \
        image kind-up kind-e2e kind-down wheel-check pictures lock clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  \033[1m%-11s\033[0m %s\n", $$1, $$2}'

setup: $(STAMP) ## Make the virtual environment, dependencies pinned by hash

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Bursar needs Python 3.11 or newer; name one with PYTHON=python3.12 make setup") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## Show Bursar at work on a real API server (KEEP=1 leaves it running)
	$(BIN)/bursar demo $(if $(KEEP),--keep)

test: setup ## Unit, property, contract, cluster and end-to-end tests
	$(BIN)/python -m pytest -m "not slow" $(PARALLEL) $(ARGS)

test-all: setup ## The same and what is marked slow
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

check: setup lint types imports ## Lint, strict types, import rules, generated files fresh
	$(BIN)/python hack/generate.py --check

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

format: setup ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: setup ## Write all generated files anew: CRDs, policies, reference pages
	$(BIN)/python hack/generate.py

bench: setup ## Measure, side by side in one run; figures for docs/performance.md
	$(BIN)/python hack/bench.py

churn: setup ## Pods by the thousand while everything is killed, against the closed form (ARGS)
	$(BIN)/python hack/churn.py $(ARGS)

month: setup ## A simulated month in the ledger: its size, and how long reports take (ARGS)
	$(BIN)/python hack/month.py $(ARGS)

pictures: setup ## Take the documentation's pictures of the terminal anew, from real runs
	$(BIN)/python hack/pictures.py

score: setup ## Score the classifier: CORPUS=file.jsonl
	$(BIN)/python hack/score.py $(CORPUS)

image: setup ## Build the operator's image (PYTHON_IMAGE: its base)
	$(BIN)/python hack/kind.py image

kind-up: setup ## A kind cluster with GPU nodes and the operator on it (KIND_NODE_IMAGE, PYTHON_IMAGE)
	$(BIN)/python hack/kind.py up

kind-e2e: setup ## The end-to-end tests on kind, the operator in its own image (ARGS: pytest's)
	$(BIN)/python hack/kind.py e2e $(ARGS)

kind-down: setup ## Delete the kind cluster
	$(BIN)/python hack/kind.py down

wheel-check: setup ## Prove that the wheel alone installs and runs
	$(BIN)/python hack/wheel_check.py

lock: ## Pin the dependencies anew, with hashes and without index addresses
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra postgres --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet -o requirements/run.txt
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet -o requirements/dev.txt
	echo 'hatchling>=1.27' | $(BIN)/uv pip compile - --constraint requirements/dev.txt --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet -o requirements/build.txt

clean: ## Remove what was built here (not the control plane's cache)
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
