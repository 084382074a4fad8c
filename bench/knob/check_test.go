// SPDX-License-Identifier: Apache-2.0

package knob_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/kermit-trace/kermit/bench/knob"
	"github.com/kermit-trace/kermit/internal/asroot"
	"golang.org/x/sys/unix"
)

// The test binary is also the user without rights, and the one who sees other
// mounts: ROLE says which.
func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv("ROLE")]
	if !ok {
		asroot.Main(m)
	}
	if err := role(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

var roles = map[string]func() error{
	"nobody": func() error { return tell("swappiness=10") },
	"read-only": func() error {
		return errors.Join(
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND, ""),
			unix.Mount("", "/proc/sys", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""),
			tell("swappiness=10"))
	},
	"governors": governors,
}

// tell prints what Check says, with the hint.
func tell(words ...string) error {
	set, err := knob.Parse(words)
	if err != nil {
		return err
	}
	var e *knob.Error
	if errors.As(set.Check(), &e) {
		fmt.Printf("%v; %s\n", e, e.Hint)
	}
	return nil
}

// as runs a role.
func as(t *testing.T, role string, how *syscall.SysProcAttr) string {
	t.Helper()
	program, err := os.Open(os.Args[0]) // its folder may be closed to others
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = program.Close() }()
	cmd := exec.Command("/proc/self/fd/3")
	cmd.ExtraFiles, cmd.Dir, cmd.SysProcAttr = []*os.File{program}, "/", how
	cmd.Env = append(os.Environ(), "ROLE="+role)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v", role, err)
	}
	return strings.TrimSpace(string(out))
}

func TestCheckRefusesBeforeAnythingStarts(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	for word, says := range map[string]string{
		"swapiness=1":                     "no such setting",
		"vm.swapiness=1":                  "no such setting",
		"nodir.x.y=1":                     "no such setting",
		"/proc/sys/vm/*=1":                "no such setting",
		"swapiness=no_change":             "no such setting",
		"swappiness=201":                  `"201" is not a number from 0 to 200`,
		"swappiness=-1":                   `"-1" is not a number from 0 to 200`,
		"swappiness=ten":                  `"ten" is not a number from 0 to 200`,
		"drop_caches=4":                   `"4" is not a number from 1 to 3`,
		"vm.drop_caches=4":                `"4" is not a number from 1 to 3`,
		"khugepaged_scan_sleep_millis=1s": `"1s" is not a number`,
		"transparent_hugepages=sometimes": `"sometimes" is not one of always, madvise, never, no_change`,
		"overcommit_memory=1":             `"1" is not one of heuristic, never_check, always_check, no_change`,
		"vm.dirty_ratio=many":             `"many" is not a number`,
		"/sys/kernel/mm/transparent_hugepage/enabled=on": `"on" is not one of always, madvise, never, no_change`,
		"/sys/kernel/mm/transparent_hugepage/enbled=1":   "file does not exist",
		"/etc/passwd=1":                  "settings lie below /proc/sys and /sys",
		"/proc/1/oom_score_adj=1":        "settings lie below /proc/sys and /sys",
		"/proc/sys/../1/oom_score_adj=1": "settings lie below /proc/sys and /sys",
		"/sys/fs=1":                      "not a file",
		"/proc/sys/vm=1":                 "not a file",
		"/sys/kernel/btf/vmlinux=1":      "not a setting",
		"/sys/kernel/mm/transparent_hugepage/hpage_pmd_size=1": "permission denied",
		"vm.compact_memory=1": "permission denied",
		link + "=1":           "settings lie below /proc/sys and /sys",
	} {
		set, err := knob.Parse([]string{word})
		if err != nil {
			t.Fatal(err)
		}
		var e *knob.Error
		if err := set.Check(); !errors.As(err, &e) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: the error is %v", word, err)
		}
	}
	for _, words := range []string{"swappiness=1 vm.swappiness=2", "vm.dirty_ratio=1 vm.dirty_bytes=9999"} {
		set, _ := knob.Parse(strings.Fields(words))
		if err := set.Check(); err == nil || !strings.Contains(err.Error(), "changes the same as") {
			t.Errorf("%s: the error is %v", words, err)
		}
	}
	set, _ := knob.Parse(strings.Fields("swappiness=no_change vm.swappiness=2 cpu_governor=no_change"))
	if err := set.Check(); err != nil {
		t.Error(err)
	}
}

// Where a link leads is what counts.
func TestALinkIsFollowed(t *testing.T) {
	found, _ := filepath.Glob("/sys/block/*/queue/nr_requests")
	if len(found) == 0 {
		t.Fatal("no block device")
	}
	resolved, err := knob.Resolve(found[0])
	if err != nil || !strings.HasPrefix(resolved, "/sys/devices/") {
		t.Errorf("%s %v", resolved, err)
	}
	if _, err := knob.Resolve("/sys/class/../../etc/passwd"); err == nil {
		t.Error("a way out")
	}
}

func TestAnErrorKnowsWhatWouldHelp(t *testing.T) {
	for word, want := range map[string]struct{ known, hint string }{
		"swapiness=1":                     {known: "swappiness"},
		"vm.swapiness=1":                  {known: "vm.swappiness"},
		"vm/swapiness=1":                  {known: "vm/swappiness"},
		"transparent_hugepages=sometimes": {known: "madvise"},
		"vm.compact_memory=1":             {hint: "the kernel lets nobody read it, so it could not be put back"},
		"/sys/kernel/mm/transparent_hugepage/hpage_pmd_size=1": {hint: "the kernel lets nobody write it"},
	} {
		set, _ := knob.Parse([]string{word})
		var e *knob.Error
		if !errors.As(set.Check(), &e) {
			t.Fatal(word)
		}
		if e.Hint != want.hint || want.known != "" && (!slices.Contains(e.Known, want.known) || e.Given == "") {
			t.Errorf("%s: %+v", word, e)
		}
	}
	nobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out := as(t, "nobody", nobody); out != "knob swappiness: open /proc/sys/vm/swappiness: permission denied; run it as root: sudo" {
		t.Errorf("nobody: %s", out)
	}
	mounts := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if out := as(t, "read-only", mounts); !strings.Contains(out, "read-only file system; /proc/sys or /sys is mounted read-only") {
		t.Errorf("read-only: %s", out)
	}
}
