// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServersThatFail: one line says what happened, with the last that the
// server printed; no phase runs, and nothing is left.
func TestServersThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		server string // a mapping of YAML
		code   int
		want   []string
	}{
		"ends at once":        {`command: [sh, -c, "echo cannot bind; exit 3"], ready: {port: "1"}`, 125, []string{"service server: ended by itself, exit code 3; it printed:\n  cannot bind\n"}},
		"ends silently":       {`command: ["false"], ready: {port: "1"}`, 125, []string{"ended by itself, exit code 1; it printed nothing\n"}},
		"is not installed":    {`command: [no-such-server], ready: {port: "1"}`, 127, []string{"run no-such-server: command not found"}},
		"is no program":       {`command: [/etc/passwd], ready: {port: "1"}`, 126, []string{"run /etc/passwd: permission denied"}},
		"is never ready":      {`command: [sh, -c, "echo $$ > AT/pid; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i; done; exec sleep 1000"], ready: {command: ["false"], timeout: 300ms}`, 125, []string{"service server: not ready after 300ms: false: exit code 1; it printed:\n  line 3\n", "  line 12\n"}},
		"listens nowhere":     {`command: [sh, -c, "echo $$ > AT/pid; exec sleep 1000"], ready: {port: "1", timeout: 300ms}`, 125, []string{"not ready after 300ms: nothing listens on port 1;"}},
		"says something else": {`command: [sh, -c, "echo $$ > AT/pid; exec sleep 1000"], ready: {command: [echo, LOADING], output: ^PONG, timeout: 300ms}`, 125, []string{`echo LOADING printed "LOADING"`}},
		"does not answer":     {`command: [sh, -c, "echo $$ > AT/pid; exec sleep 1000"], ready: {command: [sleep, "1000"], timeout: 300ms}`, 125, []string{"not ready after 300ms: sleep 1000 does not end;"}},
		"ignores all signals": {`command: [sh, -c, "trap '' TERM INT; echo $$ > AT/pid; while :; do sleep 0.1; done"], ready: {command: ["false"], timeout: 300ms}`, 125, []string{"not ready after 300ms"}},
		"prints binary":       {`command: [sh, -c, "printf '\\033[2J\\377\\000'; exit 1"], ready: {port: "1"}`, 125, []string{"it printed:\n  .[2J\ufffd.\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			file, dir := described(t, "doc: d\nservices: [{name: server, "+c.server+"}]\nphases: [{name: run, command: [touch, AT/ran]}]\n")
			r := performed(t, file)
			r.expect(t, c.code, append(c.want, "kbench: workload mine: ")...)
			if exists(filepath.Join(dir, "ran")) {
				t.Error("the phase ran")
			}
			if strings.Contains(r.log, "Started") || r.rows["run"][0]["exit_code"] != int64(c.code) || !r.ended() {
				t.Errorf("run %v, ended: %v\n%s", r.rows["run"], r.ended(), r.log)
			}
			if pid := contents(t, filepath.Join(dir, "pid")); pid != "" {
				gone(t, "the server", pid)
			}
		})
	}
}

func TestServerThatDiesEndsThePhase(t *testing.T) {
	file, dir := described(t, strings.Replace(serving, "RUN", "kill -9 $(cat AT/server); exec sleep 1000", 1))
	began := time.Now()
	r := performed(t, file)
	r.expect(t, 125, "phase run: service server ended by itself, exit code 137", "it printed:\n  serving\n")
	if n := strings.Count(r.log, "ended by itself"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %s to notice", took)
	}
	gone(t, "the phase", contents(t, filepath.Join(dir, "phase")))
}

