# Every command sets up what it needs by itself (tools/setup.sh). `make` alone lists them.
BIN := .venv/bin
EXAMPLE := manifests/examples/app-store.yaml
CRD := crds/trafficsimulations.diurnal.dev.yaml
REFERENCE := docs/reference.md
METRICS := docs/metrics.md
INSTALLED := tools/requirements manifests/install.yaml charts/diurnal/objects
CODE := api operator worker cli benchmarks tests
# Two processes; a file stays in one, with what its tests share, and long files come first (tests/conftest.py).
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
# The tests of what decides; those in tests/system watch processes, which coverage does not see.
PURE := tests/api tests/worker tests/operator tests/cli
.DEFAULT_GOAL := help

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Make .venv with all that is needed; the other commands do it by themselves
	@tools/setup.sh dev

.PHONY: demo
demo: ## One simulated day of the whole world into out/, in under two minutes
	@tools/setup.sh run
	@echo "This runs on this machine and writes files: it costs nothing."
	@$(BIN)/diurnal run $(EXAMPLE) --for 1d --set budget.maxMessagesPerSecond=Unlimited

.PHONY: test
test: setup ## All tests that need no cluster and no compiling, some eight minutes on two cores
	$(PYTEST)

TIMES ?= 10
.PHONY: search
search: setup ## Other examples for the properties than `make test` has, TIMES=10 times over; a minute or two each
	@for time in $$(seq $(TIMES)); do \
		echo "search: $$time of $(TIMES)"; \
		$(PYTEST) -q --hypothesis-profile=search -m hypothesis $(PURE) || exit 1; \
	done

CLUSTER ?= tests/cluster
.PHONY: cluster-test
cluster-test: setup ## Tests on a real Kubernetes API server, which is compiled once (Go, etcd, kubectl)
	$(PYTEST) $(CLUSTER)

.PHONY: e2e
e2e: setup ## Tests on a real node: KUBECONFIG's cluster, kind's, or one of our own without Docker (root, Debian)
	$(BIN)/python -m pytest tests/e2e -p no:randomly -s

.PHONY: reliability
reliability: setup ## Five million events through every fault, on a node of our own; writes docs/reliability.md
	DIURNAL_RELIABILITY=1 $(BIN)/python -m pytest tests/e2e/test_reliability.py tests/e2e/test_throughput.py \
		-p no:randomly -s

.PHONY: scale
scale: setup ## Measure the operator with 1,000 shards on fake nodes of a real API server, into docs/scale.md
	$(BIN)/python tests/cluster/scale.py --into docs/scale.md

.PHONY: check
check: lint types arrows fresh coverage ## Lint, types, arrows, generated files, tests with coverage

.PHONY: lint
lint: setup ## Style of code, scripts and Dockerfiles: ruff, shellcheck, hadolint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/shellcheck $$(git ls-files | xargs awk 'FNR == 1 && /^#!\/bin\/(ba)?sh/ {print FILENAME} {nextfile}')
	$(BIN)/hadolint Dockerfile.worker Dockerfile.operator

# In several runs, for mypy takes the conftest files of several test folders for one module.
.PHONY: types
types: setup ## Types: mypy, strictly
	$(BIN)/mypy $(CODE) --exclude '^tests/(cluster|e2e|operator)/'
	$(BIN)/mypy tests/cluster
	$(BIN)/mypy tests/e2e
	$(BIN)/mypy tests/operator

.PHONY: arrows
arrows: setup ## Which package may import which: import-linter
	$(BIN)/lint-imports

.PHONY: fresh
fresh: setup ## Are the generated files those that the models generate?
	@$(BIN)/python -m diurnal_cli.crd | diff -u $(CRD) - || { echo "$(CRD) is stale: make generate"; exit 1; }
	@$(BIN)/python -m diurnal_cli.reference | diff -u $(REFERENCE) - || { echo "$(REFERENCE) is stale: make generate"; exit 1; }
	@$(BIN)/python -m diurnal_cli.metrics_page | diff -u $(METRICS) - || { echo "$(METRICS) is stale: make generate"; exit 1; }
	@made=$$(mktemp -d) && trap 'rm -rf "$$made"' EXIT && \
	tools/requirements.sh "$$made/tools/requirements" && $(BIN)/python tools/manifests.py "$$made" && \
	for it in $(INSTALLED); do diff -ru $$it "$$made/$$it" || { echo "$$it is stale: make generate"; exit 1; }; done

.PHONY: coverage
coverage: setup ## The tests of the pure modules, with branch coverage
	$(PYTEST) --cov --cov-report=term $(PURE)

.PHONY: format
format: setup ## Format the code and repair what ruff can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: generate
generate: setup ## Write the generated files anew
	$(BIN)/python -m diurnal_cli.crd > $(CRD)
	$(BIN)/python -m diurnal_cli.reference > $(REFERENCE)
	tools/requirements.sh
	$(BIN)/python -m diurnal_cli.metrics_page > $(METRICS)
	$(BIN)/python tools/manifests.py

.PHONY: images
images: ## Build both images (BUILDER=docker|podman|buildah, BASE_IMAGE=...; see tools/images.sh)
	@tools/images.sh build

.PHONY: push
push: ## Push them to REGISTRY=..., or load them into kind
	@tools/images.sh push

.PHONY: install
install: ## Write out/install.yaml with what was pushed, and apply it to the cluster of kubectl
	@tools/images.sh install

.PHONY: bench-quick
bench-quick: ## This worker beside a textbook loop, in under a minute
	@tools/setup.sh run
	$(BIN)/python benchmarks/quick.py

EVENTS ?= 1e9
# Only the whole run changes the page that is kept.
FIDELITY := $(if $(filter 1e9,$(EVENTS)),docs,out/fidelity)
.PHONY: fidelity
fidelity: setup ## 10^9 events under all statistical tests, into docs/fidelity.md (EVENTS=1e7: into out/)
	PYTHONPATH=tests/fidelity:tests/worker $(BIN)/python -m diurnal_fidelity --events $(EVENTS) \
		--to $(FIDELITY) --json out/fidelity/fidelity.json

.PHONY: bench-guard
bench-guard: ## bench-quick, and a failure where a figure is far below what it was: for CI
	@tools/setup.sh run
	$(BIN)/python benchmarks/quick.py --guard

.PHONY: bench
bench: ## Everything measured, five rounds and more; writes docs/performance.md
	@tools/setup.sh bench
	$(BIN)/python benchmarks/full.py

.PHONY: clean
clean: ## Remove what the commands have made: .venv, out, caches
	rm -rf .venv out dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
