# SPDX-License-Identifier: Apache-2.0
#
# The targets that KernMLOps' notebooks call. What ran in a container there runs
# in this folder here. Variables, which the environment may set:
#
#	KERNMLOPS_CONFIG_FILE  what to collect; else overrides.yaml, else defaults.yaml
#	COLLECTION_PREFIX      start of the collection's id
#	CONTAINER_CMD          what `make docker` runs
#
# Recipes read them as variables of the shell: no text of theirs becomes part of
# a command line. INTERACTIVE, an option of docker's there, has nothing to do.

KERNMLOPS_CONFIG_FILE ?= $(firstword $(wildcard overrides.yaml) defaults.yaml)
COLLECTION_PREFIX ?=
CONTAINER_CMD ?= bash -l
export KERNMLOPS_CONFIG_FILE COLLECTION_PREFIX CONTAINER_CMD

# As in KernMLOps' container everything runs as root, but nothing asks for a
# password: who reads the output could not answer.
AS_ROOT := $(SUDO:%=% -n -- env KBENCH_DIR="$$KBENCH_DIR")

COLLECTOR := $(addprefix $(BIN)/,ktrace kbench kparquet)

# What is there is used as it is, also where there is no Go.
$(COLLECTOR) &:
	@$(MAKE) --no-print-directory build

.PHONY: docker-image
docker-image: build ## build all (there is no image to make)

.PHONY: install-ycsb
install-ycsb: ## nothing: kbench itself has YCSB's core workload
	@echo "kbench ycsb is the load generator: nothing to install"

# A make that this one starts is on its own, as in a container: it takes over no
# options, and does not announce its folder after the collection's id.
.PHONY: docker
docker: ## run $CONTAINER_CMD here
	@$(AS_ROOT) env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS bash -c "$$CONTAINER_CMD"

.PHONY: collect collect-data
collect: collect-data
collect-data: $(COLLECTOR) ## collect as $KERNMLOPS_CONFIG_FILE says
	@$(AS_ROOT) $(BIN)/kbench collect -v -c "$$KERNMLOPS_CONFIG_FILE" -p "$$COLLECTION_PREFIX"

.PHONY: collect-raw
collect-raw: $(COLLECTOR) ## the same until END is typed, without a benchmark
	@$(AS_ROOT) $(BIN)/kbench collect -v -c "$$KERNMLOPS_CONFIG_FILE" -p "$$COLLECTION_PREFIX" -b faux
