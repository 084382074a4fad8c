// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/bench/knob"
	"github.com/kermit-trace/kermit/dataset"
	"github.com/kermit-trace/kermit/internal/asroot"
)

// The test binary is also the sweep that dies: SWEEP is its file, in the
// folder AT, and DIE the step, by name or number, at which it kills itself; with CUT its children
// first, as a power cut would. END is the step at which it is asked to end.
func TestMain(m *testing.M) {
	flag.Parse()
	switch {
	case os.Getenv("SWEEP") != "":
	case *programs != "":
		asroot.Main(m)
	default:
		os.Exit(withPrograms())
	}
	die := os.Getenv("DIE")
	count := 0
	step = func(name string) {
		count++
		fmt.Println("step", name)
		if name == os.Getenv("END") {
			_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
			time.Sleep(300 * time.Millisecond) // it is heard
		}
		if name == die || strconv.Itoa(count) == die {
			if os.Getenv("CUT") != "" {
				killChildren()
			}
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	if err := role(); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func killChildren() {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, word := range strings.Fields(string(text)) {
			pid, _ := strconv.Atoi(word)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// role is a start of a sweep.
func role() error {
	at := os.Getenv("AT")
	s, err := Read(context.Background(), os.Getenv("SWEEP"), "")
	if err != nil {
		return err
	}
	flags := strings.Fields(os.Getenv("FLAGS"))
	limit, _ := time.ParseDuration(os.Getenv("MAXTIME"))
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM)
	r, err := Run(context.Background(), s, Options{
		Output: filepath.Join(at, "data"), State: filepath.Join(at, "state"), MaxTime: limit, Tool: "test", Signals: signals,
		KeepGoing: slices.Contains(flags, "keep-going"), RetryFailed: slices.Contains(flags, "retry-failed"),
		Restart: slices.Contains(flags, "restart"),
	})
	fmt.Printf("result %d done %d failed %d left %d ran\n", r.Done, r.Failed, r.Left(), r.Ran)
	return err
}

// programs is the folder of ktrace and kparquet. A flag, as sudo keeps flags.
var programs = flag.String("programs", "", "folder of ktrace and kparquet, which are built without")

// withPrograms builds the programs, runs the tests with them, and takes them
// away.
func withPrograms() int {
	dir, err := os.MkdirTemp("", "sweep-programs")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	build := exec.Command("go", "build", "-o", dir, "../../cmd/ktrace", "../../cmd/kparquet")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("build: %v\n%s", err, out)
		return 1
	}
	tests := exec.Command(os.Args[0], append([]string{"-programs=" + dir}, os.Args[1:]...)...)
	tests.Stdout, tests.Stderr = os.Stdout, os.Stderr
	_ = tests.Run() // the code tells
	return tests.ProcessState.ExitCode()
}

// lab is a folder with a workload, a sweep, and a dataset.
type lab struct {
	t      *testing.T
	dir    string
	before string // the setting
}

// setting is one that no other test touches.
const setting = "/proc/sys/vm/dirty_expire_centisecs"

// tiny is a workload that leaves a line for each time it ran; what its file
// "broken" names, fails.
const tiny = `
doc: nearly nothing
params:
  n: {type: int, default: 1, min: 0, max: 9, doc: a number}
  duration: {type: duration, default: 1s, doc: how long}
phases:
  - {name: run, command: [sh, -c, "echo {{.n}} $(cat /proc/sys/vm/dirty_expire_centisecs) >> AT/ran; ! grep -q {{.n}} AT/broken"]}
`

// pair is a sweep of two cells.
const pairText = `
workload: ./tiny.yaml
set: {n: [1, 2]}
knobs: {vm.dirty_expire_centisecs: 2901}
hooks: []
order: given
`

func newLab(t *testing.T, text string) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir(), before: raw(t, setting)}
	l.write("tiny.yaml", strings.ReplaceAll(tiny, "AT", l.dir))
	l.write("mine.yaml", text)
	l.write("ran", "")
	l.write("broken", "")
	t.Cleanup(func() {
		if raw(t, setting) != l.before {
			_ = knob.Write(setting, strings.TrimSpace(l.before))
		}
	})
	t.Setenv("PATH", *programs+":"+os.Getenv("PATH"))
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func raw(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	return string(text)
}

func (l *lab) write(name, text string) {
	l.t.Helper()
	must(l.t, os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o644))
}

func (l *lab) data() string { return filepath.Join(l.dir, "data") }

// command is a start of the sweep, with variables more.
func (l *lab) command(vars ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SWEEP="+filepath.Join(l.dir, "mine.yaml"), "AT="+l.dir, "SUDO_UID=")
	cmd.Env = append(cmd.Env, vars...)
	return cmd
}

// start runs the sweep, and returns what it says.
func (l *lab) start(vars ...string) (string, error) {
	out, err := l.command(vars...).CombinedOutput()
	return string(out), err
}

// expect runs the sweep, which is to say this at its end, and returns all that
// it says.
func (l *lab) expect(want string, vars ...string) string {
	l.t.Helper()
	out, err := l.start(vars...)
	if !strings.Contains(out, want) || strings.Contains(out, "error") != (err != nil) {
		l.t.Fatalf("%v: %v\n%s\nwant %s", vars, err, out, want)
	}
	return out
}

// die runs the sweep until it kills itself. Its output goes to a file: its
// kparquet, which goes on for a moment, would hold a pipe open.
func (l *lab) die(at string, vars ...string) {
	l.t.Helper()
	out, err := os.Create(filepath.Join(l.t.TempDir(), "out"))
	must(l.t, err)
	defer func() { _ = out.Close() }()
	cmd := l.command(append(vars, "DIE="+at)...)
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !exit.Sys().(syscall.WaitStatus).Signaled() {
		l.t.Fatalf("it did not die at step %s: %v\n%s", at, err, raw(l.t, out.Name()))
	}
}

// steps of a start, in order.
func steps(out string) []string {
	var all []string
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "step "); ok {
			all = append(all, name)
		}
	}
	return all
}

