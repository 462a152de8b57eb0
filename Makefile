# The two commands are `make demo` and `make test`; each does all its own set-up.
VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin
SOURCES := recsys training serving data tests benchmarks dapei.py

# As in dapei.py: one thread for small equations. The tests load numpy without that command.
export OPENBLAS_NUM_THREADS = 1

.PHONY: demo test test-all check format lock clean help

help:
	@echo "make demo      set up, then import, train, evaluate and serve the sample shop"
	@echo "make test      set up, then check format, lint and types and run the tests"
	@echo "make test-all  the same with the slow fault tests"
	@echo "make format    rewrite the sources in the house format"
	@echo "make lock      pin the dependencies anew"
	@echo "make clean     remove what the other targets made"

$(READY): requirements.lock pyproject.toml scripts/setup.sh
	bash scripts/setup.sh $(VENV)
	@touch $@

# DEMO_ONCE=1 stops the service after the lists and exits.
demo: $(READY)
	$(BIN)/python -m training.demo --home .dapei/demo $(if $(DEMO_ONCE),--once)

check: $(READY)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy

# Three at a time on two cores: tests of faults mostly wait.
test: check
	$(BIN)/pytest -n 3 --dist worksteal -m "not nightly"

test-all: check
	$(BIN)/pytest -n 2

format: $(READY)
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

lock: $(READY)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-strip-extras --all-extras --no-header \
		--no-annotate --no-emit-index-url pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .dapei build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
