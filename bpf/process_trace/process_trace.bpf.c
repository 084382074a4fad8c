/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kermit.bpf.h"

enum cap_type { start, exec, end };

struct process_trace {
	u32 pid DOC("thread");
	u32 tgid DOC("process");
	s64 ts_ns DOC("CLOCK_BOOTTIME of the event");
	char name[16] DOC("name of the thread from now on; empty at its end");
	enum cap_type cap_type DOC("start: a new task; exec: a new name, by exec or rename; end: the thread exits");
} DOC("One row a task's birth, new name, and end.");
TABLE(process_trace);

enum process_event { executed, exited };

struct process_info {
	u32 pid DOC("thread");
	u32 tgid DOC("process");
	s64 ts_ns DOC("CLOCK_BOOTTIME of the event");
	u8 event LABEL(0, "exec") LABEL(1, "exit") DOC("exec: a new program; exit: the last thread has ended");
	u32 ppid DOC("process of the parent; of the one that adopted it, where the parent is gone");
	u32 uid DOC("real user id");
	u32 gid DOC("real group id");
	u64 cgroup_id DOC("cgroup v2, by its inode number");
	u32 exit_code DOC("what the program passed to exit, 0 to 255; 0 on exec");
	u32 exit_signal DOC("signal that ended the process, or 0");
	char comm[16] DOC("name of the process: of its first thread");
	char filename[128] DOC("file that is executed, as named to the kernel; empty on exit");
	char cmdline[512] ARGV DOC("arguments, with spaces between them, cut at 511 bytes; empty on exit");
	u32 args_bytes DOC("length of all arguments in bytes");
} DOC("One row an exec and one an exit of a process: what process_trace has no columns for.");
TABLE(process_info);

SOURCE(tp_btf, "", "");

struct mm_struct {
	unsigned long arg_start, arg_end;
} KERNEL;

struct cred {
	struct {
		u32 val;
	} uid, gid;
} KERNEL;

struct signal_struct {
	struct {
		int counter;
	} live;
	int group_exit_code;
	unsigned int flags;
} KERNEL;

struct task_struct {
	int pid, tgid, exit_code;
	unsigned int in_execve : 1;
	char comm[16];
	struct task_struct *real_parent, *group_leader;
	struct cred *cred;
	struct mm_struct *mm;
	struct signal_struct *signal;
	u64 start_boottime;
} KERNEL;

struct linux_binprm {
	const char *filename;
} KERNEL;

#define EEXIST 17
#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h */

/* Processes that have ended. Threads that end at once on several CPUs may each find that none lives. */
struct ended {
	u64 start_boottime;
	u64 tgid;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct ended);
	__type(value, u8);
} ended SEC(".maps");

static __always_inline int trace(struct task_struct *task, enum cap_type type, const char *name)
{
	struct process_trace *row = reserve(process_trace, task->tgid);

	if (!row)
		return 0;
	row->pid = task->pid;
	row->tgid = task->tgid;
	row->ts_ns = bpf_ktime_get_boot_ns();
	row->cap_type = type;
	row->name[0] = 0;
	if (name)
		bpf_probe_read_kernel_str(row->name, sizeof(row->name), name);
	submit(row);
	return 0;
}

static __always_inline struct process_info *describe(struct task_struct *task, u8 event)
{
	struct process_info *row = reserve(process_info, task->tgid);

	if (!row)
		return 0;
	row->pid = task->pid;
	row->tgid = task->tgid;
	row->ts_ns = bpf_ktime_get_boot_ns();
	row->event = event;
	row->ppid = task->real_parent->tgid;
	row->uid = task->cred->uid.val;
	row->gid = task->cred->gid.val;
	row->cgroup_id = bpf_get_current_cgroup_id();
	row->exit_code = 0;
	row->exit_signal = 0;
	row->filename[0] = 0;
	row->args_bytes = 0;
	__builtin_memset(row->cmdline, 0, sizeof(row->cmdline));
	bpf_probe_read_kernel_str(row->comm, sizeof(row->comm), task->group_leader->comm);
	return row;
}

PROBE(tp_btf, "tp_btf/task_newtask")
int BPF_PROG(on_start, struct task_struct *task)
{
	return trace(task, start, task->comm);
}

PROBE(tp_btf, "tp_btf/task_rename")
int BPF_PROG(on_rename, struct task_struct *task, const char *name)
{
	if (BPF_CORE_READ_BITFIELD(task, in_execve))
		return 0; /* an exec is one row: sched_process_exec follows */
	return trace(task, exec, name);
}

PROBE(tp_btf, "tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct process_info *row;
	u64 from, bytes;

	trace(task, exec, task->comm);
	row = describe(task, executed);
	if (!row)
		return 0;
	bpf_probe_read_kernel_str(row->filename, sizeof(row->filename), bprm->filename);
	from = task->mm->arg_start;
	bytes = task->mm->arg_end - from;
	row->args_bytes = bytes;
	if (bytes > sizeof(row->cmdline) - 1)
		bytes = sizeof(row->cmdline) - 1;
	asm volatile("" : "+r"(bytes)); /* the verifier must see the bound in the register that it checks */
	bpf_probe_read_user(row->cmdline, bytes & (sizeof(row->cmdline) - 1), (void *)from);
	submit(row);
	return 0;
}

PROBE(tp_btf, "tp_btf/sched_process_exit")
int BPF_PROG(on_end, struct task_struct *task)
{
	struct ended process = { .start_boottime = task->group_leader->start_boottime, .tgid = task->tgid };
	struct process_info *row;
	u8 once = 1;
	int code, err;

	trace(task, end, 0);
	if (task->signal->live.counter != 0)
		return 0; /* other threads go on */
	err = bpf_map_update_elem(&ended, &process, &once, BPF_NOEXIST); /* an int: before 6.4 (d7ba4cc900bf) the upper half is not set */
	if (err == -EEXIST)
		return 0; /* another one has said so; a map without room says nothing */
	row = describe(task, exited);
	if (!row)
		return 0;
	code = task->signal->flags & SIGNAL_GROUP_EXIT ? task->signal->group_exit_code : task->group_leader->exit_code;
	row->exit_code = (code >> 8) & 0xff;
	row->exit_signal = code & 0x7f;
	submit(row);
	return 0;
}
