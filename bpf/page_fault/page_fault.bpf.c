/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kermit.bpf.h"
#include <linux/bpf_perf_event.h>

struct page_fault {
	u16 cpu DOC("CPU that completed the fault");
	u32 pid DOC("thread that faulted");
	u32 tgid DOC("process that faulted");
	s64 ts_uptime_us[0] FROM("ts_ns / 1000") DOC("ts_ns in microseconds");
	u64 address DOC("user address that was touched");
	u32 error_code DOC("the processor's error code (x86: 1 protection, 2 write, 4 user mode, 16 fetch); 0 where the kernel itself took the fault (get_user_pages)");
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
 * The exception's tracepoints say what was touched and when. That a fault was
 * completed, and of which kind, is said by
 *
 *  fentry      the return of handle_mm_fault, judged as the kernel's own
 *              mm_account_fault judges it since 5.9: an error or a retry is
 *              not counted, a fault that was retried once is counted once and
 *              is major (FAULT_FLAG_TRIED). From 6.4 on a fault is tried under
 *              the lock of its VMA first, and a retry there may come without
 *              FAULT_FLAG_TRIED: the flags of the last try decide.
 *  perf_event  the software events that mm_account_fault raises, which need
 *              neither fentry nor kprobes. It raises none for get_user_pages.
 */
SOURCE(fentry, "", "");
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
	u64 id = bpf_get_current_pid_tgid();
	struct fault *f;
	u32 cpu, other;

	if (!wanted(id >> 32)) /* before anything else: what is not wanted is to cost little */
		return 0;
	cpu = bpf_get_smp_processor_id();
	f = bpf_map_lookup_elem(&percpu_now, &cpu);
	if (!f)
		return 0;
	other = f->pid;
	if (other)
		bpf_map_update_elem(&asleep, &other, f, BPF_ANY);
	f->pid = id;
	f->address = address;
	f->error_code = error_code;
	f->ts = bpf_ktime_get_boot_ns();
	return 0;
}

#define EXCEPTIONS(source)                                                          \
	PROBE(source, "tp_btf/page_fault_user")                                     \
	int BPF_PROG(source##_user, u64 address, void *regs, u64 error_code)        \
	{                                                                           \
		return enter(address, error_code);                                  \
	}                                                                           \
	PROBE(source, "tp_btf/page_fault_kernel")                                   \
	int BPF_PROG(source##_kernel, u64 address, void *regs, u64 error_code)      \
	{                                                                           \
		return enter(address, error_code);                                  \
	}
EXCEPTIONS(fentry)
EXCEPTIONS(perf_event)

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
			f->pid = 0; /* its CPU may have moved on: then it has spilled this one, which its age will evict */
			return true;
		}
	}
	if (!take(bpf_map_lookup_elem(&asleep, &pid), pid, address, out))
		return false;
woken:
	bpf_map_delete_elem(&asleep, &pid);
	return true;
}

enum { WRITE = 1, MAJOR = 2 };

static __always_inline int complete(u64 address, u32 what)
{
	u64 id = bpf_get_current_pid_tgid(), now;
	struct page_fault *row;
	struct fault f;
	u32 cpu;

	if (unwanted(page_fault, id >> 32))
		return 0;
	now = bpf_ktime_get_boot_ns();
	cpu = bpf_get_smp_processor_id();
	if (!started(cpu, id, address, &f)) {
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
	row->is_major = what & MAJOR;
	row->is_write = what & WRITE || f.error_code & 2;
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
	return complete(ctx->addr, 0);
}

PROBE(perf_event, "perf_event/page_faults_maj")
int major_fault(struct bpf_perf_event_data *ctx)
{
	return complete(ctx->addr, MAJOR);
}

/* enum fault_flag and enum vm_fault_reason of include/linux/mm_types.h: the same numbers from 5.10 to 7.3. */
#define FAULT_FLAG_WRITE 0x01
#define FAULT_FLAG_TRIED 0x20
#define VM_FAULT_MAJOR 0x4
#define VM_FAULT_RETRY 0x400
#define VM_FAULT_ERROR 0x873 /* OOM, SIGBUS, HWPOISON, HWPOISON_LARGE, SIGSEGV, FALLBACK */

/* A fault without an exception: the kernel's own (get_user_pages). A try that follows another keeps the first one's start. */
PROBE(fentry, "fentry/handle_mm_fault")
int BPF_PROG(on_try, void *vma, u64 address, u32 flags, void *regs)
{
	if (flags & FAULT_FLAG_TRIED)
		return 0;
	asm volatile(""); /* two questions: the verifier forbids one sum of a pointer and a flag */
	if (regs)
		return 0;
	return enter(address, 0);
}

PROBE(fentry, "fexit/handle_mm_fault")
int BPF_PROG(on_done, void *vma, u64 address, u32 flags, void *regs, u32 ret)
{
	u32 what = 0;

	if (ret & (VM_FAULT_RETRY | VM_FAULT_ERROR))
		return 0;
	if (ret & VM_FAULT_MAJOR || flags & FAULT_FLAG_TRIED)
		what |= MAJOR;
	if (flags & FAULT_FLAG_WRITE)
		what |= WRITE;
	return complete(address, what);
}
