// SPDX-License-Identifier: Apache-2.0

// Package script runs test scripts (github.com/rogpeppe/go-internal/testscript)
// against the four commands, freshly built, on the running kernel.
//
// In a script, ktrace, kbench, kparquet and kstat are on the PATH; ktrace runs
// by sudo where the tests do not run as root. A script that names ktrace or
// sudo fails in one line where neither root nor sudo is to be had.
//
//	$SUDO    what to put before a command that root must run; empty for root
//	$KTRACE  the ktrace itself, for what runs it as another user
//	$ROOT    the source tree
//
// One command is added:
//
//	cc OUT FILE.c [FLAG …]   compiles a witness with gcc
package script

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Run runs the scripts that the patterns name.
func Run(t *testing.T, patterns ...string) {
	t.Helper()
	RunWith(t, nil, patterns...)
}

// RunWith runs the scripts with variables set. Each is also a condition,
// [NAME:value].
func RunWith(t *testing.T, variables map[string]string, patterns ...string) {
	t.Helper()
	var files []string
	for _, p := range patterns {
		found, err := filepath.Glob(p)
		if err != nil || len(found) == 0 {
			t.Fatalf("no script matches %s: %v", p, err)
		}
		files = append(files, found...)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("ktrace")) || bytes.Contains(text, []byte("$SUDO")) {
			requireRoot(t)
		}
	}
	bin := Commands(t)
	testscript.Run(t, testscript.Params{
		Files: files,
		Setup: func(env *testscript.Env) error {
			path := bin + string(os.PathListSeparator) + env.Getenv("PATH") + ":/usr/sbin:/sbin"
			env.Setenv("PATH", path)
			env.Setenv("KTRACE", filepath.Join(bin, "ktrace"))
			for name, value := range variables {
				env.Setenv(name, value)
			}
			root, err := Root()
			if err != nil {
				return err
			}
			env.Setenv("ROOT", root)
			if os.Geteuid() != 0 {
				env.Setenv("KTRACE", filepath.Join(bin, unwrapped))
				env.Setenv("KEEP", keep(env, variables))
				env.Setenv("SUDO", "sudo -n env SUDO= PATH="+path+" "+env.Getenv("KEEP"))
			}
			return keepGo(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"cc": compile},
		Condition: func(cond string) (bool, error) {
			name, value, ok := strings.Cut(cond, ":")
			if _, known := variables[name]; !ok || !known {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return variables[name] == value, nil
		},
	})
}

// keep is what env(1) takes to give the script's variables to root: sudo does
// not.
func keep(env *testscript.Env, variables map[string]string) string {
	var list []string
	for _, name := range slices.Concat([]string{"ROOT", "KTRACE", "WORK"}, slices.Sorted(maps.Keys(variables))) {
		list = append(list, name+"="+env.Getenv(name))
	}
	return strings.Join(list, " ")
}

// Command is one of the four commands, as scripts run it.
func Command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	if name == "ktrace" {
		requireRoot(t)
	}
	return exec.Command(filepath.Join(Commands(t), name), args...)
}

// becomesRoot tells whether sudo asks for no password now.
var becomesRoot = sync.OnceValue(func() bool { return exec.Command("sudo", "-n", "true").Run() == nil })

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 && !becomesRoot() {
		t.Fatal("attaching probes takes root: run the tests as root, or as a user whom sudo lets in without asking (sudo true)")
	}
}

// keepGo lets a script that builds use the caches: its home is another.
func keepGo(env *testscript.Env) error {
	if os.Getenv(prebuilt) != "" {
		return nil
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "GOTOOLCHAIN"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			return fmt.Errorf("go env %s: %w", name, err)
		}
		env.Setenv(name, strings.TrimSpace(string(value)))
	}
	return nil
}

// prebuilt names a folder that holds the commands and, in witness/, what cc
// would build. Set where there is no compiler: in a virtual machine.
const prebuilt = "KERMIT_PREBUILT"

var build struct {
	sync.Once
	dir string
	err error
}

// Commands builds the commands, once for a test binary, and returns their folder.
func Commands(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv(prebuilt); dir != "" {
		return dir
	}
	build.Do(func() {
		root, err := Root()
		if err != nil {
			build.err = err
			return
		}
		dir, err := os.MkdirTemp("", "kermit-bin-")
		if err != nil {
			build.err = err
			return
		}
		build.dir = dir
		if err := os.Chmod(dir, 0o755); err != nil { // scripts run the commands as other users too
			build.err = err
			return
		}
		out, err := exec.Command("make", "-C", root, "build", "BIN="+dir).CombinedOutput()
		if err != nil {
			build.err = fmt.Errorf("make build: %w\n%s", err, out)
			return
		}
		build.err = wrapSudo(dir)
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.dir
}

// Clean removes what the tests of a binary built.
func Clean() {
	if build.dir != "" {
		_ = os.RemoveAll(build.dir)
	}
}

// Main is for TestMain: it runs the tests and cleans up.
func Main(m *testing.M) {
	HearHangups()
	code := m.Run()
	Clean()
	os.Exit(code)
}

// HearHangups lets what tests start be hung up, also where the tests themselves
// run under nohup: a signal that is ignored stays so in every child, and the
// commands heed that.
func HearHangups() { signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) }

// unwrapped is where wrapSudo puts the program.
const unwrapped = "as-root/ktrace"

// wrapSudo replaces ktrace by a script that calls it with sudo.
func wrapSudo(dir string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	sudo, err := exec.LookPath("sudo") // by its path: a script may have a sudo of its own
	if err != nil {
		sudo = "sudo" // which the shell will not find either, and say so
	}
	program := filepath.Join(dir, unwrapped)
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, "ktrace"), program); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "ktrace"), []byte("#!/bin/sh\nexec "+sudo+" -n env PATH=\"$PATH\" $KEEP "+program+" \"$@\"\n"), 0o755)
}

// Root of the source tree: the folder that holds go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = parent
	}
	return "", err
}

func compile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: cc OUT FILE.c [FLAG …]")
	}
	if dir := os.Getenv(prebuilt); dir != "" {
		ts.Check(ts.Exec("cp", filepath.Join(dir, "witness", args[0]), args[0]))
		return
	}
	flags := append([]string{"-O1", "-Wall", "-static", "-pthread", "-o", args[0], args[1]}, args[2:]...)
	ts.Check(ts.Exec("gcc", flags...))
}
