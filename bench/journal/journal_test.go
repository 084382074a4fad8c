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
	"time"

	"github.com/kermit-trace/kermit/bench/knob"
	"golang.org/x/sys/unix"
)

func TestKilledAtAnyStepEverythingComesBack(t *testing.T) {
	m := theMachine(t)
	other := bystander(t)
	steps := m.steps("run", "SERVICES="+services)
	m.asBefore("a run that ended well")
	for _, want := range []string{"created", "begun", "claimed", "recorded", "written", "started", "served", "ended",
		"asked", "stopped", "put back swappiness", "removed"} {
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
		`(?m)^a run \(pid \d+\): knob swappiness \(/proc/sys/vm/swappiness\): put back: \d+, was \d+ during the run$`,
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
	during := raw(t, files["swappiness"])
	if during == m.before[files["swappiness"]] {
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
	if raw(t, files["swappiness"]) != during || len(m.tagged()) < 2 || len(m.journals()) != 1 {
		t.Error("the live run was undone")
	}
	m.kill(live)
	m.restore()
	m.asBefore("its end")
}

func TestAKnobThatSomebodyElseChangedIsLeft(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay("SERVICES=:"))
	file := files["swappiness"]
	if err := os.WriteFile(file, []byte("33"), 0); err != nil {
		t.Fatal(err)
	}
	report := m.restore()
	if now := raw(t, file); now != "33\n" {
		t.Errorf("it is %q", now)
	}
	if err := report.Err(); err == nil || !strings.Contains(err.Error(), "knob swappiness") || strings.Contains(err.Error(), "overcommit") {
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
	during := raw(t, files["swappiness"])
	m.edit(`"boot_id":"[^"]*"`, `"boot_id":"0f"`)
	report := m.restore()
	if len(report) != 1 || report[0].Verdict != Stale || report.Err() != nil {
		t.Errorf("%v", report)
	}
	if raw(t, files["swappiness"]) != during || len(m.tagged()) == 0 {
		t.Error("something was undone")
	}
	if len(m.journals()) != 0 {
		t.Error("the journal is still there")
	}
}

// The number of a recorded process is another's by now: neither it, nor its
// group, nor its children are the run's.
func TestANumberThatIsAnothersByNowIsNotKilled(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay("SERVICES=sleep 1000 & wait"))
	m.edit(`"mark":"`, `"mark":"x`)
	m.edit(`("service":\{[^}]*"start":)`, `${1}1`)
	before := m.tagged()
	if report := m.restore(); report.Err() != nil || strings.Contains(report.String(), "process") {
		t.Errorf("%v", report)
	}
	if now := m.tagged(); len(before) != 2 || !slices.Equal(now, before) {
		t.Errorf("processes: %v, now %v", before, now)
	}
}

// What overwrites its environment, as servers do that set their title, is known
// by its group; what leaves its group by its environment.
func TestOrphansAreFoundByGroupOrMark(t *testing.T) {
	for name, c := range map[string]struct{ script, pattern, with string }{
		"group of a leader that has gone": {"sleep 1000 & exit", `"mark":"`, `"mark":"x`},
		"mark, in a session of its own":   {"setsid sleep 1000 & exit", `$^`, ""},
		"mark, never recorded":            {"exec sleep 1000", `\{"service".*\n`, ""},
		"child of a known one":            {"setsid sleep 1000 & wait", `"mark":"`, `"mark":"x`},
	} {
		t.Run(name, func(t *testing.T) {
			m := theMachine(t)
			run := m.stay("SERVICES=" + c.script)
			m.until("the child runs alone", func() bool {
				for _, pid := range m.tagged() {
					if p, err := look(pid); err == nil && p.name == "sleep" {
						return true
					}
				}
				return false
			})
			m.kill(run)
			if c.with != "" || strings.HasPrefix(c.pattern, `\{`) {
				m.edit(c.pattern, c.with)
			}
			if report := m.restore(); report.Err() != nil || !strings.Contains(report.String(), "ended") {
				t.Errorf("%v", report)
			}
			m.asBefore(name)
		})
	}
}

func TestWhatIgnoresSIGTERMIsKilledAfterGrace(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay(`SERVICES=trap "" TERM; while :; do sleep 1; done;;exec sleep 1000`))
	for _, pid := range m.tagged() {
		if p, err := look(pid); err == nil && p.name == "sleep" {
			_ = syscall.Kill(pid, syscall.SIGSTOP) // one that is stopped must see SIGTERM, too
		}
	}
	begin := time.Now()
	report := m.restore()
	if took := time.Since(begin); took < Grace {
		t.Errorf("killed after %s", took)
	}
	if err := report.Err(); err != nil || !strings.Contains(report.String(), ": killed") || !regexp.MustCompile(`exec sleep 1000 \(pid \d+\): ended`).MatchString(report.String()) {
		t.Errorf("%v", report)
	}
	m.asBefore("SIGKILL")
}

