# Everything that one does with a checkout. `make` alone explains.
# Two commands set up a fresh machine: `make run` and `make test`; both fill the same .venv.

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# ensurepip: Debian's Python has venv, but makes none that works without the package python3-venv.
SUITABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

.DEFAULT_GOAL := help
.PHONY: help install run test lint faults bench bench-quick bench-checks day soak lock clean
.DELETE_ON_ERROR:

help: ## show this text
	@echo "Yupan 预判: sees a customer's problem before the customer calls."
	@echo
	@echo "First steps:  make run                                 a live demo on this machine, until Ctrl-C"
	@echo "              make run ARGS=\"--seconds 60 --json\"      a minute of it, with a summary for programs"
	@echo "              make test                                the whole suite; absent parts skip with a line"
	@echo "              make test ARGS=\"tests/parts -x\"          some of it (ARGS goes to pytest)"
	@echo "Needed:       Python 3.11 to 3.13 with venv (PYTHON=... chooses one) and a Python package registry."
	@echo
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(BIN)/.run-installed ## make .venv/bin/yupan, with the locked dependencies

run: install ## the demo on the embedded parts: broker Tansu, ClickHouse chDB (ARGS: of yupan demo)
	@$(BIN)/yupan demo $(ARGS)

test: lint ## style, types, import rules, then all tests, two files at a time (ARGS: of pytest; -n 0: one)
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(BIN)/.dev-installed ## style, types and import rules only
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

faults: $(BIN)/.dev-installed ## workers, brokers and ClickHouse killed and worse (ARGS: of python -m tests.faults)
	@$(BIN)/python -m tests.faults $(ARGS)

bench: $(BIN)/.dev-installed ## all of benchmarks/ on Apache Kafka, within 30 minutes (ARGS: of python -m benchmarks)
	@$(BIN)/python -m benchmarks $(ARGS)

bench-quick: $(BIN)/.dev-installed ## the same in short, within 5 minutes
	@$(BIN)/python -m benchmarks --quick $(ARGS)

day: $(BIN)/.dev-installed ## a simulated day with known drifts at all stations, judged (ARGS: --customers, --seed, --json)
	@$(BIN)/python -m benchmarks.day $(ARGS)

bench-checks: $(BIN)/.dev-installed ## what ever more checks cost the audit (ARGS: --quick, --profile NAME)
	@$(BIN)/python -m benchmarks.checks $(ARGS)

soak: $(BIN)/.dev-installed ## half an hour under 70 % load (ARGS: --minutes, --clickhouse-away, --broker-away, --quick, ...)
	@$(BIN)/python -m benchmarks.soak $(ARGS)

lock: ## resolve the versions anew into the lock files (ARGS="--upgrade": newest ones)
	@set -e; uv=$$(mktemp -d); trap 'rm -rf "$$uv"' EXIT; $(find_python); \
	"$$python" -m venv "$$uv"; "$$uv/bin/python" -m pip --disable-pip-version-check --quiet install uv; \
	compile() { "$$uv/bin/uv" pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --custom-compile-command "make lock" $(ARGS) "$$@"; }; \
	compile --extra embedded --group build -o requirements.lock pyproject.toml; \
	compile --extra embedded --group dev -c requirements.lock -o requirements-dev.lock pyproject.toml; \
	compile --group pyproject.toml:quix -o benchmarks/requirements-quix.lock

clean: ## remove .venv and what tools leave behind
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Sets $$python to the first that runs, is 3.11 to 3.13 and has venv: a name on PATH proves nothing.
define find_python
python=; for each in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
  if "$$each" -c '$(SUITABLE)' >/dev/null 2>&1; then python=$$each; break; fi; \
done; \
if [ -z "$$python" ]; then \
  echo "Yupan needs Python 3.11, 3.12 or 3.13 with venv, and found none. Install one (Debian, Ubuntu:" >&2; \
  echo "apt-get install python3 python3-venv) or name one: make PYTHON=/path/to/python3.12 ..." >&2; \
  exit 1; \
fi
endef

# Hashes are checked, nothing is compiled; yupan itself is linked into .venv, so edits count at once.
define install_locked
$(BIN)/python -c '' 2>/dev/null || { $(find_python); rm -rf .venv; \
  "$$python" -m venv .venv || { rm -rf .venv; exit 1; }; }
@echo "installing from $< (the first time: some minutes)" >&2
@$(PIP) install --require-hashes --only-binary :all: -r $< >&2
@$(PIP) install --no-deps --no-build-isolation --no-index --editable . >&2
endef

$(BIN)/.run-installed: requirements.lock
	@$(install_locked)
	@touch $@

# The development lock holds all of the other one, in the same versions.
$(BIN)/.dev-installed: requirements-dev.lock requirements.lock
	@$(install_locked)
	@touch $(BIN)/.run-installed $@