// TestServerThatDiesUnnoticedIsAnError: while no program is there that would
// miss it.
func TestServerThatDiesUnnoticedIsAnError(t *testing.T) {
	file, dir := described(t, `
doc: a server that ends between phases
services:
  - {name: server, command: [sh, -c, "touch AT/up; until [ -e AT/down ]; do sleep 0.02; done; exit 9"], ready: {command: [test, -e, AT/up]}}
phases:
  - {name: run, command: [touch, AT/down]}
  - {PAUSE}
`)
	text := contents(t, file)
	for _, pause := range []string{"sleep: 100s", `name: rest, wait: ""`, "name: rest, wait: 100s"} {
		check(t, os.WriteFile(file, []byte(strings.Replace(text, "PAUSE", pause, 1)), 0o644))
		check(t, errors.Join(os.RemoveAll(filepath.Join(dir, "up")), os.RemoveAll(filepath.Join(dir, "down"))))
		began := time.Now()
		performed(t, file).expect(t, 125, "service server ended by itself, exit code 9")
		if took := time.Since(began); took > 50*time.Second {
			t.Errorf("%s: it took %s", pause, took)
		}
	}
}

// TestProcessThatHidesIsEnded: it has left its group, its session, its parents
// and its environment, by which it could be known.
func TestProcessThatHidesIsEnded(t *testing.T) {
	file, dir := described(t, `
doc: leaves a process behind, and some that end by themselves
phases:
  - name: run
    command: [sh, -c, "env -i setsid -f sh -c 'echo $$ > AT/pid; exec sleep 1000'; for i in 1 2 3; do setsid -f true; done; until [ -s AT/pid ]; do sleep 0.02; done"]
  - {sleep: 2500ms}
  - {name: look, command: [sh, -c, "grep -c 'State:.Z' $(sed 's,[0-9][0-9]*,/proc/&/status,g' /proc/$PPID/task/*/children)"], accept: [1]}
`)
	r := performed(t, file)
	pid := strings.TrimSpace(contents(t, filepath.Join(dir, "pid")))
	r.expect(t, 0, "kbench: ended what was left running: sleep (pid "+pid+")\n")
	gone(t, "the process", pid)
	if strings.Contains(r.log, "status:1\n") {
		t.Errorf("who has ended was not waited for:\n%s", r.log)
	}
}

func TestPhaseThatFailsEndsTheRun(t *testing.T) {
	file, dir := described(t, strings.Replace(serving, "RUN", "echo why it fails; exit 7", 1)+"  - {name: later, command: [touch, AT/later]}\n")
	r := performed(t, file)
	r.expect(t, 7, "why it fails\n", "kbench: workload mine: phase run: sh: exit code 7\n", "kbench: what the servers printed is in ")
	gone(t, "the server", contents(t, filepath.Join(dir, "server")))
	if exists(filepath.Join(dir, "later")) {
		t.Error("the next phase ran")
	}
	folder := strings.TrimSpace(contents(t, filepath.Join(dir, "dir")))
	if log := contents(t, filepath.Join(folder, "server.log")); log != "serving\n" {
		t.Errorf("the server's log is %q", log)
	}
	if r.rows["run"][0]["exit_code"] != int64(7) || !strings.Contains(r.marks(), "0 run end 7\n") || !r.ended() {
		t.Errorf("run %v, markers\n%s", r.rows["run"], r.marks())
	}
}

