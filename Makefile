# The two commands of the README, and what developers need beside them.
#
# VENV is the environment that everything runs in. Where it does not exist it is made, and then kept in step with
# pyproject.toml and the pins. An environment that somebody else made is used as it is:  make demo VENV=$CONDA_PREFIX
VENV ?= .venv
# First interpreter that starts and is new enough; PYTHON=/path/to/python overrides it.
PYTHON ?= $(shell for python in python3.11 python3 python3.13 python3.12; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
# Tested versions, where they are written down for this Python.
PINS = $(shell f=constraints/py$$($(PYTHON) -c 'import sys; print("%d%d" % sys.version_info[:2])').txt; \
	test -f $$f && echo -c $$f)
OUT ?= demo
# Tests wait for servers and processes of their own: one process more than cores keeps the cores busy.
PROCESSES ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 4 ? n + 1 : 4)))

BIN := $(VENV)/bin
OURS := $(VENV)/.made-by-glaciolake
NEEDS := pyproject.toml $(wildcard constraints/*.txt)

.DEFAULT_GOAL := help
.PHONY: help foreign demo test test-helm test-cluster helm lint format docs constraints clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# Somebody else's environment has no mark of ours and is never installed into.
ifneq ($(and $(wildcard $(BIN)/python),$(if $(wildcard $(OURS)),,foreign)),)
DEMO_READY := foreign
TEST_READY := foreign
else
DEMO_READY := $(VENV)/.ready-demo
TEST_READY := $(VENV)/.ready-test
endif

foreign:
	@test -x $(BIN)/glaciolake || { echo "$(VENV) was not made by this Makefile and holds no glaciolake; remove it, or install into it: $(BIN)/python -m pip install $(PINS) -e '.[dev,openvino,torch]'"; exit 1; }

$(OURS):
	@test -n "$(PYTHON)" || { echo "glaciolake needs Python 3.11 or newer and found none; install one, or name it: make demo PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.ready-demo: $(NEEDS) | $(OURS)
	@echo "Installing into $(VENV): a minute or two the first time"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PINS) -e '.[openvino]'
	@touch $@

$(VENV)/.ready-test: $(NEEDS) | $(OURS)
	@echo "Installing into $(VENV): a minute or two the first time"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PINS) -e '.[dev,openvino,torch]'
	@touch $(VENV)/.ready-demo $@

demo: $(DEMO_READY) ## simulate an archive, run the chain over it, draw the lake: no network, no account
	$(BIN)/glaciolake demo --out $(OUT)

test: lint helm ## lint, types and the whole test suite, offline
	$(BIN)/python -m pytest -q --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder

helm: $(TEST_READY)
	@$(BIN)/python tests/helm/fetch.py build/helm

test-helm: helm ## the Helm chart: helm 3 and 4, Kubernetes' schemas, policies, every refusal
	$(BIN)/python -m pytest -q tests/helm

test-cluster: helm ## the image and the chart in real containers, on a model of Kubernetes; as root, Debian
	tests/k8s/prepare.sh $(BIN)/python
	$(BIN)/python -m tests.k8s

lint: $(TEST_READY) ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(TEST_READY) ## let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(TEST_READY) ## write the pages that are generated
	$(BIN)/python docs/write_variables.py
	$(BIN)/python docs/write_chart.py

constraints: ## resolve every extra anew and write the pins of this Python
	rm -rf build/pins && $(PYTHON) -m venv build/pins
	build/pins/bin/python -m pip install --quiet --disable-pip-version-check \
	  -e '.[dev,gateway,notebook,openvino,s3,stackstac,torch]'
	build/pins/bin/python constraints/write.py

clean: ## remove what the commands above made, but not the stores you filled
	rm -rf build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@test ! -f $(OURS) || rm -rf $(VENV)
