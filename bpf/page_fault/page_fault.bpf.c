/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kermit.bpf.h"
#include <linux/bpf_perf_event.h>

struct page_fault {
	u16 cpu DOC("CPU that completed the fault");
	u32 pid DOC("thread that faulted");
	u32 tgid DOC("process that faulted");
	s64 ts_uptime_us[0] FROM("ts_ns / 1000") DOC("ts_ns in microseconds");
	u64 address DOC("user address that was touched");
	u32 error_code DOC("the processor's error code (x86: 1 protection, 2 write, 4 user mode, 16 fetch)");
	bool is_major DOC("the fault waited for I/O, as ru_majflt counts it");
	bool is_write DOC("a write");
	bool is_exec DOC("an instruction fetch");
	char comm[16] DOC("name of the thread");
	s64 ts_ns DOC("CLOCK_BOOTTIME when the processor raised the fault");
	s64 latency_ns DOC("from there until the kernel accounted the fault");
	bool is_user DOC("raised in user mode");
} DOC("One row a page fault that the kernel completed, as ru_minflt + ru_majflt counts them. Times: ts_ns is the fault's start.");
TABLE(page_fault);

/*
 * The exception's tracepoints say what was touched and when; the software
 * events, which the kernel raises where it accounts a completed fault, say
 * that it was one, and of which kind. Kernel's own reads of user memory by
 * page table walk raise no exception.
 */
SOURCE(perf_event, "",
       "faults that the kernel takes for a task by get_user_pages (arguments of exec, ptrace, O_DIRECT)");

struct fault {
	u64 ts;
	u64 address;
	u32 error_code;
	u32 pid; /* 0: completed */
	u64 pad[5];
};

/* The fault that a CPU handles. */
PER_CPU(now, struct fault);

/* Faults whose CPU took another one before they were completed: their task sleeps, or they never complete (SIGSEGV). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct fault);
} asleep SEC(".maps");

static __always_inline int enter(u64 address, u64 error_code)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct fault *f = bpf_map_lookup_elem(&percpu_now, &cpu);
	u32 other;

	if (!f)
		return 0;
	other = f->pid;
	if (other)
		bpf_map_update_elem(&asleep, &other, f, BPF_ANY);
	f->pid = bpf_get_current_pid_tgid();
	f->address = address;
	f->error_code = error_code;
	f->ts = bpf_ktime_get_boot_ns();
	return 0;
}

PROBE(perf_event, "tp_btf/page_fault_user")
int BPF_PROG(page_fault_user, u64 address, void *regs, u64 error_code)
{
	return enter(address, error_code);
}

PROBE(perf_event, "tp_btf/page_fault_kernel")
int BPF_PROG(page_fault_kernel, u64 address, void *regs, u64 error_code)
{
	return enter(address, error_code);
}

static __always_inline bool take(struct fault *f, u32 pid, u64 address, struct fault *out)
{
	if (!f || f->pid != pid || f->address != address)
		return false;
	*out = *f;
	return true;
}

/* The start of the thread's fault: here, asleep, or on the CPU that it left. */
static __always_inline bool started(u32 cpu, u32 pid, u64 address, struct fault *out)
{
	struct fault *f = bpf_map_lookup_elem(&percpu_now, &cpu);

	if (take(f, pid, address, out)) {
		f->pid = 0;
		return true;
	}
	if (take(bpf_map_lookup_elem(&asleep, &pid), pid, address, out))
		goto woken;
	for (u32 i = 0; i < kermit_cpus && i < 512; i++) {
		u32 key = i;

		f = bpf_map_lookup_elem(&percpu_now, &key);
		if (take(f, pid, address, out)) {
			__sync_val_compare_and_swap(&f->pid, pid, 0);
			return true;
		}
	}
	if (!take(bpf_map_lookup_elem(&asleep, &pid), pid, address, out))
		return false;
woken:
	bpf_map_delete_elem(&asleep, &pid);
	return true;
}

static __always_inline int complete(struct bpf_perf_event_data *ctx, bool major)
{
	u64 now = bpf_ktime_get_boot_ns();
	u32 cpu = bpf_get_smp_processor_id();
	u64 id = bpf_get_current_pid_tgid();
	struct page_fault *row;
	struct fault f;

	if (!started(cpu, id, ctx->addr, &f)) {
		lose(page_fault);
		return 0;
	}
	row = reserve(page_fault, id >> 32);
	if (!row)
		return 0;
	row->cpu = cpu;
	row->pid = id;
	row->tgid = id >> 32;
	row->address = f.address & ~(1ULL << 63); /* the vsyscall page is the only one up there */
	row->error_code = f.error_code;
	row->is_major = major;
	row->is_write = f.error_code & 2;
	row->is_exec = f.error_code & 16;
	row->is_user = f.error_code & 4;
	row->ts_ns = f.ts;
	row->latency_ns = now - f.ts;
	bpf_get_current_comm(row->comm, sizeof(row->comm));
	submit(row);
	return 0;
}

PROBE(perf_event, "perf_event/page_faults_min")
int minor_fault(struct bpf_perf_event_data *ctx)
{
	return complete(ctx, false);
}

PROBE(perf_event, "perf_event/page_faults_maj")
int major_fault(struct bpf_perf_event_data *ctx)
{
	return complete(ctx, true);
}
