/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kermit.bpf.h"

/* Empty programs where the page_fault room attaches its own: what the kernel takes to call them. `make bench` attaches these. */
struct floor_cost {
	s64 ts_ns DOC("CLOCK_BOOTTIME");
} DOC("No row: what attaching alone costs.");
TABLE(floor_cost);

SOURCE(fentry, "", "");
SOURCE(perf_event, "", "");

#define EMPTY(name, source, section) \
	PROBE(source, section)       \
	int name(void *ctx)          \
	{                            \
		return 0;            \
	}

EMPTY(fentry_user, fentry, "tp_btf/page_fault_user")
EMPTY(fentry_kernel, fentry, "tp_btf/page_fault_kernel")
EMPTY(fentry_try, fentry, "fentry/handle_mm_fault")
EMPTY(fentry_done, fentry, "fexit/handle_mm_fault")
EMPTY(perf_event_user, perf_event, "tp_btf/page_fault_user")
EMPTY(perf_event_kernel, perf_event, "tp_btf/page_fault_kernel")
EMPTY(perf_event_minor, perf_event, "perf_event/page_faults_min")
EMPTY(perf_event_major, perf_event, "perf_event/page_faults_maj")
