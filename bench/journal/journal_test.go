// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/kermit-trace/kermit/bench/knob"
	"golang.org/x/sys/unix"
)

func TestKilledAtAnyStepEverythingComesBack(t *testing.T) {
	m := theMachine(t)
	other := bystander(t)
	steps := m.steps("run", "SERVICES="+services)
	m.asBefore("a run that ended well")
	for _, want := range []string{"created", "begun", "claimed", "recorded", "written", "held", "started", "served", "ended",
		"asked", "stopped", "put back vm.extfrag_threshold", "removed"} {
		if !slices.Contains(steps, want) {
			t.Errorf("no step %q in %q", want, steps)
		}
	}
	for i, name := range steps {
		m.die(i+1, "run", "SERVICES="+services)
		if err := m.restore().Err(); err != nil {
			t.Errorf("killed at %s: %v", name, err)
		}
		m.asBefore("killed at " + name)
		if again := m.restore(); again != nil {
			t.Errorf("killed at %s: a second restore did something: %v", name, again)
		}
	}
	if !alive(other) {
		t.Error("another's process was ended")
	}
}

// TestKilledWhileTheKernelMakesAnotherValue: the kernel may round what is
// written, and the run dies before it has seen that.
func TestKilledWhileTheKernelMakesAnotherValue(t *testing.T) {
	m := theMachine(t)
	found, _ := filepath.Glob("/sys/block/*/queue/read_ahead_kb")
	if len(found) == 0 {
		t.Fatal("no block device")
	}
	file := found[0] // a number of pages
	m.before[file] = raw(t, file)
	odd := "KNOBS=" + file + "=5"
	out, _ := m.helper("run", odd).Output() // which is refused
	steps := strings.Count(string(out), "step ")
	if !strings.Contains(string(out), "step written") || strings.Contains(string(out), "step held") {
		t.Fatalf("what it did: %s", out)
	}
	m.restore() // the journal is closed by who opened it, which this run does not
	m.asBefore("a value that was refused")
	for i := range steps {
		m.die(i+1, "run", odd)
		if err := m.restore().Err(); err != nil {
			t.Errorf("killed at step %d: %v", i+1, err)
		}
		m.asBefore(fmt.Sprintf("killed at step %d", i+1))
	}
}

func TestRestoreKilledAtAnyStepIsFinishedByTheNext(t *testing.T) {
	m := theMachine(t)
	leave := func() { m.kill(m.stay("SERVICES=" + services)) }
	leave()
	steps := m.steps("restore")
	m.asBefore("a restore that ended well")
	if len(steps) < 7 { // asked, stopped, four knobs, removed
		t.Errorf("steps: %q", steps)
	}
	for i, name := range steps {
		leave()
		m.die(i+1, "restore")
		if err := m.restore().Err(); err != nil {
			t.Errorf("killed at %s: %v", name, err)
		}
		m.asBefore("restore killed at " + name)
	}
}

func TestTheNextRunUndoesWhatADeadOneLeftAndSaysSo(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay("SERVICES=exec sleep 1000"))
	var log strings.Builder
	j, err := Open(m.dir, "the next", &log)
	if err != nil {
		t.Fatal(err)
	}
	if report := j.Close(); report != nil {
		t.Errorf("a run that did nothing undid %v", report)
	}
	m.asBefore("the next run")
	for _, want := range []string{
		`(?m)^a run \(pid \d+\): knob vm.extfrag_threshold \(/proc/sys/vm/extfrag_threshold\): put back: \d+, was \d+ during the run$`,
		`(?m)^a run \(pid \d+\): process exec sleep 1000 \(pid \d+\): ended$`,
	} {
		if !regexp.MustCompile(want).MatchString(log.String()) {
			t.Errorf("the log does not say %s:\n%s", want, &log)
		}
	}
}

func TestALiveRunIsLeftAloneAndNamed(t *testing.T) {
	m := theMachine(t)
	live := m.stay("SERVICES=exec sleep 1000")
	during := raw(t, files["vm.extfrag_threshold"])
	if during == m.before[files["vm.extfrag_threshold"]] {
		t.Fatal("the run has not set its knobs")
	}
	report := m.restore()
	if len(report) != 1 || report[0].Verdict != Live || !strings.HasPrefix(report[0].String(), "a run (pid "+strconv.Itoa(live.Process.Pid)+")") {
		t.Errorf("%v", report)
	}
	j, err := Open(m.dir, "another", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	if raw(t, files["vm.extfrag_threshold"]) != during || len(m.tagged()) < 2 || len(m.journals()) != 1 {
		t.Error("the live run was undone")
	}
	m.kill(live)
	m.restore()
	m.asBefore("its end")
}

func TestAKnobThatSomebodyElseChangedIsLeft(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay("SERVICES=:"))
	file := files["vm.extfrag_threshold"]
	if err := os.WriteFile(file, []byte("33"), 0); err != nil {
		t.Fatal(err)
	}
	report := m.restore()
	if now := raw(t, file); now != "33\n" {
		t.Errorf("it is %q", now)
	}
	if err := report.Err(); err == nil || !strings.Contains(err.Error(), "knob vm.extfrag_threshold") || strings.Contains(err.Error(), "overcommit") {
		t.Errorf("the error is %v", err)
	}
	if err := os.WriteFile(file, []byte(m.before[file]), 0); err != nil {
		t.Fatal(err)
	}
	m.asBefore("the rest")
}

