/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */

/*
 * The vocabulary of a hook. A room is one file:
 *
 *	struct NAME { …columns… } DOC("what one row is");
 *	TABLE(NAME);
 *	SOURCE(tp_btf, "", "what it cannot see");
 *
 *	PROBE(tp_btf, "tp_btf/EVENT")
 *	int BPF_PROG(on_event, …)
 *	{
 *		struct NAME *row = reserve(NAME, tgid);
 *
 *		if (!row)
 *			return 0;
 *		row->… = …;
 *		submit(row);
 *		return 0;
 *	}
 *
 * The table's schema is the struct's BTF: member names, integer widths, bool,
 * char[N] (text), enum (its labels). Tags say what C cannot.
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

/* Structs of the kernel that a hook reads: its fields are found by name. */
#define KERNEL __attribute__((preserve_access_index))

#define TAG(text) __attribute__((btf_decl_tag(text)))

/* The doc string of a column or a table. */
#define DOC(text) TAG("doc:" text)

/* A column that is computed from another: s64 ts_uptime_us[0] FROM("ts_ns / 1000"). It takes no room in the row. */
#define FROM(expr) TAG("from:" expr)

/* A number that is an IPv4 address, as the network orders it. */
#define IPV4 TAG("ipv4")

/* Text that is arguments, each with a NUL behind it. */
#define ARGV TAG("argv")

/* A number whose labels are the running kernel's enum: by the enum's name, or for one without a name by a member of it. */
#define KERNEL_ENUM(name, strip) TAG("enum:" name) TAG("strip:" strip)
#define KERNEL_ENUM_WITH(member) TAG("enum_with:" member)

/* A label in place of the kernel's, in small letters otherwise. */
#define LABEL(number, text) TAG("label:" #number "=" text)

/* What every table counts, one copy a CPU. seen = filtered + emitted + lost_ring + lost_other. */
struct kermit_counters {
	u64 seen;	/* rows due */
	u64 filtered;	/* not wanted */
	u64 emitted;	/* put into the ring */
	u64 lost_ring;	/* no room in the ring */
	u64 lost_other; /* a join without its partner, a CPU without a ring */
	u64 reserved[3];
};

/* What user space sets while the probes run. */
struct kermit_control {
	u32 open;    /* rows are due */
	u32 need;    /* filters that a row's process must pass, a bit each; 0: there is none */
	u32 self[6]; /* processes of the suite, to be left out */
	u64 changes; /* of kermit_passes: counted up by who makes one, once it is made */
};

/* Set before load. */
const volatile u32 kermit_cpus;	      /* possible CPUs */
const volatile u64 kermit_wake_bytes; /* wake the reader when a ring holds more */

/* A map with one entry a CPU: trace sets max_entries where it is 1 and the name starts with percpu_. */
#define PER_CPU(name, entry_type)                 \
	struct {                                  \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, 1);           \
		__type(key, u32);                 \
		__type(value, entry_type);        \
	} percpu_##name SEC(".maps")

struct kermit_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

/* One ring a CPU, shared by all hooks. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct kermit_ring);
} kermit_rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kermit_control);
} kermit_control SEC(".maps");

/* The filters that a process passes, by tgid. trace/filter/filter.bpf.c keeps it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} kermit_passes SEC(".maps");

/* Declares struct NAME, defined above, a table: its counters, and its number in the ring. */
#define TABLE(name)                                      \
	const volatile u32 name##_id;                    \
	struct name##_table {                            \
		struct kermit_counters counters;         \
		struct name row[0];                      \
	};                                               \
	struct {                                         \
		__uint(type, BPF_MAP_TYPE_ARRAY);        \
		__uint(map_flags, BPF_F_MMAPABLE);       \
		__uint(max_entries, 1);                  \
		__type(key, u32);                        \
		__type(value, struct name##_table);      \
	} name SEC(".maps")

/*
 * Declares a way to fill the room's tables; the first that the kernel lets in
 * is used. when: "" or conditions with ", " between them: "cpus <= N",
 * "kernel >= N.M", "kernel < N.M". Then what it cannot see: names of columns
 * (they are NULL then) or facts in words, a line each.
 */
#define SOURCE(name, when, unobservable)                                               \
	static const char source_##name[] SEC("kermit.sources") __attribute__((used)) = \
		#name "\n" when "\n" unobservable

/*
 * A program of a source. Kinds: fentry/FUNCTION, fexit/FUNCTION, tp_btf/EVENT, raw_tp/EVENT,
 * tracepoint/GROUP/EVENT, perf_event/SOFTWARE_EVENT, netfilter/HOOK.
 */
#define PROBE(source, section) SEC(#source "|" section)

/* The row belongs to no process: filters by process do not apply. */
#define NOBODY 0

static __always_inline struct kermit_counters *kermit_count(void *table)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(table, &cpu);
}

