# SPDX-License-Identifier: Apache-2.0

.DEFAULT_GOAL := help
SHELL := /bin/bash -o pipefail

BIN     := bin
ROOMS   := $(patsubst bpf/%/,%,$(wildcard bpf/*/))
OBJECTS := $(foreach r,$(ROOMS),bpf/$(r)/$(r).o) trace/filter/filter.o
SUDO    := $(if $(filter-out 0,$(shell id -u)),sudo)
VENV    := .venv
DATA    := data
PREFIX  := /usr/local

# A login shell may know nothing of Go: it is looked for where people put it.
export PATH := $(PATH):/usr/sbin:/sbin:/usr/local/go/bin:/usr/lib/go/bin:$(HOME)/go/bin:/snap/bin

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: go
go:
	@command -v go > /dev/null || { echo "make: no Go in the PATH: https://go.dev/dl, or apt-get install golang" >&2; exit 1; }

# Only kstat uses cgo, for DuckDB. With these tags nothing else does, so that
# the others are static, and what all of them need is compiled once.
COMPILE := CGO_ENABLED=1 go build -tags netgo,osusergo

.PHONY: build
build: go page_fault ## build the four commands into bin/ (needs Go and g++)
	@mkdir -p $(BIN)
	$(COMPILE) -o $(BIN)/ ./cmd/...

.PHONY: install
install: ## copy the four commands to $(PREFIX)/bin, where sudo finds them
	install -D -t $(DESTDIR)$(PREFIX)/bin $(addprefix $(BIN)/,ktrace kbench kparquet kstat)

# Without libc: bench/faults/page_fault.c says why.
page_fault: bench/faults/page_fault.c
	gcc -O2 -Wall -static -nostdlib -fno-stack-protector -fno-asynchronous-unwind-tables -s -Wl,-z,noseparate-code -o $@.new $<
	@mv $@.new $@

# One line, and at once, where neither root nor sudo is to be had.
.PHONY: root
root:
	@[ -z "$(SUDO)" ] || $(SUDO) -n true 2> /dev/null || { [ -t 0 ] && $(SUDO) true; } || \
		{ echo "make: this takes root: run it as root, or as a user who may use sudo" >&2; exit 1; }

.PHONY: demo
demo: root build ## record a real job under all four hooks, and show what happened
	@$(COMPILE) -o $(BIN)/fetch ./bench/demo/fetch
	@SUDO="$(SUDO)" bench/demo/demo $(BIN) $(DATA)

.PHONY: test
test: root tools ## run all tests that this kernel can run (as root or with sudo)
	go vet ./...
	go test -count=1 -p 2 -timeout 30m ./...

.PHONY: test-vm
test-vm: tools ## run the rooms' tests on five kernels, four of them in qemu (KERNEL=6.1 for one)
	go run ./internal/vm $(KERNEL)

.PHONY: bench
bench: root build tools $(BIN)/floor/floor.o ## measure against perf, side by side (some minutes; keep the machine quiet)
	gcc -O2 -Wall -pthread -o $(BIN)/faults bench/faults/faults.c
	go build -o $(BIN)/measure ./bench/measure
	$(SUDO) $(BIN)/measure -bin $(BIN) -faults 2000000 -long
	go run ./bench/ycsb/compare

.PHONY: generate
generate: $(OBJECTS) bpf/README.md ## rebuild the BPF objects and the reference of tables (needs clang)

# -fdebug-compilation-dir: an object must not depend on where the clone lies.
define compile
	clang -O2 -g -Wall -Werror -target bpf -mcpu=v3 -fdebug-compilation-dir=. -Ibpf \
		-I/usr/include/$(shell uname -m)-linux-gnu -c $< -o $@
	llvm-strip -g $@
endef

%.o: %.bpf.c bpf/kermit.bpf.h
	$(compile)

$(BIN)/floor/floor.o: bench/floor/floor.bpf.c bpf/kermit.bpf.h
	@mkdir -p $(@D)
	$(compile)

bpf/README.md: $(OBJECTS) $(wildcard cmd/ktrace/*.go trace/*.go)
	go run ./cmd/ktrace list --markdown > $@.tmp && mv $@.tmp $@

# What tests, `make generate` and `make bench` need beside Go and g++.
PACKAGES := clang llvm libbpf-dev linux-perf iperf3 strace qemu-system-x86 busybox-static python3-venv \
	redis-server redis-tools memcached nginx-light wrk stress-ng fio sysbench
PROGRAMS := clang llvm-strip perf iperf3 strace qemu-system-x86_64 busybox \
	redis-server redis-benchmark memcached nginx wrk stress-ng fio sysbench

.PHONY: deps
deps: packages $(VENV)/ready ## install what tests and `make generate` need (Debian packages, a Python venv)

# Tests start servers of their own: what the packages would start (Debian's
# policy-rc.d decides) is not wanted.
POLICY := /usr/sbin/policy-rc.d

.PHONY: packages
packages:
	@missing=; for p in $(PROGRAMS); do command -v $$p > /dev/null || missing=yes; done; \
	python3 -c 'import ensurepip' 2> /dev/null || missing=yes; \
	if [ "$$missing" ]; then \
		$(MAKE) --no-print-directory root && $(SUDO) apt-get update -q || exit; \
		[ -e $(POLICY) ] || { printf '#!/bin/sh\nexit 101\n' | $(SUDO) install -m 755 /dev/stdin $(POLICY); own=yes; }; \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(PACKAGES); code=$$?; \
		[ -z "$$own" ] || $(SUDO) rm -f $(POLICY); exit $$code; \
	fi

.PHONY: tools
tools:
	@for p in $(PROGRAMS) $(VENV)/ready; do \
		command -v $$p > /dev/null || [ -e $$p ] || { $(MAKE) deps; break; }; \
	done

$(VENV)/ready: | packages
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet msgpack numpy polars pyarrow
	touch $@

# The polars of the notebooks' time: 2.0 has taken away what they call.
NOTEBOOK := .venv-notebook

$(NOTEBOOK)/ready: | packages
	python3 -m venv $(NOTEBOOK)
	$(NOTEBOOK)/bin/pip install --quiet polars==1.31.0 ipython pexpect pyarrow matplotlib plotnine numpy
	touch $@

.PHONY: notebook
notebook: root build $(NOTEBOOK)/ready ## run a notebook of KernMLOps' users (or what KERMIT_NOTEBOOK_TOOL names)
	internal/notebook/test $(NOTEBOOK)/bin/python

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN) page_fault

include config/kernmlops.mk
