// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// suite is a folder with kbench, ktrace and kparquet side by side, built once.
var suite = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(filepath.Dir(kbenchPath), "suite")
	if exists(dir) {
		return dir, nil
	}
	build := exec.Command("go", "build", "-o", dir+"/", ".", "../ktrace", "../kparquet")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build: %w\n%s", err, out)
	}
	return dir, err
})

// cellWorkload leaves a line for each time it runs, and then waits for a file, or
// fails.
const cellWorkload = `
doc: nearly nothing
params:
  n: {type: int, default: 1, doc: a number}
  wait: {type: text, default: null, doc: file that n = 2 waits for}
  broken: {type: int, default: 0, doc: n that fails}
  duration: {type: duration, default: 2s, doc: how long, so it says}
phases:
  - name: run
    command: [sh, -c, "echo {{.n}} >> AT/ran; {{if and .wait (eq .n 2)}}until [ -e {{.wait}} ]; do sleep 0.1; done;{{end}} [ {{.n}} -ne {{.broken}} ]"]
`

// sweeping is a folder with a sweep in it.
type sweeping struct {
	t   *testing.T
	dir string
	bin string
}

func newSweep(t *testing.T, text string) *sweeping {
	t.Helper()
	dir, err := suite()
	check(t, err)
	s := &sweeping{t: t, dir: t.TempDir(), bin: dir}
	s.write("cell.yaml", strings.Replace(cellWorkload, "how long, so it says", "how long", 1))
	s.write("mine.yaml", text)
	s.write("ran", "")
	return s
}

// write writes a file, in which AT is the folder.
func (s *sweeping) write(name, text string) {
	s.t.Helper()
	check(s.t, os.WriteFile(filepath.Join(s.dir, name), []byte(strings.ReplaceAll(text, "AT", s.dir)), 0o644))
}

func (s *sweeping) command(args ...string) *exec.Cmd {
	at := []string{"sweep", "-f", filepath.Join(s.dir, "mine.yaml"), "-o", filepath.Join(s.dir, "data"), "--state", filepath.Join(s.dir, "state")}
	cmd := exec.Command(filepath.Join(s.bin, "kbench"), append(at, args...)...)
	cmd.Env = append(os.Environ(), "SUDO_UID=")
	return cmd
}

// expect runs it; stdout and stderr must have these texts, none if "".
func (s *sweeping) expect(code int, stdout, stderr string, args ...string) {
	s.t.Helper()
	var out, errs syncBuffer
	cmd := s.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	for got, want := range map[*syncBuffer]string{&out: stdout, &errs: stderr} {
		if text := got.String(); want == "" && text != "" || !strings.Contains(text, want) || cmd.ProcessState.ExitCode() != code {
			s.t.Errorf("%q: exit code %d, want %d; want %q in\n%s", args, cmd.ProcessState.ExitCode(), code, want, text)
		}
	}
}

func (s *sweeping) ran() string {
	return strings.ReplaceAll(contents(s.t, filepath.Join(s.dir, "ran")), "\n", "")
}

const twoCells = `
workload: ./cell.yaml
set: {n: [1, 2], wait: AT/go}
hooks: []
order: given
`

// TestSecondSweepIsToldOfTheFirst: at once, and cron's not at all.
func TestSecondSweepIsToldOfTheFirst(t *testing.T) {
	s := newSweep(t, twoCells)
	s.expect(1, "", "has not begun", "--status")
	first := s.command("--quiet")
	check(t, first.Start())
	t.Cleanup(func() { _ = first.Process.Kill() })
	waitFor(t, func() bool { return s.ran() == "12" })
	s.expect(75, "", fmt.Sprintf("(pid %d)", first.Process.Pid))
	s.expect(75, "", "kbench sweep -f "+filepath.Join(s.dir, "mine.yaml"))
	s.expect(0, "", "", "--quiet")
	s.expect(0, "1 of 2 cells done, 1 left, about", "", "--status")
	s.expect(0, "cell 2 has been running for ", "", "--status")
	last := exec.Command(filepath.Join(s.bin, "kbench"), "sweep", "--status", "--state", filepath.Join(s.dir, "state"))
	if out, err := last.CombinedOutput(); err != nil || !strings.Contains(string(out), "sweep mine: 1 of 2 cells done") {
		t.Errorf("without a file: %v\n%s", err, out)
	}
	s.write("go", "")
	check(t, first.Wait())
	s.expect(0, "2 of 2 cells done\n", "", "--status")
	s.expect(0, "2 of 2 cells done\n", "")
	s.expect(0, "", "", "--quiet")
}

