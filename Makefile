# `make demo` shows the engine at work, `make test` checks everything, `make torture` takes hours
# more than that, `make bench` measures. All need python3 (3.11 or later) and make, nothing else: the database and the broker come in
# wheels.

PYTHON ?= python3
BIN := .venv/bin
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs
# Each process has servers of its own. There are more than cores, since many tests wait for workers.
SHARED := --numprocesses 4 --dist loadscope

# Modules stay compiled, whatever the shell says: each process would compile ours anew, half of its start.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: .venv lock sql format check _types _rules test torture bench bench-indexes bench-batches bench-panel bench-move mail-sets docs pictures demo clean

demo: .venv
	$(BIN)/python -m workers.demo

test: check
	$(BIN)/pytest $(SHARED)

# The same tests with more of everything, and those that take minutes.
torture: .venv
	HALO_TEST_SEQUENCES=10000 HALO_TEST_PACE=30 HALO_TEST_SEED=$$(date +%s) HALO_TEST_FUZZ=100000 HALO_TEST_PLANS=10000 HALO_TEST_ROUNDS=1000 \
	  $(BIN)/pytest $(SHARED) -m 'torture or not torture' tests/properties tests/fuzz tests/races \
	  tests/spec tests/plans tests/mail tests/domain/times tests/benchmarks tests/moving tests/torture

# Each workload against bare SQL on the same tables: half an hour, or a few minutes with SIZE=small. ONLY="W1 W3"
# runs those alone.
SIZE ?= full
bench: .venv
	$(BIN)/python -m benchmarks --size $(SIZE) $(ONLY)

# What each index costs and serves; how large batches are to be. A few minutes each.
bench-indexes bench-batches: bench-%: .venv
	$(BIN)/python -m benchmarks.$*

# How quick and how large the panel's pages are, at 1,000 series and 1,000,000 contacts.
bench-panel: .venv
	$(BIN)/python -m benchmarks.panel

# How long a move of 1,000,000 contacts takes, and how long its calls wait, beside pg_dump | pg_restore.
bench-move: .venv
	$(BIN)/python -m benchmarks.moving

# How public sets of bounces and complaints are read (docs/explanation/mail-sets.md); DIR is the folder that they are in.
mail-sets: .venv
	$(BIN)/python -m benchmarks.mail_sets $(DIR)

# Two at a time: types take as long as all the rest.
check: .venv
	@$(MAKE) --no-print-directory --jobs 2 _types _rules

_types:
	$(BIN)/mypy

_rules:
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/python -m migrations.check
	$(BIN)/python -m manual --check
	$(MKDOCS) build --strict --quiet --site-dir build/site
	$(BIN)/python -m manual --offline build/site

# The reference pages, made anew from what the code declares, and the site in build/site.
docs: .venv
	$(BIN)/python -m manual
	$(MKDOCS) build --strict --site-dir build/site

# The pictures of pages in docs/panel and docs/guides, or ONLY="series entry"; they need a Chromium.
pictures: .venv
	$(BIN)/python -m manual.screenshots $(ONLY)

# docs/sql, anew: every statement that is sent.
sql: .venv
	$(BIN)/halo sql write docs/sql

format: .venv
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.venv: .venv/installed .venv/linked

.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else f"halo-engine needs Python 3.11 or later; {sys.executable} is {sys.version.split()[0]}. Name another: make PYTHON=/path/to/python3.12")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.venv/linked: pyproject.toml setup.py .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation -e .
	@touch $@

# Newest versions that pyproject.toml allows, with their hashes and without any registry's address.
lock:
	uv pip compile pyproject.toml --extra dev --extra docs --extra otel --upgrade --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' --quiet -o requirements.lock

clean:
	rm -rf .venv build dist *.egg-info client/build client/*.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
