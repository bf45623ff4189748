# Penstock. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)
export CTEST_PARALLEL_LEVEL ?= $(JOBS)

.PHONY: help
help: ## Print this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 20

.PHONY: deps
deps: ## Install what building and running needs (Debian 12, root)
	@tests/support/install-deps.sh

.PHONY: test-deps
test-deps: deps ## Install what only the tests need: peers, real servers, the pieces of a node
	@tests/support/install-test-deps.sh

.PHONY: build
build: ## Build everything, optimised, into build/dev
	cmake --preset dev
	cmake --build --preset dev

.PHONY: run
run: deps ## Serve manifests/demo on this machine, with servers to try it on
	cmake --preset dev
	cmake --build --preset dev --target penstock penstock-controller penstock-proxy penstock-demo
	@tests/support/demo.sh

.PHONY: check
check: build ## The quick tests: unit tests and the rules of the tree
	ctest --preset dev -L unit

.PHONY: test
test: test-deps ## Everything: sanitizers first, then all tests of the optimised build
	@tests/support/run-all.sh

.PHONY: build-arm64
build-arm64: ## Cross-compile everything for arm64 into build/arm64 (installs the compiler)
	tests/support/arm64-sysroot.sh
	cmake --preset arm64
	cmake --build --preset arm64

.PHONY: test-arm64
test-arm64: build-arm64 ## The unit tests of that build in qemu
	tests/support/emulated.sh ctest --preset arm64 -L unit --repeat until-pass:2

.PHONY: bench
bench: build ## CPU time beside nginx, HAProxy and Envoy; then bench-scale (BENCH=full, UNITS=..)
	@tests/support/install-bench-deps.sh
	@status=0; python3 tests/load/bench.py || status=1; \
	if [ -z "$(UNITS)" ] && [ "$(SCALE)" != 0 ]; then \
	  TC=scale python3 tests/load/scale.py || status=1; fi; exit $$status

.PHONY: bench-scale
bench-scale: build ## 10,000 Ingresses on a real API server beside 1,000: what a change costs
	TC=scale python3 tests/load/scale.py

.PHONY: bench-admission
bench-admission: build ## A review of the admission webhook while the controller knows 10,000 Ingresses
	TC=admission python3 tests/load/admission.py

.PHONY: instructions
instructions: build ## Count the instructions of the core paths anew, for tests/instructions/expected.json
	python3 tests/instructions/check.py build/dev/bin/instructions --write

.PHONY: docs
docs: build ## Bring docs/reference in step with the code
	python3 tests/checks/docs.py --write

.PHONY: fuzz
fuzz: ## Fuzz the parsers for FUZZ_SECONDS each (default 600)
	FUZZ_SECONDS=$${FUZZ_SECONDS:-600} cmake --preset asan
	cmake --build --preset asan
	ctest --preset asan -L fuzz --timeout 86400

.PHONY: image
image: ## Build the image from the release build, without an engine, into build/image
	cmake --preset release
	cmake --build --preset release
	tests/support/build-image.sh build/image/penstock.tar

.PHONY: image-from-source
image-from-source: ## The same, compiled inside the image as `docker build` does (minutes)
	tests/support/build-image.sh build/image/penstock-from-source.tar localhost/penstock:source final

.PHONY: image-arm64
image-arm64: ## The image for arm64 with cross-compiled programs; serves a request in qemu
	tests/support/arm64-sysroot.sh
	cmake --preset arm64
	cmake --build --preset arm64 --target penstock penstock-controller penstock-proxy
	tests/support/build-image.sh build/image/penstock-arm64.tar localhost/penstock:arm64 packaged arm64
	ARCHITECTURE=arm64 python3 tests/image/image_test.py
	python3 tests/image/arm64_test.py

.PHONY: image-list
image-list: IMAGE = build/image/penstock.tar
image-list: ## Size and content of the image, or of IMAGE=build/image/penstock-arm64.tar
	@python3 tests/support/image_contents.py list $(IMAGE)

.PHONY: sbom
sbom: IMAGE = build/image/penstock.tar
sbom: ## Its bill of materials as SPDX JSON, beside the archive
	python3 tests/support/image_contents.py sbom $(IMAGE) >$(IMAGE:.tar=.spdx.json)

.PHONY: fmt
fmt: ## Format every C++ file
	git ls-files '*.h' '*.cpp' | xargs clang-format-19 -i

.PHONY: tidy
tidy: ## clang-tidy over the programs; what has not changed since it was clean is not read again
	cmake --preset tidy
	cmake --build --preset tidy --target penstock_pch
	python3 tests/checks/tidy.py

.PHONY: clean
clean: ## Remove the build folder
	rm -rf build
