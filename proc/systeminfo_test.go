// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kermit-trace/kermit/stream"
)

// values sends a table and its row through the stream and returns what a
// reader sees.
func values(t *testing.T, table *stream.Table, batch *stream.Batch) map[string]any {
	t.Helper()
	var buf bytes.Buffer
	w := stream.NewWriter(&buf)
	h := stream.NewHeader("test")
	h.Tables = []string{table.Name}
	for _, err := range []error{w.Header(h), w.Table(table), w.Batch(batch), w.End()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r := stream.NewReader(&buf)
	for {
		f, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind != stream.KindBatch {
			continue
		}
		b, err := f.Batch()
		if err != nil {
			t.Fatal(err)
		}
		if b.Rows != 1 {
			t.Fatalf("%d rows, want 1", b.Rows)
		}
		out := map[string]any{}
		for i, c := range b.Table.Columns {
			out[c.Name] = b.Columns[i].Value(0)
		}
		return out
	}
}

func TestSystemInfoKeepsTheOrderKernMLOpsUsersKnow(t *testing.T) {
	table, _ := SystemInfo(nil)
	want := strings.Fields(`hostname start_time_sec uptime_sec os kernel_version swap_size_bytes
		transparent_hugepages huge_pages huge_page_size_bytes quanta_length is_vm architecture manufacturer
		sockets cores logical_cores cpu_freq_boost_enabled max_cpu_speed_mhz min_cpu_speed_mhz ram_bytes
		ram_speed_mhz l1_instruction_cache_bytes l1_cache_bytes l2_cache_bytes l3_cache_bytes cache_alignment
		tlb_size_pages collection_pid hooks ts_ns`)
	var got []string
	for _, c := range table.Columns {
		got = append(got, c.Name)
		if c.Doc == "" {
			t.Errorf("column %s: no doc", c.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("columns\n%q, want\n%q", got, want)
	}
}

// TestSystemInfoAgreesWithLscpu asks lscpu and uname about the same machine.
func TestSystemInfoAgreesWithLscpu(t *testing.T) {
	table, batch := SystemInfo([]string{"page_fault", "tcp_v4_rcv"})
	got := values(t, table, batch)
	if got["hooks"] != "page_fault,tcp_v4_rcv" {
		t.Errorf("hooks %q", got["hooks"])
	}
	for column, flag := range map[string]string{"os": "-s", "kernel_version": "-r", "architecture": "-m", "hostname": "-n"} {
		out, err := exec.Command("uname", flag).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got[column] != strings.TrimSpace(string(out)) {
			t.Errorf("%s is %v, uname %s says %s", column, got[column], flag, out)
		}
	}
	lscpu := lscpu(t)
	for column, key := range map[string]string{
		"manufacturer": "Vendor ID:", "sockets": "Socket(s):", "logical_cores": "CPU(s):",
		"l1_cache_bytes": "L1d cache:", "l1_instruction_cache_bytes": "L1i cache:",
		"l2_cache_bytes": "L2 cache:", "l3_cache_bytes": "L3 cache:",
	} {
		want, ok := lscpu[key]
		if !ok {
			continue // lscpu does not know either
		}
		if n, err := strconv.ParseInt(want, 10, 64); err == nil {
			if got[column] != n {
				t.Errorf("%s is %v, lscpu says %d", column, got[column], n)
			}
		} else if got[column] != want {
			t.Errorf("%s is %v, lscpu says %s", column, got[column], want)
		}
	}
	if _, guest := lscpu["Hypervisor vendor:"]; guest != (got["is_vm"] == true) {
		t.Errorf("is_vm is %v, lscpu's hypervisor vendor is %q", got["is_vm"], lscpu["Hypervisor vendor:"])
	}
}

func lscpu(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("lscpu", "--json", "--bytes").Output()
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		Field, Data string
		Children    []node
	}
	var doc struct{ Lscpu []node }
	if err := json.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	var walk func([]node)
	walk = func(nodes []node) {
		for _, n := range nodes {
			all[n.Field], _, _ = strings.Cut(n.Data, " (")
			walk(n.Children)
		}
	}
	walk(doc.Lscpu)
	return all
}

func TestMachineWithoutFilesHasNullsNotZeros(t *testing.T) {
	table, batch := sample(fstest.MapFS{}, systemInfo{OS: "Linux", TS: 7})
	got := values(t, table, batch)
	for _, column := range []string{"sockets", "ram_bytes", "max_cpu_speed_mhz", "is_vm", "manufacturer", "l3_cache_bytes"} {
		if got[column] != nil || table.Sees(column) {
			t.Errorf("%s is %v and declared as seen: %v; want NULL and unobservable", column, got[column], table.Sees(column))
		}
	}
	if got["os"] != "Linux" || got["ts_ns"] != int64(7) {
		t.Errorf("what is known was lost: %v", got)
	}
}

// TestLargeMachine is a machine that no test runs on: two packages, threads,
// shared caches, frequencies, a CPU that is offline.
func TestLargeMachine(t *testing.T) {
	files := fstest.MapFS{
		"sys/devices/system/cpu/cpu4/online":         file("0"),
		"sys/devices/system/cpu/cpufreq/boost":       file("1\n"),
		"sys/kernel/debug/sched/base_slice_ns":       file("2800000\n"),
		"sys/kernel/mm/transparent_hugepage/enabled": file("always [madvise] never\n"),
		"proc/meminfo": file("MemTotal: 1024 kB\nHugePages_Total:   512\nHugepagesize: 2048 kB\nSwapTotal: 0 kB\n"),
		"proc/cpuinfo": file("processor : 0\nvendor_id : GenuineIntel\nflags : fpu vme\ncache_alignment : 128\nno colon here\n"),
		"sys/devices/system/cpu/cpu0/cpufreq/unrelated": file("x"),
	}
	for cpu, id := range []string{"0", "1", "2", "3"} {
		dir := "sys/devices/system/cpu/cpu" + id + "/"
		pair := []string{"0-1", "2-3"}[cpu/2]
		files[dir+"topology/physical_package_id"] = file([]string{"0", "36"}[cpu/2])
		files[dir+"topology/thread_siblings_list"] = file(pair)
		files[dir+"cpufreq/cpuinfo_max_freq"] = file([]string{"3000000", "3500000", "3000000", "3000000"}[cpu])
		files[dir+"cpufreq/cpuinfo_min_freq"] = file("800000")
		for index, c := range [][3]string{{"1", "Data", "48K"}, {"1", "Instruction", "32K"}, {"2", "Unified", "2M"}} {
			at := dir + "cache/index" + strconv.Itoa(index) + "/"
			files[at+"level"], files[at+"type"], files[at+"size"] = file(c[0]), file(c[1]), file(c[2])
			files[at+"shared_cpu_list"] = file(pair)
		}
	}
	table, batch := sample(files, systemInfo{})
	got := values(t, table, batch)
	for column, want := range map[string]any{
		"sockets": int64(2), "cores": int64(2), "logical_cores": int64(4), "is_vm": false,
		"max_cpu_speed_mhz": int64(3500), "min_cpu_speed_mhz": int64(800), "cpu_freq_boost_enabled": true,
		"l1_cache_bytes": int64(96 << 10), "l1_instruction_cache_bytes": int64(64 << 10), "l2_cache_bytes": int64(4 << 20),
		"l3_cache_bytes": nil, "cache_alignment": int64(128), "tlb_size_pages": nil, "manufacturer": "GenuineIntel",
		"huge_pages": int64(512), "huge_page_size_bytes": int64(2 << 20), "swap_size_bytes": int64(0), "ram_bytes": int64(1 << 20),
		"transparent_hugepages": "madvise", "quanta_length": int64(2800000),
	} {
		if got[column] != want {
			t.Errorf("%s is %v, want %v", column, got[column], want)
		}
	}
}

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
