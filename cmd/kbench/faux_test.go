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

func TestFauxEndsWhenENDIsTyped(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(out)
	check(t, err)
	defer func() { _ = f.Close() }()
	r, w, err := os.Pipe()
	check(t, err)
	tracer := exec.Command(tracerPath)
	tracer.Stdout = w
	check(t, tracer.Start())
	check(t, w.Close())
	defer func() { _ = tracer.Wait() }()

	tty := openTerminal(t)
	c := exec.Command(kbenchPath, "run", "faux")
	c.Stdin, c.Stdout = r, f
	tty.start(c)
	check(t, r.Close())
	tty.await("Started benchmark faux")
	tty.typeText("no end\n")
	time.Sleep(100 * time.Millisecond)
	if err := c.Process.Signal(syscall.Signal(0)); err != nil {
		t.Fatal("it ended though END was not typed")
	}
	tty.typeText("END\n")
	tty.finish(c, 0)
	raw, err := os.ReadFile(out)
	check(t, err)
	got := read(t, raw)
	if !got.ended() || len(got.rows["marker"]) != 2 || got.rows["run"][0]["workload"] != "faux" {
		t.Errorf("ended: %v (%v), markers %v", got.ended(), got.err, got.rows["marker"])
	}
}

// TestFauxOnATerminalMakesTheStream: stdin is the terminal, so nobody traces.
func TestFauxOnATerminalMakesTheStream(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(out)
	check(t, err)
	defer func() { _ = f.Close() }()
	tty := openTerminal(t)
	c := exec.Command(kbenchPath, "run", "faux")
	c.Stdout = f
	tty.start(c)
	tty.await("Started benchmark faux")
	tty.typeText("END\n")
	tty.finish(c, 0)
	raw, err := os.ReadFile(out)
	check(t, err)
	if got := read(t, raw); !got.ended() || got.tables["system_info"] == nil {
		t.Errorf("ended: %v (%v), frames %q", got.ended(), got.err, got.kinds)
	}
}

// TestFauxInTheBackground: reading the terminal there would stop the process.
func TestFauxInTheBackground(t *testing.T) {
	tty := openTerminal(t)
	c := tty.start(exec.Command("bash", "-c", `set -m; "$1" run faux --duration 300ms < /dev/null > "$2" & wait $!; echo code $?`,
		"bash", kbenchPath, filepath.Join(t.TempDir(), "out")))
	tty.await("code 0")
	tty.finish(c, 0)
}

func TestFauxWithoutTerminal(t *testing.T) {
	t.Run("duration", func(t *testing.T) {
		began := time.Now()
		r := start(t, []string{}, []string{"run", "faux", "--duration", "300ms"}, withoutTerminal).wait()
		r.expect(t, 0)
		if took := time.Since(began); took < 300*time.Millisecond || !r.ended() {
			t.Errorf("it took %s, ended: %v", took, r.ended())
		}
		if strings.Contains(r.log, "Type END") {
			t.Error("it asks for END where there is no terminal")
		}
		if c := r.rows["run"][0]["config"]; c != "workload: faux\nparams:\n    duration: 300ms\nrepeat: 1\nwarmup: 0\n" {
			t.Errorf("configuration %q", c)
		}
	})
	for name, sig := range map[string]os.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			p := start(t, []string{}, []string{"run", "faux"}, withoutTerminal)
			p.await("Started benchmark faux")
			check(t, p.kbench.Process.Signal(sig))
			r := p.wait()
			r.expect(t, 0)
			if !r.ended() {
				t.Errorf("the recording was not ended: %v", r.err)
			}
		})
	}
}

func withoutTerminal(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		text string
	}{
		{[]string{"exec"}, "kbench: no command to run\nkbench: hint: kbench exec -- CMD ARGS\n"},
		{[]string{"exec", "--"}, "no command to run"},
		{[]string{"exec", "--workload", "../up", "--", "true"}, `workload name "../up"`},
		{[]string{"exec", "--workload", "", "--", "true"}, `workload name ""`},
		{[]string{"run"}, "kbench: name one workload\nkbench: hint: kbench list\n"},
		{[]string{"run", "foux"}, "kbench: unknown workload \"foux\"\nkbench: hint: did you mean faux?\n"},
		{[]string{"run", "exec"}, "exec needs a command"},
		{[]string{"run", "faux", "--duration", "-1s"}, "is not a duration such as 1m30s"},
		{[]string{"run", "faux", "--duration", "soon"}, "soon"},
	} {
		r := run(t, nil, c.args...)
		if r.code != 2 || !strings.Contains(r.log, c.text) || len(r.raw) > 0 {
			t.Errorf("kbench %q: exit code %d, %d bytes on stdout, stderr\n%s\nwant 2 and %q", c.args, r.code, len(r.raw), r.log, c.text)
		}
	}
}

func TestStreamToATerminalIsRefused(t *testing.T) {
	tty := openTerminal(t)
	c := tty.start(exec.Command(kbenchPath, "exec", "--", "true"))
	tty.await("kbench: stdout is a terminal")
	tty.finish(c, 2)
}

func TestListNamesTheWorkloads(t *testing.T) {
	out, err := exec.Command(kbenchPath, "list").Output()
	check(t, err)
	for _, name := range []string{"exec ", "faux "} {
		if !strings.Contains("\n"+string(out), "\n"+name) {
			t.Errorf("the list lacks %q:\n%s", name, out)
		}
	}
}
