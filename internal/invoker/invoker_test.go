// SPDX-License-Identifier: Apache-2.0

package invoker

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/kermit-trace/kermit/internal/asroot"
)

func TestMain(m *testing.M) { asroot.Main(m) }

// called has a user call sudo.
func called(t *testing.T, uid, gid, name string) *User {
	t.Helper()
	t.Setenv("SUDO_UID", uid)
	t.Setenv("SUDO_GID", gid)
	t.Setenv("SUDO_USER", name)
	u, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestFindKnowsWhoCalled(t *testing.T) {
	for _, c := range [][2]string{{"", ""}, {"0", "0"}, {"me", "1"}, {"1", ""}, {"-1", "1"}} {
		if u := called(t, c[0], c[1], "x"); u != nil {
			t.Errorf("SUDO_UID=%s SUDO_GID=%s: %+v, want nobody", c[0], c[1], u)
		}
	}
	if u := called(t, "1", "7", "other"); u == nil || u.UID != 1 || u.GID != 7 || u.Name != "daemon" || u.Home == "" || u.Groups[0] != 7 || !slices.Contains(u.Groups, 1) {
		t.Errorf("daemon, of the group 7 now: %+v", u)
	}
	u := called(t, "54321", "54322", "afar")
	if u == nil || u.Name != "afar" || u.Home != "" || !slices.Equal(u.Groups, []int{54322}) {
		t.Errorf("a user whom the machine's files do not know: %+v", u)
	}
	if env := u.Env(); slices.Contains(env, "HOME=") || !slices.Contains(env, "USER=afar") || !slices.Contains(env, "LOGNAME=afar") {
		t.Errorf("environment %q", env)
	}
}

// TestOnlyNewFoldersAreGiven: those on the way to them stay whose they were.
func TestOnlyNewFoldersAreGiven(t *testing.T) {
	dir := t.TempDir()
	called(t, "54321", "54322", "afar")
	made := filepath.Join(dir, "a", "b")
	if err := MakeDirs(made); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(made, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(made, "link")); err != nil {
		t.Fatal(err)
	}
	if err := GiveAll(made); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]uint32{dir: 0, filepath.Dir(made): 54321, made: 54321, file: 54321, filepath.Join(made, "link"): 54321} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("%s belongs to %d, want %d", path, got, want)
		}
	}
}
