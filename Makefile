# `make demo` and `make test` set everything up on a machine with Python >= 3.11 and make.
PYTHON ?= python3
PACKAGES := common model index jobs service cli
BIN := .venv/bin

SCRIPTS := service/static/build/.sources

.PHONY: setup demo test check lint types scripts layering format lock clean

setup: .venv/.done build/typing/.done $(SCRIPTS)

.venv/.done: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is too old: Unitscope needs Python 3.11 or newer; make PYTHON=python3.12 setup")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.lock
	$(BIN)/python -P service/web/build.py
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

# The pages' scripts, from service/web/ and its npm packages; nothing is built where the sources are the same.
$(SCRIPTS): .venv/.done $(wildcard service/web/*.* service/web/*/*.ts) service/web/.npmrc
	$(BIN)/python -P service/web/build.py

# The type checker sees the packages under the names that they are imported by.
build/typing/.done: Makefile
	mkdir -p build/typing/unitscope
	for package in $(PACKAGES); do ln -sfn ../../../$$package build/typing/unitscope/$$package; done
	ln -sf ../../../unitscope/*.py build/typing/unitscope/
	touch $@

demo: setup
	$(BIN)/unitscope demo

# Two workers take a file each, those with slow tests first (tests/conftest.py); the slowest tests are listed at the end
# and in test-artifacts/durations.txt.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -P -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=30

check: setup
	@$(MAKE) --no-print-directory -k -j2 types lint scripts layering

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/basedpyright --level error

scripts:
	$(BIN)/python -P service/web/build.py --check

layering:
	$(BIN)/python -P -m pytest -q -m "not slow" tests/test_layering.py tests/test_layering_loaded.py tests/test_words.py

format:
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Pins what pyproject.toml allows, for every platform, without naming where it comes from.
lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
	    --extra s3 --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf .venv build demo test-artifacts service/static/build service/web/node_modules
