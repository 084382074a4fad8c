/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kermit.bpf.h"

struct mm_rss_stat {
	u32 pid DOC("thread that owns the memory");
	u32 tgid DOC("process that owns the memory");
	s64 ts_ns DOC("CLOCK_BOOTTIME of the change");
	u8 member KERNEL_ENUM_WITH("MM_FILEPAGES") DOC("which counter: MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES");
	s64 count DOC("pages that the counter stands at now");
} DOC("One row a change of one of a process's memory counters. A new memory (fork, exec) is reported when its owner has it.");
TABLE(mm_rss_stat);

/* The classic tracepoint carries the kernel's own sum over CPUs, which grows dearer with their number. */
SOURCE(tracepoint, "cpus <= 32", "");
SOURCE(tp_btf, "", "exact counts: off by up to max(32, 2 x CPUs) pages for each CPU that the process ran on");

#define MEMBERS 4

struct percpu_counter {
	s64 count;
} KERNEL;

struct task_struct;

struct mm_struct {
	struct task_struct *owner; /* needs CONFIG_MEMCG */
	struct percpu_counter rss_stat[MEMBERS];
} KERNEL;

/* Before 6.2 (f1a7941243c1) a counter was one number; each task held back up to 64 pages of its own. */
struct mm_struct___before_6_2 {
	struct {
		struct {
			s64 counter;
		} count[MEMBERS];
	} rss_stat;
} KERNEL;

struct signal_struct {
	struct {
		int counter;
	} live;
} KERNEL;

struct task_struct {
	int pid;
	int tgid;
	unsigned int flags;
	unsigned int in_execve : 1;
	struct mm_struct *mm, *active_mm;
	struct signal_struct *signal;
} KERNEL;

struct trace_event_raw_rss_stat {
	int member;
	long size;
} KERNEL;

#define PF_EXITING 0x4 /* include/linux/sched.h */

const volatile u32 kermit_page_shift; /* log2 of the page size */

struct owner {
	u32 pid, tgid;
};

/* A memory in the making: its owner has no pid yet (fork), or does not use it yet (exec). By the task that makes it. */
struct birth {
	u64 mm;
	s64 count[MEMBERS];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct birth);
} births SEC(".maps");

/* Memories whose last thread has exited: the kernel forgets the owner before it frees the pages. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct owner);
} dying SEC(".maps");

/* Whose memory changes. */
struct change {
	struct owner owner; /* tgid 0: nobody's */
	u64 birth;	    /* memory that is being made */
	u64 exec;	    /* birth may be the memory that an exec replaces, too */
};

static __always_inline struct change find_owner(struct mm_struct *mm)
{
	struct task_struct *current_task = (void *)bpf_get_current_task(), *owner = mm->owner;
	u64 key = (u64)mm, me = bpf_get_current_pid_tgid();
	struct change c = {};
	struct owner *last;

	if (owner) {
		c.owner.pid = owner->pid;
		c.owner.tgid = owner->tgid;
		/* copy_mm: the child is a copy of its parent until it gets a pid. exec: the new memory is not in use yet. */
		if ((u32)me == c.owner.pid &&
		    (owner != current_task || BPF_CORE_READ(current_task, mm) != mm) &&
		    !(BPF_CORE_READ(current_task, flags) & PF_EXITING))
			c.birth = key;
		else if (owner == current_task && BPF_CORE_READ_BITFIELD_PROBED(current_task, in_execve))
			c.birth = key, c.exec = 1; /* in use, and what came before is not reported yet */
		return c;
	}
	if (BPF_CORE_READ(current_task, flags) & PF_EXITING) {
		c.owner.pid = me;
		c.owner.tgid = me >> 32;
	} else if ((last = bpf_map_lookup_elem(&dying, &key))) {
		c.owner = *last; /* somebody else has held the memory to its end */
	} /* else: what exec has replaced */
	return c;
}

static __always_inline void emit(struct owner owner, u32 member, s64 pages)
{
	struct mm_rss_stat *row = reserve(mm_rss_stat, owner.tgid);

	if (!row)
		return;
	row->pid = owner.pid;
	row->tgid = owner.tgid;
	row->ts_ns = bpf_ktime_get_boot_ns();
	row->member = member;
	row->count = pages;
	submit(row);
}

static __always_inline void changed(struct change *c, u32 member, s64 pages)
{
	u64 maker = bpf_get_current_task();
	struct birth fresh = {}, *birth;

	if (member >= MEMBERS)
		return;
	asm volatile("" : "+r"(member)); /* the verifier must see the bound in the register that indexes */
	member &= MEMBERS - 1;
	if (!c->birth) {
		if (c->owner.tgid)
			emit(c->owner, member, pages);
		return;
	}
	birth = bpf_map_lookup_elem(&births, &maker);
	if (birth && birth->mm == c->birth) {
		birth->count[member] = pages;
		return;
	}
	if (c->exec) {
		emit(c->owner, member, pages);
		return;
	}
	bpf_map_delete_elem(&dying, &c->birth); /* the address of a memory that is gone, used again */
	fresh.mm = c->birth;
	fresh.count[member] = pages;
	bpf_map_update_elem(&births, &maker, &fresh, BPF_ANY);
}