func TestPhasesAreHeldToWhatTheyMustPrint(t *testing.T) {
	for name, c := range map[string]struct {
		phase string
		code  int
		want  string
	}{
		"expected":         {`command: [echo, "sum: 7 (valid)"], expect: ['^sum: \d+ \(valid\)$']`, 0, "sum: 7"},
		"unexpected":       {`command: [echo, "sum: 8 (wrong)"], expect: ['^sum: \d+ \(valid\)$']`, 125, `phase run: its output does not match ^sum: \d+ \(valid\)$`},
		"not asked for":    {`command: [echo, "sum: 8 (wrong)"], expect: ["{{if false}}valid{{end}}"]`, 0, "sum: 8"},
		"accepted":         {`command: [sh, -c, exit 3], accept: [3]`, 0, ""},
		"not accepted":     {`command: [sh, -c, exit 4], accept: [3]`, 4, "sh: exit code 4"},
		"without figure":   {`command: [echo, nothing], results: [{metric: m, pattern: "m=(.*)"}]`, 125, "result m: nothing in the output matches"},
		"quiet":            {`command: [sh, -c, "echo why; exit 5"], quiet: true`, 5, "sh: exit code 5; it printed:\n  why\n"},
		"quiet, no figure": {`command: [echo, why], quiet: true, results: [{metric: m, pattern: "m=(.*)"}]`, 125, "nothing in the output matches m=(.*); it printed:\n  why\n"},
		"missing":          {`command: [no-such-program]`, 127, "run no-such-program: command not found"},
	} {
		t.Run(name, func(t *testing.T) {
			file, _ := described(t, "doc: d\nphases: [{name: run, "+c.phase+"}]\n")
			r := performed(t, file)
			r.expect(t, c.code, c.want)
			if r.rows["run"][0]["exit_code"] != int64(c.code) || !r.ended() {
				t.Errorf("run %v, ended: %v", r.rows["run"], r.ended())
			}
		})
	}
}

// TestWhatAPhaseLeavesRunningIsEndedAndNamed: in its process group or not, holding
// its output open or not.
func TestWhatAPhaseLeavesRunningIsEndedAndNamed(t *testing.T) {
	for name, c := range map[string]struct{ child, verdict string }{
		"in its group":         {"AT/child.sh > AT/null 2>&1 &", "killed"},
		"holding its output":   {"AT/child.sh &", "killed"},
		"in a session":         {"setsid AT/child.sh > AT/null 2>&1 &", "ended"},
		"there holding output": {"setsid AT/child.sh &", "ended"},
		"deaf to SIGTERM":      {"(trap '' TERM; exec setsid AT/child.sh) &", "killed"},
	} {
		t.Run(name, func(t *testing.T) {
			file, dir := described(t, "doc: d\nphases: [{name: run, command: [sh, -c, \""+c.child+
				" until [ -s AT/child ]; do sleep 0.01; done; echo value=1\"], results: [{metric: m, pattern: value=(.)}]}]\n")
			check(t, os.WriteFile(filepath.Join(dir, "child.sh"), []byte("#!/bin/sh\necho $$ > "+dir+"/child\nexec sleep 1000\n"), 0o755))
			began := time.Now()
			r := performed(t, file)
			pid := strings.TrimSpace(contents(t, filepath.Join(dir, "child")))
			r.expect(t, 0, "kbench: "+c.verdict+" what was left running: ", "(pid "+pid+")")
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			gone(t, "the child", pid)
			if len(r.rows["result"]) != 1 {
				t.Errorf("results %v", r.rows["result"])
			}
		})
	}
}

// TestFloodOfOutput: more than is kept, and not text.
func TestFloodOfOutput(t *testing.T) {
	file, _ := described(t, `
doc: a server and a phase that print without end
services:
  - {name: server, command: [sh, -c, "echo $$ > AT/server; exec yes a line of a server"], ready: {command: [test, -s, AT/server]}}
phases:
  - {name: run, quiet: true, command: [sh, -c, "head -c 500000000 /dev/zero; echo; echo value=5; sleep 0.5"], results: [{metric: m, pattern: "^value=(.*)"}]}
`)
	p := begin(t, file)
	r := p.wait()
	r.expect(t, 0)
	if len(r.rows["result"]) != 1 || r.rows["result"][0]["value"] != 5.0 {
		t.Errorf("results %v", r.rows["result"])
	}
	if peak := p.kbench.ProcessState.SysUsage().(*syscall.Rusage).Maxrss; peak > 256<<10 {
		t.Errorf("kbench took %d KiB", peak)
	}
}

