# Every target sets up what it needs; nothing is installed outside this folder.
PYTHON ?= python3
VENV := .venv
VENV_PYTHON := $(if $(filter Windows_NT,$(OS)),Scripts/python.exe,bin/python)
PY := $(VENV)/$(VENV_PYTHON)
SUPPORTED := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
# Not empty if the environment was made with a Python that is too old, or that is gone.
STALE := $(if $(wildcard $(VENV)),$(shell $(PY) $(SUPPORTED) 2>/dev/null || echo $(PY)))
PIP_INSTALL := -m pip --disable-pip-version-check --quiet install

# Whatever the environment says: each process of the tests would compile what it imports again.
export PYTHONDONTWRITEBYTECODE :=

NODE := tests/node/node_modules/ready
PEERS := tests/peers

# The image is built and run by Docker or Podman. Podman drops the health check without
# `--format docker`:  make image-test CONTAINER=podman IMAGE_BUILD_FLAGS='--format docker'
# As root where containers are not allowed all they want (a sandbox, a CI job), also:
#   IMAGE_BUILD_FLAGS='--format docker --isolation chroot --network host'
#   IMAGE_RUN_FLAGS='--runtime runc --ulimit nofile=1024:1024 --ulimit nproc=1024:1024'
CONTAINER ?= docker
IMAGE ?= mockvoice
IMAGE_BUILD_FLAGS ?=
IMAGE_RUN_FLAGS ?=

# uv resolves once for all platforms and Pythons, where pip-compile resolves for those that it runs
# on. It writes requirements with hashes, which any pip installs, where only uv installs a uv.lock.
# Locked versions stay as long as pyproject.toml permits them; `make lock LOCK_FLAGS=--upgrade` takes
# the newest ones.
LOCK_FLAGS ?=
LOCK := UV_CUSTOM_COMPILE_COMMAND='make lock' $(PY) -m uv pip compile --quiet --universal \
	--python-version 3.11 --fork-strategy fewest --generate-hashes $(LOCK_FLAGS)
OLD_SDKS := tests/sdk/old_editions.lock
SCHEMATHESIS := tests/fuzz/schemathesis.lock
FUZZ_REQUESTS ?= 100000
MUTANTS ?= 200
# The markers of packages that are locked for Python 3.12 only because Supertone's SDK declares it.
SUPERTONE_MARKER := ^((supertone|(python-)?dotenv)==[^ ]+) ; python_full_version >= '3\.12'

# Programs that some tests need, with the names of their Debian packages.
PROGRAMS := redis-server chromium

.PHONY: help run test test-fast programs node languages sdk-matrix vendor-tests format check bench \
	bench-peers fuzz schemathesis mutants nightly lock dist check-tag base image image-test clean

help:                     ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' Makefile | expand -t 16

run: $(VENV)/run          ## serve all providers on http://127.0.0.1:4010
	$(PY) -m mockvoice serve

# The plugin and its tests measure the package while it is imported, so coverage starts with Python.
test: $(VENV)/dev .venv-old/ready $(NODE)  ## run every test that this machine can run, with coverage
	$(PY) -m pytest -n auto --durations=10 --cov --cov-report=term:skip-covered

# Three workers for two cores, because some tests wait; each one more collects all tests once more.
test-fast: $(VENV)/dev    ## run the tests that need no network, no package installs and no SDKs
	$(PY) -m pytest -n 3 --dist worksteal --hypothesis-profile=fast -m 'not slow and not network and not redis' --ignore=tests/sdk

programs:                 ## install what some tests need, on Debian and Ubuntu: redis-server, chromium
	@missing=; for program in $(PROGRAMS); do \
		command -v $$program >/dev/null || missing="$$missing $$program"; \
	done; \
	test -z "$$missing" || { \
		sudo=; test "$$(id -u)" = 0 || sudo=sudo; \
		$$sudo apt-get update -qq && \
		$$sudo env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $$missing; \
	}

node: $(VENV)/dev $(NODE)  ## run the stories of the Node SDKs
	$(PY) -m pytest tests/sdk/test_node.py

languages: $(VENV)/dev    ## run the test helpers for Go and Java, where these are installed
	$(PY) -m pytest -rs tests/languages.py

sdk-matrix: $(VENV)/dev   ## tell one story with each SDK and client in pinned versions: CLIENTS='node go'
	$(PY) -m tests.matrix.run $(CLIENTS)

vendor-tests: $(VENV)/dev  ## run the generated tests in a checkout of a vendor's SDK: SDK=path
	$(PY) -m tests.vendor.run '$(SDK)'

format: $(VENV)/dev       ## format the code and fix what lint can fix
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

check: $(VENV)/dev        ## check formatting, lint and types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

bench: $(VENV)/dev        ## compare the speed with plain Starlette, and the stores with each other
	$(PY) -m tests.bench
	$(PY) -m tests.bench_stores