var coordinates = regexp.MustCompile(`(?m)^\s*coordinates: (\{.*\})$`)

// cells are the values of n of all collections in the dataset, each of which
// must be whole.
func (l *lab) cells() []string {
	l.t.Helper()
	found, err := dataset.List(l.data())
	if err != nil && !errors.Is(err, dataset.ErrNone) {
		l.t.Fatal(err)
	}
	var all []string
	for _, c := range found {
		for _, check := range c.Verify() {
			if len(check.Wrong) > 0 {
				l.t.Errorf("%s: %s: %q", c.ID, check.Table, check.Wrong)
			}
		}
		meta, err := c.Meta("run")
		must(l.t, err)
		var where struct {
			Set map[string]string `json:"set"`
		}
		m := coordinates.FindStringSubmatch(meta.Config)
		if m == nil || json.Unmarshal([]byte(m[1]), &where) != nil {
			l.t.Fatalf("no coordinates in the configuration:\n%s", meta.Config)
		}
		all = append(all, where.Set["n"])
	}
	slices.Sort(all)
	return all
}

// clean tells whether each cell is there once, and the machine as before.
func (l *lab) clean(after string, want ...string) {
	l.t.Helper()
	if got := l.cells(); !slices.Equal(got, want) {
		l.t.Errorf("%s: the dataset has cells %q, want %q", after, got, want)
	}
	if now := raw(l.t, setting); now != l.before {
		l.t.Errorf("%s: %s is %q, was %q", after, setting, now, l.before)
	}
	for _, pattern := range []string{"state/*.journal", "data/.*.tmp"} {
		if left, _ := filepath.Glob(filepath.Join(l.dir, pattern)); len(left) > 0 {
			l.t.Errorf("%s: left: %q", after, left)
		}
	}
	if pids := l.processes(); len(pids) > 0 {
		l.t.Errorf("%s: processes %v still run", after, pids)
	}
}

// processes lists those that starts of this lab have left.
func (l *lab) processes() []int {
	var pids []int
	found, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range found {
		env, _ := os.ReadFile(path)
		if pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path))); bytes.Contains(env, []byte("AT="+l.dir+"\x00")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// ran is how often workloads have run.
func (l *lab) ran() int { return strings.Count(raw(l.t, filepath.Join(l.dir, "ran")), "\n") }
