# Every target sets up what it needs: a Python 3.11 or newer, git and make are enough.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# One more than there are processors: some tests wait for a real container, or for its five seconds.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 1) + 1)
PYTEST_ARGS ?=
# What the campaigns of `make soak` have together (tests/soak.py); unlimited if empty.
MINUTES =
# Whatever asks tests/soak.py for a quantity.
SOAK = $(shell grep -rlE '^from tests.soak import' tests --include='test_*.py')

# Runs a command as on another machine: after what is said of its mounts, which nobody else sees.
AS = COSI_REQUIRE_COMPONENTS=1 unshare --mount sh -c '$(1) && exec "$$0" "$$@"'
# What needs no minutes, no root and no containers.
QUICK = -m 'not (lengthy or root or runc or crun)' tests/cosi tests/resources tests/controllers
UV = .venv/tools/bin/uv
CONTAINERS = $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m 'runc or crun'

EXAMPLE = --root examples/rootfs --fixtures examples/online.yaml
# What README.md has typed before the commands that ask it.
ASKING = export PATH=$$PWD/.venv/bin:$$PATH COSI_SOCKET=$$PWD/examples/rootfs/run/cosi/cosi.sock

# The suite starts the program a hundred times: it is compiled once, and never into the tree.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX = $(CURDIR)/.venv/pycache

.DEFAULT_GOAL := help
.PHONY: help demo run check test plain soak unified legacy coverage lint format bench generate man clean
.PHONY: build release-check lowest interpreters audit

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

demo: .venv/.run ## the example machine, until everything runs; then it is stopped in order
	@$(BIN)/cosi run $(EXAMPLE) --once

run: .venv/.run ## the example machine in the foreground; Ctrl-C stops it in order
	@echo 'In another terminal, before any other cosi command: $(ASKING)' >&2
	@$(BIN)/cosi run $(EXAMPLE)

check: lint test ## what every change has to pass

test: .venv/.dev ## the whole test suite
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

plain: .venv/.dev ## the framework's suite without what was compiled, as where there is no compiler
	@COSI_PURE_PYTHON=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests/cosi $(PYTEST_ARGS)

soak: .venv/.dev ## what is a matter of quantity, all of it, or in MINUTES=10 what can be done in them
	@COSI_SOAK=1 COSI_SOAK_MINUTES=$(MINUTES) $(BIN)/python -m pytest --timeout 600 -n $(WORKERS) --dist worksteal $(SOAK) $(PYTEST_ARGS)

unified: .venv/.dev ## as root: real containers of runc and crun, as on a machine with cgroup v2 alone
	@$(call AS,umount --lazy /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup) $(CONTAINERS) $(PYTEST_ARGS)

# crun goes by what the kernel tells, and writes where v2 was: into a directory that goes with us.
legacy: .venv/.dev ## on a hybrid machine, the same as on one with cgroup v1 alone
	@$(call AS,umount /sys/fs/cgroup/unified && mount -t tmpfs none /sys/fs/cgroup/unified) $(CONTAINERS) $(PYTEST_ARGS)

coverage: .venv/.dev ## the suite once more, with the 95 % promise of cosi/ checked
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --cov --cov-report=term:skip-covered --cov-fail-under=95 $(PYTEST_ARGS)

lint: .venv/.dev ## ruff, mypy --strict, pyright, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: .venv/.dev ## rewrite the files as ruff would have them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.dev ## everything compared side by side, as ratios
	@$(BIN)/python -m benchmarks

lowest: .venv/.tools ## the quick part of the suite, and the demo, on the lowest versions that pyproject.toml allows
	@rm -rf .venv/lowest && $(UV) venv --quiet --python $(BIN)/python .venv/lowest
	@$(UV) pip compile --quiet --no-header --no-annotate --resolution lowest-direct --extra test \
		--python $(BIN)/python pyproject.toml >.venv/lowest.txt
	@$(UV) pip install --quiet --python .venv/lowest --requirement .venv/lowest.txt
	@$(UV) pip install --quiet --python .venv/lowest --no-deps --editable .
	@.venv/lowest/bin/cosi run $(EXAMPLE) --once
	@.venv/lowest/bin/python -m pytest -n $(WORKERS) --dist worksteal $(QUICK) $(PYTEST_ARGS)

interpreters: .venv/.tools ## the framework's suite on every Python from 3.11 that is on the PATH
	@for name in $$(printf 'python3.%s ' $$(seq 11 30)); do \
		$$name -c '' 2>/dev/null || continue; \
		echo "== $$name: $$($$name --version)"; \
		rm -rf .venv/$$name && $(UV) venv --quiet --python "$$(command -v $$name)" .venv/$$name && \
		$(UV) pip install --quiet --python .venv/$$name --editable '.[test]' && \
		.venv/$$name/bin/python -m pytest -n $(WORKERS) --dist worksteal tests/cosi $(PYTEST_ARGS) || exit 1; \
	done

build: .venv/.tools ## a source distribution and a wheel, in dist/
	@rm -rf dist && $(UV) build --quiet --python $(BIN)/python --out-dir dist && ls dist

release-check: .venv/.tools ## build both, and use them in scratch environments as a stranger would
	@.ci/release-check

audit: .venv/.tools ## which installed packages have known vulnerabilities
	@$(BIN)/python .ci/audit

generate: .venv/.dev ## cosi/api/*_pb2.py again, from the .proto files
	@$(BIN)/python -m cosi.api.generate

man: .venv/.dev ## man/*.1 again, from the commands and their help
	@$(BIN)/python -m cosi.cli.man man

clean: ## what the targets above made
	rm -rf .venv build dist cosi/resource/_fields/*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

.venv/.made:
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer on the PATH; say PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "$(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	@touch $@

.venv/.run: .venv/.made pyproject.toml cosi/resource/_fields/compiled.c
	@echo "installing cosi into .venv ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[grpc]' # it serves, and is asked
	@touch $@

.venv/.dev: .venv/.made pyproject.toml cosi/resource/_fields/compiled.c
	@echo "installing cosi and its development tools into .venv ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@$(BIN)/python -m pytest --collect-only -q >/dev/null || true # compiled once, not by each worker
	@$(BIN)/python -m tests.interop.toolchain
	@touch $@ .venv/.run

.venv/.tools: .venv/.dev
	@echo "installing uv, twine and pip-audit into .venv/tools ..." >&2
	@$(BIN)/python -m venv .venv/tools
	@.venv/tools/bin/python -m pip install --quiet --disable-pip-version-check uv
	@$(UV) pip install --quiet --python .venv/tools --group tools
	@touch $@
