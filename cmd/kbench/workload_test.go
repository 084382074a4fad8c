// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// described writes a workload file and returns its path; AT in the text is the
// test's folder.
func described(t *testing.T, text string) (file, dir string) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, "mine.yaml")
	check(t, os.WriteFile(file, []byte(strings.ReplaceAll(text, "AT", dir)), 0o644))
	return file, dir
}

// performed runs a workload, without a tracer and with a journal of its own.
func performed(t *testing.T, workload string, args ...string) *recorded {
	t.Helper()
	return begin(t, workload, args...).wait()
}

func begin(t *testing.T, workload string, args ...string) *pipeline {
	t.Helper()
	return start(t, nil, append([]string{"run", workload, "--state", t.TempDir()}, args...), withoutTerminal, aside(t))
}

// aside has working folders in the test's own: a killed kbench leaves them.
func aside(t *testing.T) func(*exec.Cmd) {
	t.Helper()
	dir := t.TempDir()
	check(t, os.Chmod(filepath.Dir(dir), 0o711)) // nginx's workers are not root
	return func(c *exec.Cmd) { c.Env = append(os.Environ(), "TMPDIR="+dir) }
}

// gone fails when a process that a marker or a file names is still there.
func gone(t *testing.T, what, pid string) {
	t.Helper()
	pid = strings.TrimSpace(pid)
	if _, err := strconv.Atoi(pid); err != nil {
		t.Errorf("%s: no number of a process but %q", what, pid)
		return
	}
	for range 400 { // a process that was killed takes its time
		data, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(data), ") Z ") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%s, pid %s, is still running", what, pid)
}

// marks are the markers as text: iteration, phase, name, exit code.
func (r *recorded) marks() string {
	var all []string
	for _, m := range r.rows["marker"] {
		all = append(all, fmt.Sprintf("%v %v %v %v", m["iteration"], m["phase"], m["name"], m["exit_code"]))
	}
	return strings.Join(all, "\n")
}

// serving is a server that a shell can be: it says its number and waits. Its
// phases do what RUN says.
const serving = `
doc: a server and a phase
services:
  - name: server
    command: [sh, -c, "echo $$ > AT/server; echo {{.dir}} > AT/dir; echo serving; exec sleep 1000"]
    ready: {command: [test, -s, AT/dir]}
phases:
  - {name: run, command: [sh, -c, 'echo $$ > AT/phase; RUN']}
`

func TestMarkersFrameServersAndPhases(t *testing.T) {
	file, dir := described(t, strings.Replace(serving, "RUN", "exit 0", 1))
	r := performed(t, file)
	r.expect(t, 0, "Started benchmark mine\n")
	want := "0 server ready -1\n0 run start -1\n0 run end 0\n0 server stopped 143"
	if r.marks() != want {
		t.Errorf("markers\n%s\nwant\n%s", r.marks(), want)
	}
	for i, name := range map[int]string{0: "server", 2: "phase", 3: "server"} {
		if pid := strings.TrimSpace(contents(t, filepath.Join(dir, name))); r.rows["marker"][i]["attrs"] != `{"pid":`+pid+`}` {
			t.Errorf("marker %d: %v, want pid %s", i, r.rows["marker"][i], pid)
		}
	}
	gone(t, "the server", contents(t, filepath.Join(dir, "server")))
	if left := strings.TrimSpace(contents(t, filepath.Join(dir, "dir"))); exists(left) {
		t.Errorf("the working folder %s is left", left)
	}
}

func TestRepeatAndWarmup(t *testing.T) {
	file, dir := described(t, `
doc: a phase that prints a figure
phases:
  - {name: run, command: [sh, -c, "echo {{.dir}} >> AT/dirs; echo value={{.iteration}}"], results: [{metric: m, pattern: "value=(.*)", unit: s}]}
`)
	r := performed(t, file, "--repeat", "2", "--warmup", "1")
	r.expect(t, 0)
	if got := r.marks(); got != "-1 run start -1\n-1 run end 0\n0 run start -1\n0 run end 0\n1 run start -1\n1 run end 0" {
		t.Errorf("markers\n%s", got)
	}
	for i, row := range r.rows["result"] {
		if row["iteration"] != int64(i-1) || row["value"] != float64(i-1) || row["metric"] != "m" || row["unit"] != "s" || row["phase"] != "run" {
			t.Errorf("result %d: %v", i, row)
		}
	}
	if n := len(r.rows["result"]); n != 3 {
		t.Errorf("%d results", n)
	}
	if strings.Count(r.log, "Started benchmark mine") != 1 {
		t.Error("it is started once, not for each repetition")
	}
	if dirs := strings.Fields(contents(t, filepath.Join(dir, "dirs"))); len(dirs) != 3 || dirs[0] == dirs[1] || dirs[1] == dirs[2] {
		t.Errorf("each repetition has a folder of its own: %q", dirs)
	}
}

