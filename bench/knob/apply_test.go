// SPDX-License-Identifier: Apache-2.0

package knob_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/kermit-trace/kermit/bench/journal"
	"github.com/kermit-trace/kermit/bench/knob"
	"golang.org/x/sys/unix"
)

// raw is a file's text; it is put back after the test.
func raw(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

func keep(t *testing.T, file string) {
	old, err := knob.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = knob.Write(file, old.Value) })
}

// apply applies settings for a run, whose journal is returned.
func apply(t *testing.T, dir string, words ...string) (*journal.Journal, knob.Values, error) {
	t.Helper()
	j, err := journal.Open(dir, "a run", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	set, err := knob.Parse(words)
	if err != nil {
		t.Fatal(err)
	}
	values, err := set.Apply(context.Background(), j, 0)
	return j, values, err
}

// Huge pages and overcommit are set to what they are: other tests count on them.
func TestValuesBeforeAndDuringAreTheKernelsInTheUsersWords(t *testing.T) {
	for file, value := range map[string]string{shmem: "never", threshold: "500"} {
		keep(t, file)
		if err := knob.Write(file, value); err != nil {
			t.Fatal(err)
		}
	}
	show := func() string { return raw(t, shmem) + "; " + raw(t, threshold) }
	before := show()
	_, pages, _ := strings.Cut(raw(t, "/sys/kernel/mm/transparent_hugepage/enabled"), "[")
	pages, _, _ = strings.Cut(pages, "]")
	memory := map[string]string{"0": "heuristic", "1": "never_check", "2": "always_check"}[raw(t, overcommit)]
	rmem := raw(t, "/proc/sys/net/ipv4/tcp_rmem")
	spaced := strings.Join(strings.Fields(rmem), " ")
	dir := t.TempDir()
	j, values, err := apply(t, dir, "transparent_hugepages_defrag=no_change", "transparent_hugepages="+pages, shmem+"=advise",
		"overcommit_memory="+memory, "vm.extfrag_threshold=0x20", "net.ipv4.tcp_rmem="+spaced)
	want := fmt.Sprintf(`{"transparent_hugepages":{"before":"%[1]s","during":"%[1]s"},`+
		`"%[2]s":{"before":"never","during":"advise"},`+
		`"overcommit_memory":{"before":"%[4]s","during":"%[4]s"},`+
		`"vm.extfrag_threshold":{"before":"500","during":"32"},`+
		`"net.ipv4.tcp_rmem":{"before":"%[3]s","during":"%[3]s"}}`, pages, shmem, spaced, memory)
	if err != nil || values.String() != want {
		t.Errorf("%v\n%s, want\n%s", err, values, want)
	}
	if got := show(); got != "always within_size [advise] never deny force; 32" {
		t.Errorf("during: %s", got)
	}
	found, _ := filepath.Glob(dir + "/*.journal")
	if text := raw(t, found[0]); strings.Count(text, `{"knob":`) != 2 {
		t.Errorf("not two have changed:\n%s", text)
	}
	if report := j.Close(); report.Err() != nil || len(report) != 2 {
		t.Errorf("%v", report)
	}
	if got := show(); got != before {
		t.Errorf("afterwards: %s, before: %s", got, before)
	}
}

const (
	shmem      = "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
	overcommit = "/proc/sys/vm/overcommit_memory"
	threshold  = "/proc/sys/vm/extfrag_threshold"
)

func TestAValueThatTheKernelRefusesOrChangesIsAnErrorAndComesBack(t *testing.T) {
	ahead, _ := filepath.Glob("/sys/block/*/queue/read_ahead_kb") // the kernel rounds it to pages
	for word, says := range map[string]string{
		"vm.overcommit_memory=7": "write /proc/sys/vm/overcommit_memory: invalid argument",
		ahead[0] + "=5":          `the kernel made "4" of "5"`,
	} {
		file, _, _ := strings.Cut(word, "=")
		if file == "vm.overcommit_memory" {
			file = overcommit
		}
		keep(t, file)
		keep(t, threshold)
		before := raw(t, file) + raw(t, threshold)
		old := raw(t, file)
		j, values, err := apply(t, t.TempDir(), "vm.extfrag_threshold=477", word, "vm.page-cluster=4")
		if err == nil || !strings.Contains(err.Error(), says) || len(values) != 1 {
			t.Errorf("%s: %v, the error is %v", word, values, err)
		}
		if now := raw(t, file); now != old {
			t.Errorf("%s: at once it is %s, was %s", word, now, old)
		}
		if err := j.Close().Err(); err != nil {
			t.Error(err)
		}
		if now := raw(t, file) + raw(t, threshold); now != before {
			t.Errorf("%s: in the end %s", word, now)
		}
	}
}

// cached counts the pages of a file that are in memory.
func cached(t *testing.T, f *os.File, pages int) int {
	t.Helper()
	memory, err := unix.Mmap(int(f.Fd()), 0, pages*os.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(memory) }()
	vec := make([]byte, pages)
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&memory[0])), uintptr(len(memory)), uintptr(unsafe.Pointer(&vec[0]))); errno != 0 {
		t.Fatal(errno)
	}
	count := 0
	for _, v := range vec {
		count += int(v & 1)
	}
	return count
}

