// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pressure is a setting that no other test touches.
const pressure = "/proc/sys/vm/vfs_cache_pressure"

// stubborn is a workload whose server ignores SIGTERM and has a child in a
// session of its own; its phases wait for files.
const stubborn = `
doc: a server that does not end when asked to
params: {at: {type: text, default: null, doc: folder of the test}}
knobs: {vm.vfs_cache_pressure: "41"}
services:
  - name: server
    command: [sh, -c, "trap '' TERM; setsid sleep 1001 & echo $! > {{.at}}/child; echo $$ > {{.at}}/server; while :; do sleep 0.2; done"]
    ready: {command: [test, -e, "{{.at}}/ready"]}
phases:
  - {name: load, setup: true, command: [sh, -c, "touch {{.at}}/loading; until [ -e {{.at}}/loaded ]; do sleep 0.02; done"]}
  - {name: run, command: [sh, -c, "until [ -e {{.at}}/ran ]; do sleep 0.02; done"]}
`

// TestKilledRunIsUndone: wherever SIGKILL hits kbench, restore puts the knob
// back and ends what was left running.
func TestKilledRunIsUndone(t *testing.T) {
	if !asRoot(t) {
		return
	}
	before := contents(t, pressure)
	for _, c := range []struct{ name, until, prepared string }{
		{"while the server starts", "server", ""},
		{"in a preparation", "loading", "ready"},
		{"in the run", "", "ready loaded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file, state, working := filepath.Join(dir, "stubborn.yaml"), filepath.Join(dir, "state"), filepath.Join(dir, "working")
			check(t, os.Mkdir(working, 0o700))
			check(t, os.WriteFile(file, []byte(stubborn), 0o644))
			for _, f := range strings.Fields(c.prepared) {
				check(t, os.WriteFile(filepath.Join(dir, f), nil, 0o644))
			}
			p := start(t, []string{}, []string{"run", file, "--set", "at=" + dir, "--state", state},
				func(c *exec.Cmd) { c.Env = append(c.Environ(), "TMPDIR="+working) })
			if c.until == "" {
				p.await("Started benchmark stubborn")
			} else {
				waitFor(t, func() bool {
					return contents(t, filepath.Join(dir, c.until)) != "" || c.until == "loading" && exists(filepath.Join(dir, c.until))
				})
			}
			if now := contents(t, pressure); now != "41\n" {
				t.Errorf("during the run vm.vfs_cache_pressure is %q", now)
			}
			check(t, p.kbench.Process.Kill())
			p.wait()
			out, err := exec.Command(kbenchPath, "restore", "--state", state).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "knob vm.vfs_cache_pressure") {
				t.Errorf("restore: %v\n%s", err, out)
			}
			if now := contents(t, pressure); now != before {
				t.Errorf("vm.vfs_cache_pressure is %q, was %q", now, before)
			}
			for _, name := range []string{"server", "child"} {
				pid := strings.TrimSpace(contents(t, filepath.Join(dir, name)))
				if data, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !strings.Contains(string(data), ") Z ") {
					t.Errorf("the %s, pid %s, is still running", name, pid)
				}
			}
			if left, err := os.ReadDir(working); err != nil || len(left) > 0 {
				t.Errorf("left in the folder of working folders: %v, %v", left, err)
			}
			if out, err := exec.Command(kbenchPath, "restore", "--state", state).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("there was something left to restore: %v\n%s", err, out)
			}
		})
	}
}

// TestKnobsComeBack: however the job ends, or kbench is told to end.
func TestKnobsComeBack(t *testing.T) {
	if !asRoot(t) {
		return
	}
	before := contents(t, pressure)
	for _, c := range []struct {
		name, script string
		sig          syscall.Signal
		code         int
	}{
		{"done", "exit 0", 0, 0},
		{"failed", "exit 3", 0, 3},
		{"interrupted", "echo here; sleep 100", syscall.SIGINT, 130},
		{"terminated", "echo here; sleep 100", syscall.SIGTERM, 143},
		{"hung up", "echo here; sleep 100", syscall.SIGHUP, 129},
	} {
		t.Run(c.name, func(t *testing.T) {
			script := fmt.Sprintf("cat %s; %s", pressure, c.script)
			p := start(t, []string{}, []string{"exec", "--knob", "vm.vfs_cache_pressure=42", "--state", t.TempDir(), "--", "sh", "-c", script})
			if c.sig != 0 {
				p.await("here")
				check(t, p.kbench.Process.Signal(c.sig))
			}
			r := p.wait()
			r.expect(t, c.code, "42\n")
			if now := contents(t, pressure); now != before {
				t.Errorf("vm.vfs_cache_pressure is %q, was %q", now, before)
			}
			want := fmt.Sprintf(`{"vm.vfs_cache_pressure":{"before":%q,"during":"42"}}`, strings.TrimSpace(before))
			if r.rows["run"][0]["knobs"] != want {
				t.Errorf("knobs %v, want %s", r.rows["run"][0]["knobs"], want)
			}
		})
	}
}

func TestSecondRunWithTheKnobIsRefused(t *testing.T) {
	if !asRoot(t) {
		return
	}
	state := t.TempDir()
	first := start(t, nil, []string{"exec", "--knob", "vm.vfs_cache_pressure=42", "--state", state, "--", "sleep", "100"})
	first.await("Started benchmark sleep")
	second := []string{"exec", "--knob", pressure + "=43", "--state", state, "--", "true"}
	run(t, nil, second...).expect(t, 125, fmt.Sprintf("in use by kbench exec sleep (pid %d)", first.kbench.Process.Pid))
	waiting := start(t, nil, append([]string{"exec", "--wait", "1m"}, second[1:]...))
	waiting.await("kbench: waiting: ")
	check(t, first.kbench.Process.Signal(syscall.SIGTERM))
	first.wait()
	waiting.wait().expect(t, 0)
}

func TestKnobThatCannotBeSetIsRefusedBeforeAnythingStarts(t *testing.T) {
	for knob, c := range map[string]struct {
		code int
		text string
	}{
		"swapiness=1":                     {2, "kbench: hint: did you mean swappiness?"},
		"transparent_hugepages=sometimes": {125, "is not one of always, madvise, never"},
		"swappiness=1000":                 {125, "is not a number from 0 to 200"},
		"/etc/passwd=x":                   {125, "/etc/passwd"},
		"swappiness":                      {2, "not of the form NAME=VALUE"},
	} {
		r := run(t, nil, "exec", "--knob", knob, "--", "touch", filepath.Join(t.TempDir(), "ran"))
		r.expect(t, c.code, c.text)
		if len(r.raw) > 0 {
			t.Errorf("%s: a stream was begun", knob)
		}
	}
}

// asRoot tells whether to go on: as root. Else it has run the test by sudo.
func asRoot(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() == 0 {
		return true
	}
	_, err := suite() // sudo's PATH may have no Go
	check(t, err)
	_, err = kparquet()
	check(t, err)
	// Root has called, not a user by sudo: what tests make is root's.
	again := exec.Command("sudo", "-n", "env", "SUDO_UID=", programs+"="+filepath.Dir(kbenchPath), os.Args[0], "-test.run", "^"+t.Name()+"$")
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("settings of the machine are changed as root, or by sudo without a password: %v\n%s", err, out)
	}
	return false
}

func contents(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(data)
}

func waitFor(t *testing.T, met func() bool) {
	t.Helper()
	for range 2000 {
		if met() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("it never happened")
}