func TestSignalsEndWorkloads(t *testing.T) {
	const text = `
doc: a server that may never be ready, a preparation and a run
services:
  - name: server
    command: [sh, -c, "echo {{.dir}} > AT/dir; echo $$ > AT/server; exec sleep 1000"]
    ready: {command: [test, -e, AT/ready], timeout: 1m}
phases:
  - {name: load, setup: true, command: [sh, -c, "echo $$ > AT/load; until [ -e AT/loaded ]; do sleep 0.02; done"]}
  - {name: run, command: [sh, -c, "echo $$ > AT/run; exec sleep 1000"]}
`
	for _, stage := range []struct{ name, pid, prepared string }{
		{"server starts", "server", ""}, {"load", "load", "ready"}, {"run", "run", "ready loaded"},
	} {
		for name, sig := range map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP} {
			t.Run(stage.name+" "+name, func(t *testing.T) {
				file, dir := described(t, text)
				for _, f := range strings.Fields(stage.prepared) {
					check(t, os.WriteFile(filepath.Join(dir, f), nil, 0o644))
				}
				p := begin(t, file)
				waitFor(t, func() bool { return contents(t, filepath.Join(dir, stage.pid)) != "" })
				check(t, p.kbench.Process.Signal(sig))
				r := p.wait()
				r.expect(t, 128+int(sig))
				if !r.ended() || r.rows["run"][0]["exit_code"] != int64(128+int(sig)) {
					t.Errorf("run %v, ended: %v (%v)", r.rows["run"], r.ended(), r.err)
				}
				gone(t, "the server", contents(t, filepath.Join(dir, "server")))
				gone(t, "the "+stage.pid, contents(t, filepath.Join(dir, stage.pid)))
				if folder := strings.TrimSpace(contents(t, filepath.Join(dir, "dir"))); exists(folder) {
					t.Errorf("the working folder %s is left", folder)
				}
			})
		}
	}
}

func TestSecondSignalKillsWorkloads(t *testing.T) {
	file, dir := described(t, `
doc: programs that heed no signal
services:
  - {name: server, command: [sh, -c, "trap '' INT TERM; echo $$ > AT/server; while :; do sleep 0.1; done"], ready: {command: [test, -s, AT/server]}}
phases:
  - {name: run, command: [sh, -c, "trap 'echo x > AT/heard' INT; echo $$ > AT/run; while :; do sleep 0.1; done"]}
`)
	p := begin(t, file)
	waitFor(t, func() bool { return contents(t, filepath.Join(dir, "run")) != "" })
	check(t, p.kbench.Process.Signal(syscall.SIGINT))
	waitFor(t, func() bool { return exists(filepath.Join(dir, "heard")) })
	check(t, p.kbench.Process.Signal(syscall.SIGINT))
	began := time.Now()
	r := p.wait()
	r.expect(t, 137)
	if took := time.Since(began); took > 8*time.Second { // it would wait ten for each
		t.Errorf("it took %s", took)
	}
	gone(t, "the server", contents(t, filepath.Join(dir, "server")))
	gone(t, "the phase", contents(t, filepath.Join(dir, "run")))
}

// TestServersEndWithKbench: also when nothing can be cleaned up any more.
func TestServersEndWithKbench(t *testing.T) {
	file, dir := described(t, strings.Replace(serving, "RUN", "exec sleep 1000", 1))
	p := begin(t, file)
	waitFor(t, func() bool { return contents(t, filepath.Join(dir, "phase")) != "" })
	check(t, p.kbench.Process.Kill())
	p.wait()
	gone(t, "the server", contents(t, filepath.Join(dir, "server")))
	gone(t, "the phase", contents(t, filepath.Join(dir, "phase")))
}

// TestPageThatIsNotThereIsNotMeasured: errors are served fast.
func TestPageThatIsNotThereIsNotMeasured(t *testing.T) {
	r := performed(t, "nginx", "--set", "nginx_port=0", "--set", "request_path=/missing.html")
	r.expect(t, 125, "service server: not ready after 10s: ask for http://127.0.0.1:", "/missing.html: 404 Not Found")
	if strings.Contains(r.log, "Started") {
		t.Error("it was measured")
	}
}
