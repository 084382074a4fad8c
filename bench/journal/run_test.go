// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/bench/knob"
	"github.com/kermit-trace/kermit/internal/asroot"
)

// The test binary is also the run that dies: ROLE says what it does, in the
// folder STATE, and DIE at which step it kills itself.
func TestMain(m *testing.M) {
	role := os.Getenv("ROLE")
	if role == "" {
		asroot.Main(m)
	}
	die, _ := strconv.Atoi(os.Getenv("DIE"))
	count := 0
	step = func(name string) {
		count++
		fmt.Println("step", name)
		if count == die {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	if err := roles[role](os.Getenv("STATE")); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	os.Exit(0)
}

var roles = map[string]func(dir string) error{
	"run":       run,
	"restore":   func(dir string) error { _, err := Restore(context.Background(), dir); return err },
	"namespace": runInNamespace,
	"dir":       printDir,
	"stuck":     getStuck,
}

// run is a run with all that a run can leave.
func run(dir string) error {
	j, err := Open(dir, "a run", os.Stdout)
	if err != nil {
		return err
	}
	set, err := knob.Parse(strings.Fields(os.Getenv("KNOBS")))
	if err != nil {
		return err
	}
	if _, err := set.Apply(context.Background(), j, 0); err != nil {
		return err
	}
	for _, script := range strings.Split(os.Getenv("SERVICES"), ";;") {
		cmd := exec.Command("sh", "-c", script)
		cmd.Env = append(os.Environ(), j.Mark())
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			return err
		}
		step("started")
		if err := j.Service(cmd.Process.Pid, script); err != nil {
			return err
		}
		if strings.HasPrefix(script, ":") {
			if err := errors.Join(cmd.Wait(), j.ServiceEnded(cmd.Process.Pid)); err != nil {
				return err
			}
		} else {
			go func() { _ = cmd.Wait() }() // one that has ended is gone for good
		}
	}
	if os.Getenv("STAY") != "" {
		fmt.Println("ready")
		time.Sleep(time.Hour)
	}
	return j.Close().Err()
}

// machine is what the tests change: four files, and processes with a tag.
type machine struct {
	t      *testing.T
	dir    string
	tag    string
	before map[string]string // raw text of each file
	knobs  string
}

// Settings that no other test touches.
var files = map[string]string{
	"vm.extfrag_threshold":         "/proc/sys/vm/extfrag_threshold",
	"vm.watermark_boost_factor":    "/proc/sys/vm/watermark_boost_factor",
	khugepaged:                     khugepaged,
	"transparent_hugepages_defrag": "/sys/kernel/mm/transparent_hugepage/defrag",
}

const khugepaged = "/sys/kernel/mm/transparent_hugepage/khugepaged/alloc_sleep_millisecs"

// theMachine chooses values that differ from the present ones, and sees to it
// that all is as it was after the test, whatever the code does.
func theMachine(t *testing.T) *machine {
	m := &machine{t: t, dir: filepath.Join(t.TempDir(), "state"), before: map[string]string{}}
	m.tag = "KERMIT_TEST=" + filepath.Base(filepath.Dir(m.dir)) + t.Name() + strconv.Itoa(os.Getpid())
	var knobs []string
	for name, file := range files {
		m.before[file] = raw(t, file)
		knobs = append(knobs, name+"="+other(name, m.before[file]))
	}
	m.knobs = strings.Join(knobs, " ")
	t.Cleanup(func() {
		for file, text := range m.before {
			value := strings.TrimSpace(text)
			if _, rest, ok := strings.Cut(value, "["); ok {
				value, _, _ = strings.Cut(rest, "]")
			}
			if raw(t, file) != text {
				_ = os.WriteFile(file, []byte(value), 0)
			}
		}
		for _, pid := range m.tagged() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return m
}

// other is a harmless value that is not the present one.
func other(name, now string) string {
	values := map[string][]string{
		"vm.extfrag_threshold": {"501", "502"}, "vm.watermark_boost_factor": {"15001", "15002"},
		khugepaged: {"60001", "60002"}, "transparent_hugepages_defrag": {"[defer+madvise]", "[madvise]"},
	}[name]
	i := slices.IndexFunc(values, func(v string) bool { return !strings.Contains(now, v) })
	return strings.Trim(values[i], "[]")
}

func raw(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tagged lists the processes that the runs of this test have started, by a
// witness of its own.
func (m *machine) tagged() []int {
	var pids []int
	found, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range found {
		env, _ := os.ReadFile(path)
		if pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path))); bytes.Contains(env, []byte(m.tag)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// helper is the command of a role, with variables more.
func (m *machine) helper(role string, vars ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ROLE="+role, "STATE="+m.dir, "KNOBS="+m.knobs, m.tag)
	cmd.Env = append(cmd.Env, vars...)
	return cmd
}

// services leave what is hard to find: children, a daemon that left the group,
// one whose parent has gone, one that ignores nothing but SIGKILL is slow and
// has a test of its own.
const services = `exec sleep 1000;;sleep 1000 & setsid sleep 1000 & wait;;: ended;;sleep 1000 & exit`

// steps of a role, in order.
func (m *machine) steps(role string, vars ...string) []string {
	out, err := m.helper(role, vars...).Output()
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", role, err, out)
	}
	var steps []string
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "step "); ok {
			steps = append(steps, name)
		}
	}
	return steps
}

// die runs a role that kills itself at a step. Its output goes to a file: its
// services have it too, and would hold a pipe open.
func (m *machine) die(at int, role string, vars ...string) {
	m.t.Helper()
	out, err := os.Create(filepath.Join(m.t.TempDir(), "out"))
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	cmd := m.helper(role, append(vars, "DIE="+strconv.Itoa(at))...)
	cmd.Stdout = out
	err = cmd.Run()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
		m.t.Fatalf("%s did not die at step %d: %v\n%s", role, at, err, raw(m.t, out.Name()))
	}
}

// stay starts a run that stays until the test ends, or kills it.
func (m *machine) stay(vars ...string) *exec.Cmd {
	m.t.Helper()
	cmd := m.helper("run", append(vars, "STAY=1")...)
	out, err := os.Create(filepath.Join(m.t.TempDir(), "out"))
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	m.until("the run is ready", func() bool { return strings.Contains(raw(m.t, out.Name()), "ready\n") })
	return cmd
}

func (m *machine) until(what string, ok func() bool) {
	m.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("20 s passed before %s", what)
		}
	}
}

// kill ends a run as nothing can prevent.
func (m *machine) kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func (m *machine) restore() Report {
	m.t.Helper()
	report, err := Restore(context.Background(), m.dir)
	if err != nil {
		m.t.Fatal(err)
	}
	return report
}

// asBefore tells whether the machine is as before the runs.
func (m *machine) asBefore(after string) {
	m.t.Helper()
	for file, text := range m.before {
		if now := raw(m.t, file); now != text {
			m.t.Errorf("%s: %s is %q, was %q", after, file, now, text)
		}
	}
	for _, pid := range m.tagged() {
		if p, err := look(pid); err == nil && !p.zombie {
			m.t.Errorf("%s: process %d %s still runs", after, pid, p.name)
		}
	}
	if left := m.journals(); len(left) != 0 {
		m.t.Errorf("%s: journals are left: %q", after, left)
	}
}

func (m *machine) journals() []string {
	found, _ := filepath.Glob(filepath.Join(m.dir, "*"+suffix))
	return found
}

// bystander is a process that is no run's business.
func bystander(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func alive(cmd *exec.Cmd) bool {
	p, err := look(cmd.Process.Pid)
	return err == nil && !p.zombie
}
