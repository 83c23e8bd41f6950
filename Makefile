# The front door. `make` alone says what there is; CMakePresets.json has the configurations behind it.

PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 20
ARGS ?= lab
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

BOOTSTRAP := tools/bootstrap.sh
BUILD = cmake --build --preset $(1) --parallel $(JOBS)
TEST = $(if $(filter tsan,$(1)),$(FIXED_ADDRESSES)) ctest --preset $(1) --parallel $(JOBS)

# TSan wants memory where it expects it; kernels that scatter mappings widely break GCC 12's.
FIXED_ADDRESSES = $(shell setarch -R true 2>/dev/null && echo setarch -R)

##@ Every day

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
	    /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	    /^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf '\nVariables: PREFIX=%s DESTDIR=%s ARGS="%s" JOBS=%s FUZZ_SECONDS=%s\n' \
	    '$(PREFIX)' '$(DESTDIR)' '$(ARGS)' '$(JOBS)' '$(FUZZ_SECONDS)'

.PHONY: run
run: build ## Build, and run the experiment that ferry was born from (ARGS="lab --num 3" for another)
	build/release/cli/ferry $(ARGS)

.PHONY: build
build: bootstrap-run build/release/build.ninja ## Build everything, optimised, in build/release
	$(call BUILD,release)

.PHONY: test
test: bootstrap-test build ## Build and run the tests
	$(call TEST,release)

.PHONY: check
check: bootstrap-check check-format check-static check-release check-dev check-tsan check-ucontext \
	check-clang check-aarch64 check-valgrind check-fuzz ## Everything below: what a release must pass
	@echo 'check: all is well'

.PHONY: bench
bench: bootstrap-bench $(if $(BENCH_ALL),bootstrap-bench-all) build ## Measure (WORK=get-64,https-* ROUNDS=5 BASE=revision BENCH_ALL=1)
	WORK='$(WORK)' ROUNDS='$(ROUNDS)' BASE='$(BASE)' BENCH_ALL='$(BENCH_ALL)' KEEP='$(KEEP)' tools/bench.sh

.PHONY: install
install: build ## Install what was built to PREFIX (below DESTDIR)
	DESTDIR='$(DESTDIR)' cmake --install build/release --prefix '$(PREFIX)'
	if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" -eq 0 ] && command -v ldconfig >/dev/null; then ldconfig; fi

.PHONY: format
format: bootstrap-format ## Format the C files in place
	tools/format.sh

.PHONY: clean
clean: ## Remove build/
	rm -rf build

##@ The parts of make check

.PHONY: check-format
check-format: bootstrap-format ## Is every C file formatted?
	tools/format.sh --check

.PHONY: check-static
check-static: bootstrap-check build/clang/build.ninja ## The house's rules, clang-tidy, cppcheck, shellcheck
	tools/check-house.sh
	tools/check-static.sh build/clang

.PHONY: check-release check-dev check-tsan check-ucontext check-clang
check-release: bootstrap-test ## The tests, optimised
check-dev: bootstrap-test ## The tests under ASan and UBSan
check-tsan: bootstrap-test ## The tests under TSan
check-ucontext: bootstrap-test ## The tests with tasks switched by ucontext
check-clang: bootstrap-check ## The tests, built by clang
check-release check-dev check-tsan check-ucontext check-clang: check-%: build/%/build.ninja
	$(call BUILD,$*)
	$(call TEST,$*)

.PHONY: check-aarch64
check-aarch64: bootstrap-aarch64 sysroot-aarch64 build/aarch64/build.ninja ## The tests, built for AArch64, under qemu
	$(call BUILD,aarch64)
	$(call TEST,aarch64)

.PHONY: check-valgrind
check-valgrind: bootstrap-check build ## The tests that are meant for it, under Valgrind
	$(call TEST,valgrind)

.PHONY: check-fuzz
check-fuzz: bootstrap-fuzz build/fuzz/build.ninja ## Each fuzzer for FUZZ_SECONDS
	$(call BUILD,fuzz)
	tools/fuzz.sh $(FUZZ_SECONDS)

# What is missing is installed (Debian, Ubuntu) or named; with all there, this takes no time.
.PHONY: bootstrap-run bootstrap-test bootstrap-check bootstrap-bench bootstrap-bench-all bootstrap-format bootstrap-aarch64 bootstrap-fuzz
bootstrap-run bootstrap-test bootstrap-check bootstrap-bench bootstrap-bench-all bootstrap-format bootstrap-aarch64 bootstrap-fuzz: bootstrap-%:
	@$(BOOTSTRAP) $*

.PHONY: sysroot-aarch64
sysroot-aarch64: bootstrap-aarch64
	@tools/aarch64-sysroot.sh

build/aarch64/build.ninja: | sysroot-aarch64

# Ninja configures again when a CMakeLists.txt changes, but knows neither of the presets nor of packages
# that were installed since (bootstrap touches this file): a test may have been left out for want of one.
build/packages-installed:
	@mkdir -p build
	@touch $@

build/%/build.ninja: CMakePresets.json build/packages-installed | bootstrap-run
	cmake --preset $*
	@touch $@