/*
 * A CPU's last verdict, in one word, so that nobody meets half of one: tgid << 32 | changes << 1 | wanted. It holds as
 * long as no process passes more or fewer filters: an event that is not wanted is to cost little. (0: the idle task
 * passes none.) Wrong after 2^31 changes between two events of one process, if none of another came on that CPU.
 */
struct kermit_verdict {
	u64 word;
	u64 pad[7]; /* a cache line */
};
PER_CPU(verdict, struct kermit_verdict);

static __always_inline bool kermit_passed(struct kermit_control *control, u32 tgid)
{
	u32 *passes = bpf_map_lookup_elem(&kermit_passes, &tgid);

	if (!passes || (*passes & control->need) != control->need)
		return false;
	for (int i = 0; i < 6 && control->self[i]; i++)
		if (control->self[i] == tgid)
			return false;
	return true;
}

/* Whether a process's rows are wanted. */
static __always_inline bool kermit_wanted(struct kermit_control *control, u32 tgid)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct kermit_verdict *last;
	u64 word, now;

	if (!control->need) {
		for (int i = 0; i < 6 && control->self[i]; i++)
			if (control->self[i] == tgid)
				return false;
		return true;
	}
	last = bpf_map_lookup_elem(&percpu_verdict, &cpu);
	if (!last)
		return false;
	now = (u64)tgid << 32 | (u32)(*(volatile u64 *)&control->changes << 1);
	word = *(volatile u64 *)&last->word;
	if ((word & ~1ULL) == now)
		return word & 1;
	word = now | kermit_passed(control, tgid);
	*(volatile u64 *)&last->word = word;
	return word & 1;
}

/* Whether rows of the process are wanted, to spare the work that leads to one. Counts nothing. */
static __always_inline bool wanted(u32 tgid)
{
	u32 zero = 0;
	struct kermit_control *control = bpf_map_lookup_elem(&kermit_control, &zero);

	return control && kermit_wanted(control, tgid);
}

/* The single point where a row is due: NULL when it is not wanted or there is no room. Every outcome is counted. */
static __always_inline void *kermit_reserve(void *table, u64 id, u64 size, u32 tgid)
{
	u32 zero = 0, cpu = bpf_get_smp_processor_id();
	struct kermit_control *control = bpf_map_lookup_elem(&kermit_control, &zero);
	struct kermit_counters *count = bpf_map_lookup_elem(table, &cpu);
	void *ring = bpf_map_lookup_elem(&kermit_rings, &cpu);
	u64 *record;

	if (!control || !count || !control->open)
		return 0;
	__sync_fetch_and_add(&count->seen, 1);
	if (tgid != NOBODY && !kermit_wanted(control, tgid)) {
		__sync_fetch_and_add(&count->filtered, 1);
		return 0;
	}
	if (!ring) { /* a CPU that came online after the start */
		__sync_fetch_and_add(&count->lost_other, 1);
		return 0;
	}
	record = bpf_ringbuf_reserve(ring, sizeof(*record) + size, 0);
	if (!record) {
		__sync_fetch_and_add(&count->lost_ring, 1);
		return 0;
	}
	__sync_fetch_and_add(&count->emitted, 1);
	/* A wake-up a row would make the tracer trace itself: only a filling ring wakes the reader, who has a timer too. */
	if (bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > kermit_wake_bytes)
		id |= (u64)BPF_RB_FORCE_WAKEUP << 32;
	else
		id |= (u64)BPF_RB_NO_WAKEUP << 32;
	*record = id;
	return record + 1;
}

static __always_inline void kermit_submit(u64 *record)
{
	bpf_ringbuf_submit(record, *record >> 32);
}

static __always_inline void kermit_lose(void *table)
{
	u32 zero = 0;
	struct kermit_control *control = bpf_map_lookup_elem(&kermit_control, &zero);
	struct kermit_counters *count = kermit_count(table);

	if (!control || !count || !control->open)
		return;
	__sync_fetch_and_add(&count->seen, 1);
	__sync_fetch_and_add(&count->lost_other, 1);
}

static __always_inline bool kermit_unwanted(void *table, u32 tgid)
{
	u32 zero = 0;
	struct kermit_control *control = bpf_map_lookup_elem(&kermit_control, &zero);
	struct kermit_counters *count;

	if (!control || kermit_wanted(control, tgid))
		return false;
	if (control->open && (count = kermit_count(table))) {
		__sync_fetch_and_add(&count->seen, 1);
		__sync_fetch_and_add(&count->filtered, 1);
	}
	return true;
}

/* A row of the table for the process tgid (the row's own: never the one an interrupt stopped), or NULL. */
#define reserve(table, tgid) \
	((struct table *)kermit_reserve(&table, table##_id, sizeof(struct table), tgid))

/* Hands the row to user space. Every reserved row is submitted. */
#define submit(row) kermit_submit((u64 *)(row) - 1)

/* Counts a row that was due and cannot be made. */
#define lose(table) kermit_lose(&table)

/* Whether a row that is due now is not wanted, which is counted: what reserve would do, before the work that leads to it. */
#define unwanted(table, tgid) kermit_unwanted(&table, tgid)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