func TestStatusOfAKilledSweepSaysSo(t *testing.T) {
	s := newSweep(t, twoCells)
	first := s.command()
	check(t, first.Start())
	waitFor(t, func() bool { return s.ran() == "12" })
	check(t, first.Process.Kill())
	_ = first.Wait()
	s.write("go", "")
	waitFor(t, func() bool { // kparquet has put in place what came
		out, err := s.command("--status").CombinedOutput()
		return err == nil && strings.Contains(string(out), "it does not run: it was killed in cell 2, begun")
	})
	out, err := s.command().Output() // stderr may tell what was still to be ended
	if err != nil || !strings.Contains(string(out), "2 of 2 cells done") {
		t.Errorf("the next start: %v\n%s", err, out)
	}
}

// TestFailedCellIsSaidOnce: then it is the user's turn.
func TestFailedCellIsSaidOnce(t *testing.T) {
	s := newSweep(t, twoCells+"repeat: 1\n")
	s.write("go", "")
	s.write("mine.yaml", strings.Replace(twoCells, "wait: AT/go", "broken: 1", 1))
	s.expect(1, "", "mine 1/2 failed workload=cell set.n=1 exit_code=1", "--quiet")
	s.expect(1, "", "", "--quiet")
	s.expect(1, "", "kbench: hint: see "+filepath.Join(s.dir, "data/.sweep-mine/cell-0001.txt"))
	s.expect(0, "mine 1/2 failed", "", "--status")
	s.expect(1, "1 of 2 cells done, 1 failed\n", "", "--keep-going")
	s.expect(1, "", "mine 1/2 failed", "--quiet", "--retry-failed")
	if got := s.ran(); got != "121" {
		t.Errorf("cells ran as %s, want 121", got)
	}
	log := contents(t, filepath.Join(s.dir, "data/.sweep-mine/log"))
	if n := strings.Count(log, "\n"); n != 3 || !strings.Contains(log, " rows=") || !strings.Contains(log, " id=mine-") {
		t.Errorf("the log is\n%s", log)
	}
}

func TestDryRunEstimates(t *testing.T) {
	s := newSweep(t, twoCells+"warmup: 1\n")
	s.write("go", "")
	s.expect(0, "2 left: at least 8s by their parameters", "", "--dry-run")
	if exists(filepath.Join(s.dir, "data")) || exists(filepath.Join(s.dir, "state")) {
		t.Error("a dry run has made a folder")
	}
	s.expect(3, "1 of 2 cells done, 1 left\n", "", "--max-time", "1ms")
	s.expect(0, "done  ", "", "--dry-run")
	s.expect(0, " kB, as the 1 done before\n", "", "--dry-run")
	s.expect(0, "", "", "--max-time", "1ms", "--quiet")
	s.expect(0, "sweep mine: 2 of 2 cells done\n", "", "--dry-run")
}

func TestSweepEndsWithASignal(t *testing.T) {
	s := newSweep(t, twoCells)
	cmd := s.command()
	check(t, cmd.Start())
	waitFor(t, func() bool { return s.ran() == "12" })
	check(t, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 143 {
		t.Errorf("exit code %d, want 143", code)
	}
	s.expect(0, "1 of 2 cells done, 1 left\nit does not run\n", "", "--status")
}

func TestSweepOnATerminalShowsHowFarItIs(t *testing.T) {
	s := newSweep(t, twoCells)
	tty := openTerminal(t)
	cmd := tty.start(s.command())
	tty.await("cell 2/2 2s, about ")
	s.write("go", "")
	tty.finish(cmd, 0)
	tty.await("sweep mine: 2 of 2 cells done")
}

func TestWrongSweepIsRefusedBeforeAnythingStarts(t *testing.T) {
	s := newSweep(t, twoCells)
	for text, want := range map[string]string{
		strings.Replace(twoCells, "order", "oder", 1):     "mine.yaml:5: unknown key \"oder\" of the file\nkbench: hint: did you mean order?\n",
		strings.Replace(twoCells, "{n:", "{m:", 1):        "mine.yaml:3: unknown parameter \"m\" of cell\nkbench: hint: one of n, wait, broken, duration\n",
		strings.Replace(twoCells, "[]", "[page_falt]", 1): "mine.yaml:4: unknown hook \"page_falt\"\nkbench: hint: did you mean page_fault?\n",
		"workload: radis\nhooks: []\n":                    "mine.yaml:1: unknown workload \"radis\"\nkbench: hint: did you mean redis?\n",
	} {
		s.write("mine.yaml", text)
		s.expect(2, "", want)
		s.expect(2, "", want, "--dry-run")
	}
	s.expect(2, "", "unexpected argument", "x")
	s.expect(2, "", "must not be negative", "--max-time", "-1s")
	if exists(filepath.Join(s.dir, "data")) || exists(filepath.Join(s.dir, "state")) {
		t.Error("it has begun")
	}
	if out, err := exec.Command(filepath.Join(s.bin, "kbench"), "sweep").CombinedOutput(); err == nil || !strings.Contains(string(out), "no file that says which cells") {
		t.Errorf("without a file: %v\n%s", err, out)
	}
}