func TestATornLastLineIsAnActThatNeverHappened(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay("SERVICES=:"))
	whole := raw(t, m.journals()[0])
	torn := `{"knob":{"name":"swappiness","file":"/proc/sys/vm/swappiness","old":"99","new":"98"}}`
	if h, err := parse([]byte(whole + torn)); err != nil || len(h.changes) != len(files) {
		t.Errorf("%v", err)
	}
	for cut := range len(torn) {
		if _, err := parse([]byte(whole + torn[:cut])); err != nil {
			t.Errorf("cut after %q: %v", torn[:cut], err)
		}
	}
	for cut := range strings.Index(whole, "\n") {
		if h, err := parse([]byte(whole[:cut])); err != nil || h.header != nil {
			t.Errorf("cut after %q: %v", whole[:cut], err)
		}
	}
	if err := os.WriteFile(m.journals()[0], []byte(whole+torn[:40]), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.restore().Err(); err != nil {
		t.Error(err)
	}
	m.asBefore("a torn line")
}

func TestADamagedJournalIsKeptAndNamed(t *testing.T) {
	for name, damage := range map[string][2]string{
		"garbage":         {`\{"claim"`, `{"cl\x00im"`},
		"another version": {`"version":1`, `"version":2`},
		"no run":          {`^[^\n]*\n`, ""},
		"two runs":        {`^([^\n]*\n)`, "$1$1"},
	} {
		t.Run(name, func(t *testing.T) {
			m := theMachine(t)
			m.kill(m.stay("SERVICES=:"))
			whole := raw(t, m.journals()[0])
			during := raw(t, files["swappiness"])
			m.edit(damage[0], damage[1])
			report := m.restore()
			if err := report.Err(); err == nil || !strings.Contains(err.Error(), m.journals()[0]+": journal: not undone: read: line ") {
				t.Errorf("the error is %v", err)
			}
			if raw(t, files["swappiness"]) != during {
				t.Error("a knob was put back")
			}
			if err := os.WriteFile(m.journals()[0], []byte(whole), 0o600); err != nil {
				t.Fatal(err)
			}
			m.restore()
			m.asBefore("it was mended")
		})
	}
}

func TestAStateFolderThatCannotBeTrustedOrUsedIsRefused(t *testing.T) {
	base := t.TempDir()
	for name, c := range map[string]struct {
		make func(dir string) error
		says string
	}{
		"a file":          {func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, "not a directory"},
		"writable by all": {func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)) }, "can be written by others: mode 0777"},
		"another user's":  {func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 12345, 0)) }, "belongs to another user (uid 12345)"},
		"read-only": {func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), mount(t, "tmpfs", dir, unix.MS_RDONLY, "mode=0700"))
		}, "read-only file system"},
		"full": {func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), full(t, dir)) }, "no space left on device"},
		"with a lock's link": {func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Symlink("/etc/passwd", dir+"/lock"))
		}, "too many levels of symbolic links"},
	} {
		dir := filepath.Join(base, strings.ReplaceAll(name, " ", "-"))
		if err := c.make(dir); err != nil {
			t.Fatal(name, err)
		}
		_, err := Open(dir, "a run", os.Stderr)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: the error is %v", name, err)
		}
		if found, _ := filepath.Glob(dir + "/*" + suffix); len(found) != 0 {
			t.Errorf("%s: left %q", name, found)
		}
	}
}

func mount(t *testing.T, fs, dir string, flags uintptr, data string) error {
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return unix.Mount("none", dir, fs, flags, data)
}

// full mounts a file system without a free block.
func full(t *testing.T, dir string) error {
	if err := mount(t, "tmpfs", dir, 0, "size=64k,mode=0700"); err != nil {
		return err
	}
	if err := os.WriteFile(dir+"/ballast", make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		return errors.Join(errors.New("not full"), err)
	}
	return nil
}