/*
 * The raw tracepoint knows whose the memory is and comes right before the classic one, which knows the count; or right
 * after it, where another tracer was the first to use that. The first on a CPU leaves what it knows to the second.
 */
struct half {
	u64 task; /* whose event it is; 0: nothing is left */
	u32 member;
	u32 counted; /* pages, not change, is known */
	s64 pages;
	struct change change;
	u64 pad[2];
};
PER_CPU(half, struct half);

/* Takes what the other tracepoint has left, or makes room for the second. */
static __always_inline bool second(struct half *h, u32 member, bool counted)
{
	u64 task = bpf_get_current_task();

	if (h->task == task && h->member == member && h->counted != counted) {
		h->task = 0;
		return true;
	}
	if (h->task && h->counted)
		lose(mm_rss_stat); /* the raw one was missed */
	h->task = task;
	h->member = member;
	h->counted = counted;
	return false;
}

PROBE(tracepoint, "tp_btf/rss_stat")
int BPF_PROG(whose, struct mm_struct *mm, int member)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct half *h = bpf_map_lookup_elem(&percpu_half, &cpu);

	if (!h)
		return 0;
	h->change = find_owner(mm);
	if (second(h, member, false))
		changed(&h->change, member, h->pages);
	return 0;
}

PROBE(tracepoint, "tracepoint/kmem/rss_stat")
int exact(struct trace_event_raw_rss_stat *ctx)
{
	u32 cpu = bpf_get_smp_processor_id(), member = ctx->member;
	struct half *h = bpf_map_lookup_elem(&percpu_half, &cpu);
	s64 pages = ctx->size >> kermit_page_shift;

	if (!h)
		return 0;
	if (second(h, member, true))
		changed(&h->change, member, pages);
	else
		h->pages = pages;
	return 0;
}

/* The counter's address. By hand: the kernel's structs are larger than the parts of them that are declared here. */
static __always_inline void *counter(struct mm_struct *mm, u32 member)
{
	struct mm_struct___before_6_2 *old = (void *)mm;

	if (bpf_core_field_exists(old->rss_stat.count))
		return (void *)mm + bpf_core_field_offset(struct mm_struct___before_6_2, rss_stat.count) + member * sizeof(s64);
	return (void *)mm + bpf_core_field_offset(struct mm_struct, rss_stat) +
	       member * bpf_core_type_size(struct percpu_counter) + bpf_core_field_offset(struct percpu_counter, count);
}

PROBE(tp_btf, "tp_btf/rss_stat")
int BPF_PROG(nearly, struct mm_struct *mm, int member)
{
	struct change c = find_owner(mm);
	s64 pages = 0;

	if (member < 0 || member >= MEMBERS)
		return 0;
	bpf_probe_read_kernel(&pages, sizeof(pages), counter(mm, member));
	changed(&c, member, pages > 0 ? pages : 0);
	return 0;
}

/* Reports a memory that its owner has now: each member that is not 0, or every one where they replace another memory's. */
static __always_inline void born(struct task_struct *task, bool replaces)
{
	u64 maker = bpf_get_current_task();
	struct birth *birth = bpf_map_lookup_elem(&births, &maker);
	struct owner owner = { .pid = task->pid, .tgid = task->tgid };

	if (!birth)
		return;
	if (birth->mm == (u64)task->mm)
		for (u32 i = 0; i < MEMBERS; i++)
			if (birth->count[i] || replaces)
				emit(owner, i, birth->count[i]);
	bpf_map_delete_elem(&births, &maker);
}

static __always_inline int on_exit(struct task_struct *task)
{
	struct owner owner = { .pid = task->pid, .tgid = task->tgid };
	/* 5.10 to 6.12 have given the memory up here already, but not taken another one. */
	struct mm_struct *mm = task->mm ?: task->active_mm;
	struct task_struct *of = mm ? BPF_CORE_READ(mm, owner) : NULL;
	u64 key = (u64)mm;

	if (mm && (!of || BPF_CORE_READ(of, tgid) == owner.tgid) && task->signal->live.counter == 0)
		bpf_map_update_elem(&dying, &key, &owner, BPF_ANY);
	return 0;
}

#define LIFE(source)                                                  \
	PROBE(source, "tp_btf/task_newtask")                          \
	int BPF_PROG(source##_fork, struct task_struct *task)         \
	{                                                             \
		born(task, false);                                    \
		return 0;                                             \
	}                                                             \
	PROBE(source, "tp_btf/sched_process_exec")                    \
	int BPF_PROG(source##_exec, struct task_struct *task)         \
	{                                                             \
		born(task, true);                                     \
		return 0;                                             \
	}                                                             \
	PROBE(source, "tp_btf/sched_process_exit")                    \
	int BPF_PROG(source##_exit, struct task_struct *task)         \
	{                                                             \
		return on_exit(task);                                 \
	}
LIFE(tracepoint)
LIFE(tp_btf)
