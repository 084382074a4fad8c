/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */

/*
 * Keeps kermit_passes true while processes come, change and go: a bit for each
 * filter that a process passes. User space writes the processes that are there
 * at the start. Attached before the rooms, so that a row is judged by what its
 * process is after the event.
 */
#include "kermit.bpf.h"

enum { FOLLOWED = 1, COMM = 2, UID = 4, CGROUP = 8 }; /* as in trace/filter.go */

#define PATH 128

const volatile u32 filter_need;
const volatile char filter_comm[16];
const volatile u32 filter_uid;
const volatile char filter_cgroup[PATH];
const volatile u32 filter_cgroup_length;

struct cred {
	struct {
		u32 val;
	} uid;
} KERNEL;

struct task_struct {
	int pid, tgid;
	char comm[16];
	struct cred *cred;
} KERNEL;

#define CLONE_THREAD 0x10000 /* include/uapi/linux/sched.h */

/* What any CPU found out before holds no more. */
static __always_inline void changed(void)
{
	u32 zero = 0;
	struct kermit_control *control = bpf_map_lookup_elem(&kermit_control, &zero);

	if (control)
		__sync_fetch_and_add(&control->changes, 1);
}

static __always_inline void pass(u32 tgid, u32 clear, u32 set)
{
	u32 *old = bpf_map_lookup_elem(&kermit_passes, &tgid);
	u32 was = old ? *old : 0, now = (was & ~clear) | set;

	if (now == was)
		return;
	if (old)
		*old = now;
	else
		bpf_map_update_elem(&kermit_passes, &tgid, &now, BPF_ANY);
	changed();
}

static __always_inline bool has_name(const char *name)
{
	char comm[16] = {};

	if (!(filter_need & COMM))
		return false;
	bpf_probe_read_kernel_str(comm, sizeof(comm), name);
	for (int i = 0; i < 16; i++) {
		if (comm[i] != filter_comm[i])
			return false;
		if (!comm[i])
			break;
	}
	return true;
}

/* A new process is what its parent is. */
PROBE(filter, "tp_btf/task_newtask")
int BPF_PROG(on_fork, struct task_struct *task, u64 flags)
{
	u32 parent = bpf_get_current_pid_tgid() >> 32;
	u32 *bits = bpf_map_lookup_elem(&kermit_passes, &parent);

	if (bits && !(flags & CLONE_THREAD))
		pass(task->tgid, ~0U, *bits);
	return 0;
}

PROBE(filter, "tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	u32 set = has_name(task->comm) ? COMM : 0;

	if (filter_need & UID && task->cred->uid.val == filter_uid)
		set |= UID;
	pass(task->tgid, COMM | UID, set);
	return 0;
}

PROBE(filter, "tp_btf/task_rename")
int BPF_PROG(on_rename, struct task_struct *task, const char *name)
{
	if (filter_need & COMM && task->pid == task->tgid)
		pass(task->tgid, COMM, has_name(name) ? COMM : 0);
	return 0;
}

PROBE(filter, "tp_btf/cgroup_attach_task")
int BPF_PROG(on_move, void *cgroup, const char *path, struct task_struct *task)
{
	char now[PATH] = {};
	u32 set = CGROUP;

	if (!(filter_need & CGROUP))
		return 0;
	bpf_probe_read_kernel_str(now, sizeof(now), path);
	for (int i = 0; i < PATH - 1; i++) {
		if (i >= filter_cgroup_length) {
			if (now[i] && now[i] != '/')
				set = 0;
			break;
		}
		if (now[i] != filter_cgroup[i]) {
			set = 0;
			break;
		}
	}
	pass(task->tgid, CGROUP, set);
	return 0;
}

/* Not at exit: rows of a process that ends come until its memory is gone. */
PROBE(filter, "tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
	u32 tgid = task->tgid;

	if (task->pid == task->tgid && !bpf_map_delete_elem(&kermit_passes, &tgid))
		changed();
	return 0;
}