// A record that does not fit means that its knob is not touched; the records
// before it stay good.
func TestAFullDiskLeavesTheKnobAlone(t *testing.T) {
	m := theMachine(t)
	if err := errors.Join(os.Mkdir(m.dir, 0o700), mount(t, "tmpfs", m.dir, 0, "size=64k,mode=0700")); err != nil {
		t.Fatal(err)
	}
	j, err := Open(m.dir, "a run", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	file := files["swappiness"]
	if err := j.Claim(context.Background(), 0, file); err != nil {
		t.Fatal(err)
	}
	old := strings.TrimSpace(raw(t, file))
	if err := j.Change(knob.Change{Name: "first", File: file, Old: old, New: "61"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.dir+"/ballast", make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	for { // the block that the journal already has
		err = j.Change(knob.Change{Name: strings.Repeat("x", 200), File: file, Old: "61", New: "62"})
		if err != nil {
			break
		}
		if err := os.WriteFile(file, []byte("61"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if !errors.Is(err, unix.ENOSPC) || raw(t, file) != "61\n" {
		t.Errorf("the error is %v, the knob %q", err, raw(t, file))
	}
	if _, err := parse([]byte(raw(t, m.journals()[0]))); err != nil {
		t.Error(err)
	}
	if err := j.Close().Err(); err != nil {
		t.Error(err)
	}
	m.asBefore("a full disk")
}

func TestAFileThatIsNotClaimedIsNotChanged(t *testing.T) {
	m := theMachine(t)
	j, err := Open(m.dir, "a run", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Change(knob.Change{Name: "x", File: files["swappiness"], Old: "60", New: "61"}); err == nil {
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

// Process numbers of another pid namespace mean others here.
func TestAnotherPidNamespacesNumbersAreNotKilled(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay("SERVICES=exec sleep 1000"))
	m.edit(`"mark":"`, `"mark":"x`)
	m.edit(`"pid_ns":"[^"]*"`, `"pid_ns":"pid:[1]"`)
	if report := m.restore(); report.Err() != nil || len(report) != len(files) {
		t.Errorf("%v", report)
	}
	if len(m.tagged()) != 1 {
		t.Error("it was ended")
	}
}

func TestNobodyRestoresTheRunThatItBelongsTo(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay("SERVICES=exec sleep 1000"))
	mark := regexp.MustCompile(`"mark":"([^"]*)"`).FindStringSubmatch(raw(t, m.journals()[0]))[1]
	cmd := m.helper("restore", markName+mark)
	out, err := cmd.CombinedOutput()
	if err != nil || len(m.tagged()) == 0 {
		t.Errorf("%v, %d processes are left\n%s", err, len(m.tagged()), out)
	}
	m.restore()
	m.asBefore("restored from outside")
}

// asNobody runs a role of this test binary without rights.
func (m *machine) asNobody(role string, vars ...string) string {
	m.t.Helper()
	cmd := m.helper(role, vars...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	program, err := os.Open(os.Args[0]) // its folder may be closed to others
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = program.Close() }()
	cmd.Path, cmd.ExtraFiles, cmd.Dir = "/proc/self/fd/3", []*os.File{program}, "/"
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// printDir prints the default folder, and what becomes of a run in another.
func printDir(dir string) error {
	own, err := Dir("")
	fmt.Println(own, err)
	_, err = Open(dir, "a run", os.Stdout)
	fmt.Println(err)
	return nil
}

func TestDirIsTheUsersOwnUnlessRootOrTold(t *testing.T) {
	if dir, err := Dir(""); dir != "/var/lib/kermit" || err != nil {
		t.Errorf("root: %s %v", dir, err)
	}
	if dir, err := Dir("state"); !filepath.IsAbs(dir) || filepath.Base(dir) != "state" || err != nil {
		t.Errorf("told: %s %v", dir, err)
	}
	m := &machine{t: t, dir: "/var/lib/kermit-test"}
	for vars, want := range map[string]string{
		"XDG_STATE_HOME=/x HOME=/y": "/x/kermit <nil>",
		"XDG_STATE_HOME=x HOME=/y":  "/y/.local/state/kermit <nil>",
		"XDG_STATE_HOME= HOME=":     "find state folder: $HOME is not defined",
	} {
		out := m.asNobody("dir", strings.Fields(vars)...)
		if !strings.Contains(out, want) || !strings.HasSuffix(out, "\nmake state folder: mkdir /var/lib/kermit-test: permission denied") {
			t.Errorf("%s: %s", vars, out)
		}
	}
}