func TestLoopsCountFromZero(t *testing.T) {
	file, _ := described(t, `
doc: loops
params: {n: {type: int, default: 2, min: 0, doc: times}}
phases:
  - repeat: "{{.n}}"
    as: i
    phases:
      - {name: load, setup: true, command: [echo, "load from {{mul .i 10}}"]}
      - repeat: "2"
        as: j
        phases: [{name: run, if: "{{ne .i .j}}", command: [echo, "i={{.i}} j={{.j}} to {{mul (add .i 1) 10}}"]}]
`)
	r := performed(t, file)
	r.expect(t, 0)
	before, after, _ := strings.Cut(r.log, "Started benchmark mine\n") // which may come after the first run's output
	if said := before + after; said != "load from 0\ni=0 j=1 to 10\nload from 10\ni=1 j=0 to 20\n" || !strings.HasPrefix(before, "load from 0\n") {
		t.Errorf("stderr\n%s", r.log)
	}
}

func TestTimeoutEndsServersToo(t *testing.T) {
	file, dir := described(t, strings.Replace(serving, "RUN", "exec sleep 1000", 1))
	r := performed(t, file, "--timeout", "1s")
	r.expect(t, 124, "kbench: workload mine: timed out after 1s\n")
	gone(t, "the server", contents(t, filepath.Join(dir, "server")))
	gone(t, "the phase", contents(t, filepath.Join(dir, "phase")))
	if r.rows["run"][0]["exit_code"] != int64(124) || !r.ended() {
		t.Errorf("run %v, ended: %v", r.rows["run"], r.ended())
	}
}

func TestProgramsRunOnTheCPUsAsked(t *testing.T) {
	file, dir := described(t, `
doc: a server and a phase that say where they may run
services:
  - name: server
    command: [sh, -c, "grep Cpus_allowed_list /proc/self/status > AT/server; exec sleep 1000"]
    ready: {command: [test, -s, AT/server]}
phases:
  - {name: run, command: [grep, Cpus_allowed_list, /proc/self/status]}
`)
	r := performed(t, file, "--cpus", "1")
	r.expect(t, 0, "Cpus_allowed_list:\t1\n")
	if got := contents(t, filepath.Join(dir, "server")); got != "Cpus_allowed_list:\t1\n" {
		t.Errorf("the server: %s", got)
	}
	for _, list := range []string{"100000", "1-0", "x", "0,,1", "-1"} {
		performed(t, file, "--cpus", list).expect(t, 2, "CPUs ")
	}
}

// TestSomebodyElsesServerIsNeverAsked: not on a port that a user names, and not
// when a server of ours starts and does not listen.
func TestSomebodyElsesServerIsNeverAsked(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	check(t, err)
	defer func() { _ = l.Close() }()
	asked := make(chan struct{}, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			asked <- struct{}{}
			_ = c.Close()
		}
	}()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	file, dir := described(t, `
doc: a server that does not listen
params:
  port: {type: port, default: 0, doc: checked}
  unchecked: {type: text, default: "0", doc: not checked}
services:
  - name: server
    command: [sh, -c, "echo $$ > AT/server; exec sleep 1000"]
    ready: {port: "{{.unchecked}}", http: "http://127.0.0.1:{{.unchecked}}/", command: [touch, AT/asked], timeout: 1s}
phases: [{name: run, command: [touch, AT/ran]}]
`)
	r := performed(t, file, "--set", "port="+port)
	r.expect(t, 2, "port: port "+port+" is taken: ", fmt.Sprintf("(pid %d) listens on it", os.Getpid()))
	if exists(filepath.Join(dir, "server")) || len(r.raw) > 0 {
		t.Error("something was started")
	}
	r = performed(t, file, "--set", "unchecked="+port)
	r.expect(t, 125, "not ready after 1s: port "+port+" is another's: no process of this service listens on it")
	gone(t, "the server", contents(t, filepath.Join(dir, "server")))
	if exists(filepath.Join(dir, "ran")) || exists(filepath.Join(dir, "asked")) || len(asked) > 0 {
		t.Error("the other server was taken for ours")
	}
}

