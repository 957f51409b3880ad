# Everything here works on a bare machine with git, make and python3 (3.11 or newer, with venv); what is missing beyond
# that is named in one sentence. Nothing is installed outside .venv, except by `make test` where it may (FOREIGN in
# tools/setup.sh: pcscd, OpenSC and the other programs that nobody here wrote).
.DEFAULT_GOAL := help
.PHONY: help demo setup test tables lint docs reference bench fuzz constraints clean

PY := .venv/bin/python
WORKERS ?= 2
# tests/plugins/honest_run.py: a skipped vector test is an error wherever the vectors are, an empty run is never green.
PYTEST := $(PY) -m pytest -n $(WORKERS) --dist worksteal

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/.runtime ## a software card, from personalisation to a revoked signature (no root, no reader; ARGS="--lang ja")
	@.venv/bin/kojin-card demo $(ARGS)

setup: .venv/.dev ## the virtual environment with everything that developers need
	@:

test: .venv/.dev ## lint, then every test (a seeded sample of the generated tables)
	@sh tools/setup.sh foreign
	@$(MAKE) --no-print-directory lint
	@$(PYTEST)

tables: .venv/.dev ## every row of every generated table
	@KOJIN_TABLES=all $(PYTEST) -m tables

lint: .venv/.dev ## format, lint and security rules, types, import arrows
	@$(PY) -m ruff format --check --quiet . || { echo "Run: .venv/bin/ruff format ." >&2; exit 1; }
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy --no-error-summary
	@told=$$(PYTHONPATH=src:. .venv/bin/lint-imports --no-logo 2>&1) || { echo "$$told" >&2; exit 1; }
	@echo "lint: clean"

docs: .venv/.dev ## the guides as web pages, in site/ (no network, no foreign host)
	@$(PY) -m tools.make_reference --check
	@$(PY) -m tools.make_attacks --check
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet --site-dir site
	@$(PY) tools/check_site.py site

reference: .venv/.dev ## docs/reference and docs/attacks.md, written anew from specs, transcripts, errors and tests
	@$(PY) -m tools.make_reference
	@$(PY) -m tools.make_attacks

bench: .venv/.dev ## ratios against a reference of the same run; what each job asks of a card, here and over pcscd
	@$(PY) tests/bench/run.py
	@$(PY) tests/bench/jobs.py
	@$(PY) tests/bench/revocation.py
	@$(PY) tests/bench/slots.py

fuzz: .venv/.dev ## fuzz every target for SECONDS (600) in all, with atheris where it is (pip install -e '.[fuzz]'); TARGET=cms
	@nice -n 10 $(PY) -m tests.fuzz $(or $(TARGET),all) --seconds $(or $(SECONDS),600)

constraints: .venv/.dev ## renew constraints.txt from what pip resolves today
	@$(PY) tools/renew_constraints.py

clean: ## remove what was made here (.venv stays; `rm -rf .venv` removes it)
	@rm -rf build dist site demo-output .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.runtime: pyproject.toml constraints.txt tools/setup.sh
	@sh tools/setup.sh runtime

.venv/.dev: pyproject.toml constraints.txt tools/setup.sh
	@sh tools/setup.sh dev
