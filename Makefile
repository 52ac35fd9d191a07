# make run        the app on http://127.0.0.1:7860
# make test-fast  tests without app, network, browser or ../shared
# make test       every test that can run here; as root on Debian it installs Chromium for the browser tests
# make soak       the app under load for minutes, random actions, threads that wait, batches
# make lint       ruff and mypy
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-fast soak lint map chromium

run: $(VENV)/.run
	$(BIN)/python app.py

# Two modules at a time, the long ones of the browser first. A module's tests share what it has started.
test: $(VENV)/.test chromium
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-fast: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not (slow or app or browser or hub or shared)"

soak: $(VENV)/.test
	$(BIN)/python -m benchmarks.reliability
	PENTIMENTO_ACTIONS=100 $(BIN)/python -m pytest -s tests/browser/test_change_of_mind.py
	$(BIN)/python -m benchmarks.waiting
	$(BIN)/python -m benchmarks.batching

lint: $(if $(filter $(VENV)/bin,$(BIN)),$(VENV)/.test)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -f studio/*.pyi  # Gradio writes them on import; they would hide the sources from mypy
	$(BIN)/mypy

# The map in ARCHITECTURE.md, drawn again from the imports.
map: $(VENV)/.test
	$(BIN)/python -m tests.architecture

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -r requirements.txt
	@touch $@

$(VENV)/.test: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -r requirements-dev.txt
	@touch $@ $(VENV)/.run

# Browser tests drive the system's Chromium. They skip, saying so, where there is none.
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Chromium for the browser tests."; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium >/dev/null; \
	  else false; fi; } || echo "Chromium is not installed and could not be; browser tests are skipped."
