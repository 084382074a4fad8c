// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kermit-trace/kermit/bench/knob"
	"golang.org/x/sys/unix"
)

func TestATornLastLineIsAnActThatNeverHappened(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay("SERVICES=:"))
	whole := raw(t, m.journals()[0])
	torn := `{"knob":{"name":"vm.extfrag_threshold","file":"/proc/sys/vm/extfrag_threshold","old":"99","new":"98"}}`
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
			during := raw(t, files["vm.extfrag_threshold"])
			m.edit(damage[0], damage[1])
			report := m.restore()
			if err := report.Err(); err == nil || !strings.Contains(err.Error(), m.journals()[0]+": journal: not undone: read: line ") {
				t.Errorf("the error is %v", err)
			}
			if raw(t, files["vm.extfrag_threshold"]) != during {
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
	file := files["vm.extfrag_threshold"]
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