// edit changes the only journal's text.
func (m *machine) edit(pattern, with string) {
	m.t.Helper()
	path := m.journals()[0]
	text := raw(m.t, path)
	changed := regexp.MustCompile(pattern).ReplaceAllString(text, with)
	if changed == text {
		m.t.Fatalf("%s does not match in\n%s", pattern, text)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func TestAnotherBootsJournalChangesNothing(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay("SERVICES=exec sleep 1000"))
	during := raw(t, files["vm.extfrag_threshold"])
	m.edit(`"boot_id":"[^"]*"`, `"boot_id":"0f"`)
	report := m.restore()
	if len(report) != 1 || report[0].Verdict != Stale || report.Err() != nil {
		t.Errorf("%v", report)
	}
	if raw(t, files["vm.extfrag_threshold"]) != during || len(m.tagged()) == 0 {
		t.Error("something was undone")
	}
	if len(m.journals()) != 0 {
		t.Error("the journal is still there")
	}
}

// getStuck is a run that cannot put back its knob, and then can.
func getStuck(dir string) error {
	j, err := Open(dir, "a run", os.Stdout)
	if err != nil {
		return err
	}
	_, err = knob.Set{{Name: "vm.extfrag_threshold", Value: os.Getenv("VALUE")}}.Apply(context.Background(), j, 0)
	err = errors.Join(err, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND, ""),
		unix.Mount("", "/proc/sys", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	if err != nil {
		return err
	}
	fmt.Print("close: ", j.Close())
	err = unix.Unmount("/proc/sys", 0)
	report, err2 := Restore(context.Background(), dir)
	fmt.Print("restore: ", report)
	return errors.Join(err, err2)
}

func TestWhatCannotBePutBackStaysForTheNextTry(t *testing.T) {
	m := theMachine(t)
	cmd := m.helper("stuck", "VALUE="+other("vm.extfrag_threshold", m.before[files["vm.extfrag_threshold"]]))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	want := `(?m)^close: a run .*knob vm.extfrag_threshold .*: not undone: .*read-only file system$(?s).*^restore: a run .*: put back: `
	if err != nil || !regexp.MustCompile(want).Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
	m.asBefore("the next try")
}

func TestAFileThatIsNotClaimedIsNotChanged(t *testing.T) {
	m := theMachine(t)
	j, err := Open(m.dir, "a run", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Change(knob.Change{Name: "x", File: files["vm.extfrag_threshold"], Old: "60", New: "61"}); err == nil {
		t.Error("it was changed")
	}
	if j.Service(1<<22+1, "nobody") == nil {
		t.Error("a process that is not there was recorded")
	}
	if err := j.Close().Err(); err != nil {
		t.Error(err)
	}
	if again := j.Close(); again != nil {
		t.Errorf("closed twice: %v", again)
	}
	m.asBefore("nothing")
}

func TestAnotherNetworkNamespacesSettingIsNotPutBackHere(t *testing.T) {
	m := theMachine(t)
	const file = "/proc/sys/net/ipv4/ip_default_ttl"
	m.before[file] = raw(t, file)
	cmd := m.helper("namespace", "TTL="+strings.TrimSpace(m.before[file]))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if out, err := cmd.Output(); cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("%v\n%s", err, out)
	}
	report := m.restore()
	if err := report.Err(); err == nil || !strings.Contains(err.Error(), "of another network namespace") {
		t.Errorf("the error is %v", err)
	}
	m.asBefore("restored outside")
}

// runInNamespace changes a setting to the value that the machine's has, and
// dies.
func runInNamespace(dir string) error {
	const file = "/proc/sys/net/ipv4/ip_default_ttl"
	if err := os.WriteFile(file, []byte("77"), 0); err != nil {
		return err
	}
	j, err := Open(dir, "a run", os.Stdout)
	if err != nil {
		return err
	}
	set := knob.Set{{Name: "net.ipv4.ip_default_ttl", Value: os.Getenv("TTL")}}
	if _, err := set.Apply(context.Background(), j, 0); err != nil {
		return err
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}
