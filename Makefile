# `make help` lists the targets. Two of them are all a newcomer needs: `make report` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MILLIONS := 1 10 100
SOURCES := $(shell find plgkit notebooks tests data docs bench -type f -not -path '*/__pycache__/*' -not -name '*.pyc' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help report test lab lint bench simulate notebooks sample lock clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

$(VENV)/ready: requirements.txt pyproject.toml
	@echo "Setting up $(VENV) for users: first time only, a minute or two."
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "plgkit needs Python 3.11, 3.12 or 3.13; this is " + sys.version.split()[0] + ". Say another with: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/ready-for-tests: requirements-dev.txt $(VENV)/ready
	@echo "Adding what the tests need: first time only, a few minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.txt
	@touch $@

report: $(VENV)/ready reports/glossary.html ## run all notebooks on the bundled sample, write reports/
	@echo "Running the notebooks on the bundled sample."
	@$(BIN)/plgkit report

reports/glossary.html: $(VENV)/ready $(shell find plgkit -name '*.py' 2>/dev/null)
	@echo "Writing the glossary."
	@$(BIN)/plgkit glossary --html $@

test: $(VENV)/tests-passed ## run every test, also in real engines and a real browser
	@echo "All tests have passed on these very files. (To run them again: rm $(VENV)/tests-passed)"

$(VENV)/tests-passed: $(VENV)/ready-for-tests $(SOURCES) Makefile
	@echo "Running the tests: doctests, contracts on four engines, notebooks, reports in a browser."
	@$(BIN)/python -m pytest -n 2 --dist loadfile
	@echo "Comparing the notebooks with their kept outputs."
	@$(BIN)/plgkit notebooks --check
	@$(BIN)/python -m pytest -c notebooks/pytest.ini notebooks
	@touch $@

lab: $(VENV)/ready ## open the notebooks in JupyterLab
	@$(BIN)/jupyter lab notebooks

lint: $(VENV)/ready-for-tests ## hold the code against the rules of style
	@$(BIN)/ruff check plgkit tests bench

$(VENV)/ready-for-bench: requirements-bench.txt $(VENV)/ready-for-tests
	@echo "Adding what plgkit is measured against: first time only."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-bench.txt
	@touch $@

bench: $(VENV)/ready-for-bench ## measure speed, side by side, as ratios (over an hour; MILLIONS=1 for small engines)
	@for each in reports sample measures ledger scores experiments growing; do echo "== $$each"; $(BIN)/python bench/$$each.py || exit 1; done
	@echo "== engines"; $(BIN)/python bench/engines.py --millions $(MILLIONS)

simulate: $(VENV)/ready-for-tests ## hold intervals and aha candidates against the truth of many made-up companies
	@$(BIN)/python bench/coverage.py --runs 500 --reference 3000 --work build/coverage
	@$(BIN)/python bench/aha.py 1500 20

notebooks: $(VENV)/ready ## run the notebooks and keep their outputs in them
	@$(BIN)/plgkit notebooks --write

sample: $(VENV)/ready ## make the bundled sample anew: the same bytes
	@$(BIN)/plgkit sample --people 3800 --seed 62 --out data/sample

lock: $(VENV)/ready-for-tests ## make the lock files anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" --extra bench -c requirements.txt pyproject.toml -o requirements-bench.txt

clean: ## remove the environment, reports and caches
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
	find reports -mindepth 1 -not -name .gitkeep -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