func TestMissingProgramsAreNamedBeforeAnythingStarts(t *testing.T) {
	file, dir := described(t, `
doc: needs
needs:
  - {program: no-such-server, install: apt-get install it}
  - {program: no-such-client, install: apt-get install it}
  - {program: "{{.benchmark_dir}}/mine/tool", script: "touch made"}
  - {program: no-such-option, install: x, if: "{{.option}}"}
params: {option: {type: bool, default: false, doc: d}}
phases: [{name: run, command: [touch, AT/ran]}]
`)
	r := performed(t, file, "--benchmark-dir", "relative")
	cwd, err := os.Getwd()
	check(t, err)
	want := "kbench: workload mine needs no-such-server and no-such-client and " + cwd + "/relative/mine/tool, which are not installed\n" +
		"kbench: hint: apt-get install it; kbench install mine\n"
	if r.log != want || r.code != 127 || len(r.raw) > 0 {
		t.Errorf("exit code %d, %d bytes on stdout, stderr\n%swant\n%s", r.code, len(r.raw), r.log, want)
	}
	performed(t, file, "--set", "option=true").expect(t, 127, "no-such-option")
	if exists(filepath.Join(dir, "ran")) {
		t.Error("the phase ran")
	}
}

func TestParametersAreCheckedBeforeAnythingStarts(t *testing.T) {
	file, dir := described(t, `
doc: parameters
params: {count: {type: int, default: 1, min: 1, max: 9, doc: d}}
phases: [{name: run, command: [touch, AT/ran]}]
`)
	for set, want := range map[string]string{
		"count=0":   "kbench: workload mine: count: 0 is out of range: 1 to 9\nkbench: hint: kbench show ",
		"count=one": `count: "one" is not a whole number`,
		"cuont=2":   "cuont: no such parameter\nkbench: hint: did you mean count?\n",
		"count":     "--set count: want NAME=VALUE",
		"=1":        "--set =1: want NAME=VALUE",
	} {
		performed(t, file, "--set", set).expect(t, 2, want)
	}
	check(t, os.WriteFile(file, []byte("doc: d\nphases:\n  - {name: run, comand: [x]}\n"), 0o644))
	performed(t, file).expect(t, 2, "mine.yaml: line 3: unknown key \"comand\" of a phase\nkbench: hint: did you mean command?\n")
	for key, want := range map[string]string{"mim: 0": "did you mean min?", "highest: 0": "one of type, default, unit, min, max, choices, doc"} {
		check(t, os.WriteFile(file, []byte("doc: d\nparams: {n: {type: int, default: 1, doc: d, "+key+"}}\n"), 0o644))
		performed(t, file).expect(t, 2, "mine.yaml: line 2: unknown key", "of a parameter\nkbench: hint: "+want+"\n")
	}
	performed(t, filepath.Join(dir, "nobody.yaml")).expect(t, 2, "no such file or directory")
	if exists(filepath.Join(dir, "ran")) {
		t.Error("the phase ran")
	}
}

func TestInterruptedInstallLeavesNothing(t *testing.T) {
	file, dir := described(t, `
doc: an installation that takes long
needs: [{program: "{{.benchmark_dir}}/mine/tool", script: "echo $$ > AT/script; sleep 1000; touch tool"}]
phases: [{name: run, command: ["true"]}]
`)
	c := exec.Command(kbenchPath, "install", file, "--benchmark-dir", filepath.Join(dir, "programs"))
	check(t, c.Start())
	waitFor(t, func() bool { return contents(t, filepath.Join(dir, "script")) != "" })
	check(t, c.Process.Signal(syscall.SIGINT))
	if err := c.Wait(); err == nil {
		t.Error("exit code 0")
	}
	gone(t, "the script", contents(t, filepath.Join(dir, "script")))
	left, err := os.ReadDir(filepath.Join(dir, "programs"))
	check(t, err)
	if len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}
