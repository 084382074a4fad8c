// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// machine reads facts from files and notes the columns that it finds none for.
type machine struct {
	root    fs.FS
	unknown []string
}

// set stores the value of a column if it is known.
func set[T any](m *machine, column string, to *T, value T, known bool) {
	if !known {
		m.unknown = append(m.unknown, column)
		return
	}
	*to = value
}

// text is the content of a file without surrounding space.
func (m *machine) text(name string) (string, bool) {
	b, err := fs.ReadFile(m.root, name)
	return strings.TrimSpace(string(b)), err == nil
}

// number is the content of a file that holds one integer.
func (m *machine) number(name string) (int64, bool) {
	s, _ := m.text(name)
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// fields reads lines "key : value"; of equal keys the first counts.
func (m *machine) fields(name string) map[string]string {
	s, _ := m.text(name)
	out := map[string]string{}
	for line := range strings.Lines(s) {
		key, value, ok := strings.Cut(line, ":")
		key = strings.TrimSpace(key)
		if _, twice := out[key]; ok && !twice {
			out[key] = strings.TrimSpace(value)
		}
	}
	return out
}

// glob lists files; the pattern is one of this package's.
func (m *machine) glob(pattern string) []string {
	names, _ := fs.Glob(m.root, pattern)
	return names
}

// size reads "32K", "8192 kB", "512M" or "4096" as bytes.
func size(s string) (int64, bool) {
	digits := strings.TrimRight(s, " kKMGB")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit := strings.TrimSpace(s[len(digits):])
	if unit == "" {
		return n, err == nil
	}
	switch unit[0] {
	case 'k', 'K':
		n <<= 10
	case 'M':
		n <<= 20
	case 'G':
		n <<= 30
	}
	return n, err == nil
}

func (m *machine) memory(row *systemInfo) {
	info := m.fields("proc/meminfo")
	kib := func(column, key string, to *int64) {
		n, ok := size(info[key])
		set(m, column, to, n, ok)
	}
	kib("swap_size_bytes", "SwapTotal", &row.Swap)
	kib("huge_page_size_bytes", "Hugepagesize", &row.HugePageSize)
	kib("ram_bytes", "MemTotal", &row.RAM)
	pages, ok := size(info["HugePages_Total"]) // a count, without a unit
	set(m, "huge_pages", &row.HugePages, pages, ok)

	modes, _ := m.text("sys/kernel/mm/transparent_hugepage/enabled") // always [madvise] never
	if _, rest, ok := strings.Cut(modes, "["); ok {
		row.THP, _, _ = strings.Cut(rest, "]")
	}
	// Renamed in 6.6, with the EEVDF scheduler.
	slice, ok := m.number("sys/kernel/debug/sched/base_slice_ns")
	if !ok {
		slice, ok = m.number("sys/kernel/debug/sched/min_granularity_ns")
	}
	set(m, "quanta_length", &row.Quanta, slice, ok)
}

func (m *machine) processor(row *systemInfo) {
	info := m.fields("proc/cpuinfo")
	vendor, ok := info["vendor_id"]
	if !ok {
		vendor, ok = info["CPU implementer"]
	}
	set(m, "manufacturer", &row.Manufacturer, vendor, ok)

	pages, _, _ := strings.Cut(info["TLB size"], " ") // 3584 4K pages
	tlb, err := strconv.ParseInt(pages, 10, 64)
	set(m, "tlb_size_pages", &row.TLB, tlb, err == nil)

	align, err := strconv.ParseInt(info["cache_alignment"], 10, 64)
	known := err == nil
	if !known {
		align, known = m.number("sys/devices/system/cpu/cpu0/cache/index0/coherency_line_size")
	}
	set(m, "cache_alignment", &row.CacheAlignment, align, known)

	// x86 has a CPUID bit for it, the device tree of ARM a node.
	flags, isX86 := info["flags"]
	_, guest := m.text("sys/firmware/devicetree/base/hypervisor/compatible")
	guest = guest || strings.Contains(" "+flags+" ", " hypervisor ")
	set(m, "is_vm", &row.VM, guest, isX86 || guest)
}

// topology counts what is online: a CPU that is not has no topology.
func (m *machine) topology(row *systemInfo) {
	cpus := m.glob("sys/devices/system/cpu/cpu[0-9]*/topology")
	packages, cores := map[string]bool{}, map[string]bool{}
	for _, dir := range cpus {
		if id, ok := m.text(path.Join(dir, "physical_package_id")); ok {
			packages[id] = true
		}
		if siblings, ok := m.text(path.Join(dir, "thread_siblings_list")); ok {
			cores[siblings] = true
		}
	}
	set(m, "sockets", &row.Sockets, int64(len(packages)), len(packages) > 0)
	set(m, "cores", &row.Cores, int64(len(cores)), len(cores) > 0)
	set(m, "logical_cores", &row.LogicalCores, int64(len(cpus)), len(cpus) > 0)
}

// caches sums sizes over all instances: CPUs that share one name it with the
// same list of CPUs.
func (m *machine) caches(row *systemInfo) {
	sum, seen := map[string]int64{}, map[string]bool{}
	for _, dir := range m.glob("sys/devices/system/cpu/cpu[0-9]*/cache/index[0-9]*") {
		level, _ := m.text(path.Join(dir, "level"))
		kind, _ := m.text(path.Join(dir, "type"))
		shared, _ := m.text(path.Join(dir, "shared_cpu_list"))
		text, _ := m.text(path.Join(dir, "size"))
		bytes, ok := size(text)
		instance := level + kind + " " + shared
		if !ok || seen[instance] {
			continue
		}
		seen[instance] = true
		if level == "1" && kind == "Instruction" {
			level = "1i"
		}
		sum[level] += bytes
	}
	for _, c := range []struct {
		level, column string
		to            *int64
	}{
		{"1i", "l1_instruction_cache_bytes", &row.L1i},
		{"1", "l1_cache_bytes", &row.L1},
		{"2", "l2_cache_bytes", &row.L2},
		{"3", "l3_cache_bytes", &row.L3},
	} {
		bytes, ok := sum[c.level]
		set(m, c.column, c.to, bytes, ok)
	}
}

func (m *machine) frequency(row *systemInfo) {
	boost, known := m.number("sys/devices/system/cpu/cpufreq/boost")
	on := boost == 1
	if off, ok := m.number("sys/devices/system/cpu/intel_pstate/no_turbo"); ok {
		on, known = off == 0, true
	}
	set(m, "cpu_freq_boost_enabled", &row.Boost, on, known)

	var low, high int64 // kHz
	for _, dir := range m.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq") {
		if khz, ok := m.number(path.Join(dir, "cpuinfo_max_freq")); ok {
			high = max(high, khz)
		}
		if khz, ok := m.number(path.Join(dir, "cpuinfo_min_freq")); ok && (low == 0 || khz < low) {
			low = khz
		}
	}
	set(m, "max_cpu_speed_mhz", &row.MaxMHz, high/1000, high > 0)
	set(m, "min_cpu_speed_mhz", &row.MinMHz, low/1000, low > 0)
}
