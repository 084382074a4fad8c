# SPDX-License-Identifier: Apache-2.0

.DEFAULT_GOAL := help
SHELL := /bin/bash

BIN     := bin
ROOMS   := $(patsubst bpf/%/,%,$(wildcard bpf/*/))
OBJECTS := $(foreach r,$(ROOMS),bpf/$(r)/$(r).o)
MULTIARCH := /usr/include/$(shell uname -m)-linux-gnu
# -fdebug-compilation-dir: an object must not depend on where the clone lies.
BPFFLAGS := -O2 -g -Wall -Werror -target bpf -mcpu=v3 -fdebug-compilation-dir=. -Ibpf -I$(MULTIARCH)

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the four commands into bin/ (needs Go and g++)
	@mkdir -p $(BIN)
	CGO_ENABLED=0 go build -o $(BIN)/ ./cmd/ktrace ./cmd/kbench ./cmd/kparquet
	CGO_ENABLED=1 go build -o $(BIN)/ ./cmd/kstat

.PHONY: generate
generate: $(OBJECTS) bpf/README.md ## rebuild the BPF objects and the reference of tables (needs clang)

bpf/%.o: bpf/%.bpf.c bpf/kermit.bpf.h
	clang $(BPFFLAGS) -c $< -o $@
	llvm-strip -g $@

bpf/README.md: $(OBJECTS) $(wildcard cmd/ktrace/*.go trace/*.go)
	go run ./cmd/ktrace list --markdown > $@.tmp && mv $@.tmp $@
