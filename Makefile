# Every target sets up what it needs; nothing is installed outside this folder.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(PY) -m pip install --quiet

NODE := tests/node/node_modules/ready

# The image is built and run by Docker or Podman. Podman drops the health check without
# `--format docker`:  make image-test CONTAINER=podman IMAGE_BUILD_FLAGS='--format docker'
# As root where containers are not allowed all they want (a sandbox, a CI job), also:
#   IMAGE_BUILD_FLAGS='--format docker --isolation chroot --network host'
#   IMAGE_RUN_FLAGS='--runtime runc --ulimit nofile=1024:1024 --ulimit nproc=1024:1024'
CONTAINER ?= docker
IMAGE ?= mockvoice
IMAGE_BUILD_FLAGS ?=
IMAGE_RUN_FLAGS ?=

.PHONY: run test node check bench image image-test clean

run: $(VENV)/run          ## serve all providers on http://127.0.0.1:4010
	$(PY) -m mockvoice serve

test: $(VENV)/dev .venv-old/ready $(NODE)  ## every test
	$(PY) -m pytest

node: $(VENV)/dev $(NODE)  ## the stories of the SDKs for Node
	$(PY) -m pytest tests/sdk/test_node.py

check: $(VENV)/dev        ## formatting, lint and types
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

bench: $(VENV)/dev        ## beside plain Starlette, in one run
	$(PY) -m tests.bench

image:                    ## the container image
	$(CONTAINER) build $(IMAGE_BUILD_FLAGS) --tag $(IMAGE) .

image-test: image $(VENV)/dev  ## build it, run it, and count its size
	CONTAINER='$(CONTAINER)' IMAGE='$(IMAGE)' IMAGE_RUN_FLAGS='$(IMAGE_RUN_FLAGS)' \
		$(PY) -m pytest -s tests/image.py

clean:
	rm -rf $(VENV) .venv-old tests/node/node_modules dist

$(PY):
	$(PYTHON) -m venv $(VENV)

$(VENV)/run: pyproject.toml | $(PY)
	$(PIP) --editable .
	touch $@

# Supertone's SDK declares Python 3.12 and runs on 3.11.
$(VENV)/dev: pyproject.toml $(VENV)/run
	$(PIP) --upgrade "pip>=25.1"
	$(PIP) --group dev
	$(PIP) --ignore-requires-python supertone==0.2.3
	touch $@

# Two versions of one SDK live in two environments. telnyx 4.99.0 is the last that takes the
# documented sample unchanged, retell-sdk 5.57.0 one of those that send `files[]`, and supertone
# 0.1.2 reads the errors of an edition before 0.9.6 (its numpy, for Python 3.12, is not needed).
.venv-old/ready: Makefile
	$(PYTHON) -m venv .venv-old
	PIP_DISABLE_PIP_VERSION_CHECK=1 .venv-old/bin/python -m pip install --quiet \
		telnyx==4.99.0 retell-sdk==5.57.0
	PIP_DISABLE_PIP_VERSION_CHECK=1 .venv-old/bin/python -m pip install --quiet \
		--no-deps --ignore-requires-python supertone==0.1.2
	touch $@

# Where there is no npm the tests that want it fail, and say so; the others still run.
$(NODE): tests/node/package.json tests/node/package-lock.json
	@if command -v npm >/dev/null; then \
		cd tests/node && npm ci --engine-strict --loglevel=error --no-audit --no-fund && \
		touch node_modules/ready; \
	else \
		echo "npm is missing: install Node.js 20 or newer with npm for the tests of its SDKs"; \
	fi
