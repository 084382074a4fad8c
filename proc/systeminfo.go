// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"io/fs"
	"os"
	"strings"

	"github.com/kermit-trace/kermit/stream"
	"golang.org/x/sys/unix"
)

// systemInfo is the row of system_info, in the order of its columns.
type systemInfo struct {
	Hostname       string  `col:"hostname" doc:"name of the host"`
	StartTime      float64 `col:"start_time_sec" doc:"wall clock at boot, seconds since 1970"`
	Uptime         float64 `col:"uptime_sec" doc:"seconds since boot, time in suspend included; = ts_ns / 1e9"`
	OS             string  `col:"os" doc:"name of the system, as uname -s"`
	Kernel         string  `col:"kernel_version" doc:"release of the kernel, as uname -r"`
	Swap           int64   `col:"swap_size_bytes" doc:"size of all swap areas"`
	THP            string  `col:"transparent_hugepages" doc:"always, madvise or never; empty on a kernel without transparent huge pages"`
	HugePages      int64   `col:"huge_pages" doc:"pages in the pool of reserved huge pages of the default size"`
	HugePageSize   int64   `col:"huge_page_size_bytes" doc:"default size of a huge page"`
	Quanta         int64   `col:"quanta_length" doc:"the fair scheduler's base slice in nanoseconds, from debugfs"`
	VM             bool    `col:"is_vm" doc:"a hypervisor announces itself to the kernel"`
	Architecture   string  `col:"architecture" doc:"machine, as uname -m"`
	Manufacturer   string  `col:"manufacturer" doc:"vendor of the CPU as the kernel names it: GenuineIntel, AuthenticAMD; ARM: the implementer's number"`
	Sockets        int64   `col:"sockets" doc:"CPU packages with a CPU online"`
	Cores          int64   `col:"cores" doc:"physical cores with a CPU online"`
	LogicalCores   int64   `col:"logical_cores" doc:"CPUs online"`
	Boost          bool    `col:"cpu_freq_boost_enabled" doc:"the CPU may exceed its base frequency"`
	MaxMHz         int64   `col:"max_cpu_speed_mhz" doc:"highest frequency of any CPU"`
	MinMHz         int64   `col:"min_cpu_speed_mhz" doc:"lowest frequency of any CPU"`
	RAM            int64   `col:"ram_bytes" doc:"memory that the kernel manages (MemTotal)"`
	RAMSpeed       int64   `col:"ram_speed_mhz" doc:"not collected"`
	L1i            int64   `col:"l1_instruction_cache_bytes" doc:"sum over all level 1 instruction caches"`
	L1             int64   `col:"l1_cache_bytes" doc:"sum over all level 1 data caches"`
	L2             int64   `col:"l2_cache_bytes" doc:"sum over all level 2 caches"`
	L3             int64   `col:"l3_cache_bytes" doc:"sum over all level 3 caches"`
	CacheAlignment int64   `col:"cache_alignment" doc:"alignment that suits the caches, in bytes"`
	TLB            int64   `col:"tlb_size_pages" doc:"4 KiB pages that the TLB covers; only AMD's CPUs tell"`
	PID            int64   `col:"collection_pid" doc:"process that wrote this table, in its own pid namespace"`
	Hooks          string  `col:"hooks" doc:"hooks that record, joined with commas; empty for a baseline"`
	TS             int64   `col:"ts_ns" doc:"when the row was sampled, CLOCK_BOOTTIME ns"`
}

// SystemInfo samples this machine: the table system_info and its one row. A
// fact that the machine does not tell is NULL, so nothing here can fail.
func SystemInfo(hooks []string) (*stream.Table, *stream.Batch) {
	h := stream.NewHeader("")
	now := stream.Now()
	row := systemInfo{
		Hostname:     h.Host,
		StartTime:    float64(h.BootUnixNS) / 1e9,
		Uptime:       float64(now) / 1e9,
		OS:           kernelName(),
		Kernel:       h.Kernel,
		Architecture: h.Arch,
		PID:          int64(os.Getpid()),
		Hooks:        strings.Join(hooks, ","),
		TS:           now,
	}
	return sample(os.DirFS("/"), row)
}

func kernelName() string {
	var u unix.Utsname
	_ = unix.Uname(&u) // cannot fail with a valid pointer
	return unix.ByteSliceToString(u.Sysname[:])
}

// sample completes the row from the files below root.
func sample(root fs.FS, row systemInfo) (*stream.Table, *stream.Batch) {
	m := &machine{root: root, unknown: []string{"ram_speed_mhz"}}
	m.memory(&row)
	m.processor(&row)
	m.topology(&row)
	m.caches(&row)
	m.frequency(&row)

	rows := stream.NewRows[systemInfo]("system_info",
		"The machine and its settings as they were when recording began: one row.", "proc")
	table := rows.Table()
	table.Unobservable = m.unknown
	rows.Append(row)
	batch := rows.Batch()
	for i, c := range table.Columns {
		if !table.Sees(c.Name) {
			batch.Columns[i] = stream.Vector{Null: true}
		}
	}
	return table, batch
}
