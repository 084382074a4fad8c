// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// counting is a job that writes a line to the file for each signal it gets and
// ends after the given trap action.
func counting(file, action string) string {
	return "for s in INT TERM; do trap \"echo $s >> " + file + "; " + action + "\" $s; done; echo set; " +
		"while :; do sleep 0.02; done"
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	check(t, err)
	return strings.Fields(string(b))
}

func TestSignalIsPassedOnOnce(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			got := filepath.Join(t.TempDir(), "got")
			p := start(t, []string{}, script(counting(got, "sleep 0.2; exit 9")))
			p.await("set\n")
			check(t, p.kbench.Process.Signal(sig))
			r := p.wait()
			r.expect(t, 9)
			if signals := lines(t, got); len(signals) != 1 || signals[0] != name {
				t.Errorf("the job got %q, want one %s", signals, name)
			}
			if !r.ended() {
				t.Errorf("the recording was not ended: %v", r.err)
			}
		})
	}
}

// TestHangupIsIgnoredWhereTheCallerSaysSo: as nohup does, for a run that goes on
// after its terminal.
func TestHangupIsIgnoredWhereTheCallerSaysSo(t *testing.T) {
	p := start(t, []string{}, script("echo here; sleep 1; exit 4"), func(c *exec.Cmd) {
		c.Args = append([]string{"sh", "-c", `trap "" HUP; exec "$@"`, "sh"}, append([]string{kbenchPath}, c.Args[1:]...)...)
		c.Path = "/bin/sh"
	})
	p.await("here\n")
	check(t, p.kbench.Process.Signal(syscall.SIGHUP))
	r := p.wait()
	r.expect(t, 4)
	if !r.ended() {
		t.Errorf("the recording was not ended: %v", r.err)
	}
}

// TestSignalReachesWhatTheJobStarted: make's compilers too, as from a terminal.
func TestSignalReachesWhatTheJobStarted(t *testing.T) {
	got := filepath.Join(t.TempDir(), "got")
	p := start(t, []string{}, script("(trap 'echo child >> "+got+"; exit 1' TERM; echo set; while :; do sleep 0.02; done); exit 7"))
	p.await("set\n")
	check(t, p.kbench.Process.Signal(syscall.SIGTERM))
	r := p.wait()
	if r.code != 143 && r.code != 7 { // whether the outer shell still gets to exit is its own affair
		t.Errorf("exit code %d", r.code)
	}
	if s := lines(t, got); len(s) != 1 {
		t.Errorf("the child wrote %q", s)
	}
}

func TestSecondSignalKillsTheJob(t *testing.T) {
	got := filepath.Join(t.TempDir(), "got")
	p := start(t, []string{}, script(counting(got, ":")))
	p.await("set\n")
	check(t, p.kbench.Process.Signal(syscall.SIGINT))
	for !exists(got) {
		time.Sleep(5 * time.Millisecond)
	}
	check(t, p.kbench.Process.Signal(syscall.SIGINT))
	r := p.wait()
	r.expect(t, 137)
	if !r.ended() {
		t.Errorf("the recording was not ended: %v", r.err)
	}
}

func TestSecondSignalAbortsTheWaitForTheTracer(t *testing.T) {
	p := start(t, []string{"-stubborn"}, script("echo done"))
	p.await("done\n")
	time.Sleep(200 * time.Millisecond)
	check(t, p.kbench.Process.Signal(syscall.SIGINT))
	time.Sleep(100 * time.Millisecond)
	check(t, p.kbench.Process.Signal(syscall.SIGINT))
	r := p.wait()
	r.expect(t, 130, "kbench: aborted by signal 2 (interrupt)\n")
	if r.ended() {
		t.Error("an end frame was written, though the tracer's rows are missing")
	}
}

func TestSignalBeforeTheJobStarts(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	p := start(t, []string{"-slow", "1s"}, []string{"exec", "--", "touch", ran})
	time.Sleep(300 * time.Millisecond)
	check(t, p.kbench.Process.Signal(syscall.SIGTERM))
	r := p.wait()
	r.expect(t, 143, "kbench: aborted by signal 15 (terminated)\n")
	if exists(ran) {
		t.Error("the job ran")
	}
}

// TestJobSeesAnOrdinaryWorld: stdin is empty, stdout and stderr are kbench's
// stderr, and no signal is ignored that kbench's caller did not ignore.
func TestJobSeesAnOrdinaryWorld(t *testing.T) {
	ignored, err := exec.Command("grep", "SigIgn", "/proc/self/status").Output()
	check(t, err)
	r := run(t, []string{}, script("wc -c; echo out; echo err >&2; grep SigIgn /proc/self/status")...)
	r.expect(t, 0, "0\n", "out\n", "err\n", string(ignored))
}

// TestCtrlCReachesTheJobOnce presses Ctrl-C on a terminal whose foreground
// group is the whole pipeline.
func TestCtrlCReachesTheJobOnce(t *testing.T) {
	dir := t.TempDir()
	got, out := filepath.Join(dir, "got"), filepath.Join(dir, "out")
	job := filepath.Join(dir, "job")
	check(t, os.WriteFile(job, []byte("#!/bin/sh\n"+counting(got, "exit 9")+"\n"), 0o755))
	tty := openTerminal(t)
	p := tty.start(exec.Command("sh", "-c", `trap : INT; "$1" | "$2" exec -- "$3" > "$4"; echo code $?`,
		"sh", tracerPath, kbenchPath, job, out))
	tty.await("set")
	tty.typeText("\x03")
	tty.await("code 9")
	check(t, p.Wait())
	if signals := lines(t, got); len(signals) != 1 {
		t.Errorf("the job got %q, want one INT", signals)
	}
	raw, err := os.ReadFile(out)
	check(t, err)
	if r := read(t, raw); !r.ended() {
		t.Errorf("the recording was not ended: %v", r.err)
	}
}