// Pages that were just written are dropped too: they are on the disk first.
func TestDropCachesForgetsEvenWhatWasJustWritten(t *testing.T) {
	const pages = 64
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Write(make([]byte, pages*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if n := cached(t, f, pages); n != pages {
		t.Fatalf("%d of %d pages in memory", n, pages)
	}
	j, values, err := apply(t, t.TempDir(), "drop_caches=3")
	if want := `{"drop_caches":{"before":null,"during":"3"}}`; err != nil || values.String() != want {
		t.Errorf("%s %v", values, err)
	}
	if n := cached(t, f, pages); n != 0 {
		t.Errorf("%d pages are still in memory", n)
	}
	if report := j.Close(); report != nil {
		t.Errorf("%v", report)
	}
}

func TestEachPolicyHasItsGovernorBack(t *testing.T) {
	out := as(t, "governors", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS})
	want := `knob cpu_governor: /sys/devices/system/cpu/cpufreq/policy*/scaling_governor: file does not exist; ` +
		`no driver scales this machine's CPUs; virtual machines have none
knob cpu_governor: "ondemand" is not one of powersave, schedutil, no_change; 
{"cpu_governor":{"before":"policy0=schedutil policy1=powersave","during":"powersave"}}
powersave powersave
<nil>
schedutil powersave
{"cpu_governor":{"before":"policy0=schedutil policy1=powersave","during":"schedutil"}}
schedutil schedutil
<nil>
schedutil powersave`
	if out != want {
		t.Errorf("%s", out)
	}
}

// governors makes policies of its own, as a kernel with cpufreq shows them:
// virtual machines have none. The names are equally long: this file system keeps
// what a shorter one does not overwrite.
func governors() error {
	const dir = "/sys/devices/system/cpu/cpufreq"
	err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("none", dir, "tmpfs", 0, ""),
		tell("cpu_governor=performance"))
	var files []string
	for policy, governor := range map[string]string{"policy0": "schedutil", "policy1": "powersave"} {
		policy = filepath.Join(dir, policy)
		err = errors.Join(err, os.Mkdir(policy, 0o755),
			os.WriteFile(policy+"/scaling_available_governors", []byte("powersave schedutil \n"), 0o444),
			os.WriteFile(policy+"/scaling_governor", []byte(governor+"\n"), 0o644))
		files = append(files, policy+"/scaling_governor")
	}
	slices.Sort(files)
	show := func() {
		var now []string
		for _, file := range files {
			state, _ := knob.Read(file)
			now = append(now, strings.Fields(state.Value)[0])
		}
		fmt.Println(strings.Join(now, " "))
	}
	err = errors.Join(err, tell("cpu_governor=ondemand"))
	for _, value := range []string{"powersave", "schedutil"} {
		state, e := os.MkdirTemp("", "state")
		j, e2 := journal.Open(state, "a run", os.Stdout)
		if err = errors.Join(err, e, e2); err != nil {
			return err
		}
		values, e := knob.Set{{Name: "cpu_governor", Value: value}}.Apply(context.Background(), j, 0)
		fmt.Println(values)
		show()
		fmt.Println(j.Close().Err())
		show()
		err = errors.Join(err, e, os.RemoveAll(state))
	}
	return err
}

func TestWhatAFileShowsIsItsValue(t *testing.T) {
	dir := "/sys/kernel/mm/transparent_hugepage/"
	state, err := knob.Read(dir + "enabled")
	if err != nil || !slices.Equal(state.Choices, []string{"always", "madvise", "never"}) || !strings.Contains(raw(t, dir+"enabled"), "["+state.Value+"]") {
		t.Errorf("%+v %v", state, err)
	}
	state, err = knob.Read("/proc/sys/net/ipv4/tcp_rmem")
	if err != nil || state.Choices != nil || state.Value != raw(t, "/proc/sys/net/ipv4/tcp_rmem") {
		t.Errorf("%+v %v", state, err)
	}
	if _, err := knob.Read(dir + "nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
