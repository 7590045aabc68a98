# SPDX-License-Identifier: Apache-2.0
# The front door. Everything behind it is meson's; "make help" lists what there is.

BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
PYTHON   := /usr/bin/python3
MESON    := meson
export CI

.DEFAULT_GOAL := help
.PHONY: help setup build demo test check conformance bench bench-boot fuzz format docs kernel install uninstall deb clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install every Debian package that building and testing need
	@tests/host/setup build demo test

build: ## Build the programs into build/bin
	@tests/host/setup build
	@tests/host/configure $(BUILD)
	@$(MESON) compile -C $(BUILD)
	@mkdir -p $(BUILD)/bin
	@for program in vmm/main/volt-vmm vmm/main/volt-debug volt/volt rootfs/volt-init/volt-init stellarium/cli/stellarium; do \
		ln -f $(BUILD)/$$program $(BUILD)/bin/; done
	@ln -f $(BUILD)/vmm/main/volt-vmm $(BUILD)/bin/firecracker

demo: ## Boot Linux, run a command in it, power off
	@tests/host/setup build demo
	@$(MAKE) --no-print-directory build
	@tests/host/demo

check: ## Unit tests under sanitizers, layers, sizes, format: no KVM, under a minute
	@tests/host/setup build test
	@$(PYTHON) tests/run check

test: ## Everything: check, other compilers, bare guests, real Linux guests
	@tests/host/setup build demo test
	@$(MAKE) --no-print-directory build
	@$(PYTHON) tests/run test

conformance: build ## Walk an API description that others publish, SPEC=FILE, against volt-vmm
	@tests/host/setup build test
	@$(PYTHON) tests/conformance "$(SPEC)"

bench: build ## Every figure, side by side with a peer
	@tests/host/setup demo test bench
	@bench/run

bench-boot: build ## exec to init, by phases
	@bench/boot

fuzz: ## Ten minutes on every fuzz target (FUZZ_SECONDS=600, FUZZ_TARGETS=all)
	@tests/host/setup build test
	@tests/host/fuzz

kernel: ## Build our small guest kernel (cached)
	@tests/host/setup build demo test
	@kernel/build

format: ## Format every C file
	@git ls-files -co --exclude-standard '*.[ch]' | xargs clang-format -i

docs: ## Write docs/settings.md and the APIs' descriptions from the rows of settings and endpoints
	@tests/host/setup build
	@tests/host/configure $(BUILD)
	@$(MESON) compile -C $(BUILD) settings.md openapi.json firecracker-openapi.json
	@cp $(BUILD)/packaging/settings.md $(BUILD)/volt/openapi.json $(BUILD)/volt/firecracker-openapi.json docs/

install: build ## Install under PREFIX (and DESTDIR)
	@packaging/install "$(BUILD)" "$(DESTDIR)" "$(PREFIX)"

uninstall: ## Remove what install put there
	@packaging/uninstall "$(DESTDIR)" "$(PREFIX)"

deb: build ## A Debian package in build/
	@packaging/deb "$(BUILD)"

clean: ## Remove every build directory
	@rm -rf build build-*
