// SPDX-License-Identifier: Apache-2.0

// Package proc fills tables that are sampled from /proc, /sys and uname,
// not probed.
//
// # system_info
//
// One row: the machine and its settings as they were when recording began. The
// columns are those that KernMLOps users know, in their order, and ts_ns. They
// differ from KernMLOps where it was wrong:
//
//   - sockets counts CPU packages, not NUMA nodes; cores and sockets count what
//     is online.
//   - is_vm says whether a hypervisor announces itself, not always false.
//   - architecture is uname -m; uname -p is "unknown" on most distributions.
//   - quanta_length is the scheduler's base slice in nanoseconds, where debugfs
//     shows it.
//   - hooks is one text, joined with commas.
//   - collection_time_sec and benchmark_name are left out: what records cannot
//     know them. They are in the table run (wall_ns, workload).
//   - ram_speed_mhz needs the firmware's tables and is never known.
//
// What the machine does not tell is NULL and listed as unobservable, never a
// made-up 0: a virtual machine has no cpufreq, a container may hide the rest.
package proc