bench-peers: $(VENV)/dev $(PEERS)/target/ready $(PEERS)/node_modules/ready  ## compare the speed with WireMock, MockServer and Prism
	$(PY) -m tests.bench_peers

fuzz: $(VENV)/dev         ## send mutated requests to a server process and report what it did
	$(PY) -m tests.fuzz.fuzzer --requests $(FUZZ_REQUESTS)

schemathesis: $(VENV)/dev .venv-schemathesis/ready  ## test the contracts with Schemathesis
	$(PY) -m tests.fuzz.conformance

mutants: $(VENV)/dev      ## change a random sample of the code; print the changes that no test notices
	$(PY) -m tests.mutants --sample $(MUTANTS)

nightly: image-test bench bench-peers node languages sdk-matrix fuzz  ## run everything that takes too long for every push

lock: $(VENV)/dev         ## write the lock files from pyproject.toml
	$(LOCK) pyproject.toml --extra tls --extra upstream --group dev --output-file dev.lock
	$(LOCK) pyproject.toml --extra redis --extra tls --extra upstream --constraint dev.lock --output-file image.lock
	$(LOCK) --group build --constraint dev.lock --output-file build.lock
	$(LOCK) --group old-sdks --output-file $(OLD_SDKS)
	$(LOCK) --group schemathesis --output-file $(SCHEMATHESIS)
	sed -E -i.orig "s/$(SUPERTONE_MARKER)/\1/" dev.lock $(OLD_SDKS)
	rm dev.lock.orig $(OLD_SDKS).orig

dist: $(VENV)/run         ## build the wheel and the sdist
	$(PY) -m hatchling build

check-tag: $(VENV)/run    ## check that a release tag names this version: make check-tag TAG=v0.1.0
	test "$$TAG" = "v$$($(PY) -m hatchling version)"

base:                     ## print the base image with its current digest: base=python:3.13-slim@sha256:...
	@tag=$$(sed -n 's/^ARG BASE=//p' Dockerfile) && \
	digest=$$($(CONTAINER) buildx imagetools inspect --format '{{print .Manifest.Digest}}' "$$tag") && \
	echo "base=$$tag@$$digest"

image:                    ## build the container image
	$(CONTAINER) build $(IMAGE_BUILD_FLAGS) --tag $(IMAGE) .

image-test: image $(VENV)/dev  ## build the image, run it and measure its size
	CONTAINER='$(CONTAINER)' IMAGE='$(IMAGE)' IMAGE_RUN_FLAGS='$(IMAGE_RUN_FLAGS)' \
		$(PY) -m pytest -s tests/image.py

clean:                    ## delete everything that make has installed or built
	rm -rf $(VENV) .venv-old .venv-schemathesis .sdks tests/node/node_modules \
		$(PEERS)/node_modules $(PEERS)/target dist

$(PY):
	@$(PYTHON) $(SUPPORTED) || { \
		echo "mockvoice needs Python 3.11 or newer, but '$(PYTHON) --version' says:" \
			"$$($(PYTHON) --version 2>&1). Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" \
			>&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

.PHONY: $(STALE)

$(VENV)/run: pyproject.toml build.lock image.lock $(STALE) | $(PY)
	$(PY) $(PIP_INSTALL) --require-hashes -r build.lock -r image.lock
	$(PY) $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/dev: dev.lock $(VENV)/run
	$(PY) $(PIP_INSTALL) --require-hashes --ignore-requires-python -r dev.lock
	touch $@

# Two versions of one SDK live in two environments.
.venv-old/ready: $(OLD_SDKS)
	$(PYTHON) -m venv .venv-old
	.venv-old/$(VENV_PYTHON) $(PIP_INSTALL) --require-hashes --ignore-requires-python --no-deps -r $<
	touch $@

.venv-schemathesis/ready: $(SCHEMATHESIS)
	$(PYTHON) -m venv .venv-schemathesis
	.venv-schemathesis/$(VENV_PYTHON) $(PIP_INSTALL) --require-hashes -r $<
	touch $@

# Where there is no npm the tests that want it fail, and say so; the others still run.
$(NODE): tests/node/package.json tests/node/package-lock.json
	@if command -v npm >/dev/null; then \
		cd tests/node && npm ci --engine-strict --loglevel=error --no-audit --no-fund && \
		touch node_modules/ready; \
	else \
		echo "npm is missing: install Node.js 20 or newer with npm for the tests of its SDKs"; \
	fi

# The servers that bench-peers compares, in fixed versions. They need Node.js, and Java with Maven.
$(PEERS)/node_modules/ready: $(PEERS)/package.json $(PEERS)/package-lock.json
	cd $(PEERS) && npm ci --loglevel=error --no-audit --no-fund && touch node_modules/ready

$(PEERS)/target/ready: $(PEERS)/pom.xml
	cd $(PEERS) && mvn --quiet --batch-mode dependency:copy && touch target/ready
