// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/stream"
	"go.yaml.in/yaml/v3"
)

func TestFramesPassUntouched(t *testing.T) {
	copied := filepath.Join(t.TempDir(), "tee")
	r := run(t, []string{"-tee", copied}, script("sleep 0.2")...)
	r.expect(t, 0, "Started benchmark sh\n")
	if !r.ended() {
		t.Fatalf("the stream did not end well: %v", r.err)
	}
	var got []byte
	for i, f := range r.frames {
		if !slices.ContainsFunc([]string{" marker", " result", " run"}, func(own string) bool { return strings.HasSuffix(r.kinds[i], own) }) {
			got = append(got, f...)
		}
	}
	want, err := os.ReadFile(copied)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes of the tracer's frames came through, it wrote %d", len(got), len(want))
	}
	if last := r.rows["tick"][len(r.rows["tick"])-1]; last["last"] != true {
		t.Errorf("the row the tracer made while stopping is missing; last is %v", last)
	}
}

func TestOwnTablesFollowTheTracers(t *testing.T) {
	r := run(t, []string{}, script("sleep 0.05")...)
	want := []string{"header", "table hook_stats", "table tick", "table marker", "table result", "table run"}
	if !slices.Equal(r.kinds[:6], want) {
		t.Errorf("stream begins %q, want %q", r.kinds[:6], want)
	}
	if tail := r.kinds[len(r.kinds)-2:]; !slices.Equal(tail, []string{"batch run", "end"}) {
		t.Errorf("stream ends %q", tail)
	}
	if w := r.tables["marker"].Attrs["workload"]; w != "sh" {
		t.Errorf("the marker table's workload is %q, want sh", w)
	}
}

func TestMarkersFrameTheJob(t *testing.T) {
	r := run(t, []string{"-slow", "300ms"}, "exec", "--workload", "my.job", "--", "sh", "-c", "echo pid $$; sleep 0.1; exit 3")
	r.expect(t, 3, "Started benchmark my.job\n")
	markers := r.rows["marker"]
	if len(markers) != 2 {
		t.Fatalf("%d markers, want 2: %v", len(markers), markers)
	}
	begin, end := markers[0], markers[1]
	declared, err := strconv.ParseInt(r.tables["tick"].Attrs["declared_ns"], 10, 64)
	check(t, err)
	if begin["name"] != "start" || begin["ts_ns"].(int64) < declared {
		t.Errorf("start marker %v: the last table was declared at %d", begin, declared)
	}
	if end["name"] != "end" || end["exit_code"] != int64(3) || end["workload"] != "my.job" {
		t.Errorf("end marker %v", end)
	}
	_, pid, _ := strings.Cut(r.log, "pid ")
	pid, _, _ = strings.Cut(pid, "\n")
	if want := `{"pid":` + pid + `}`; end["attrs"] != want {
		t.Errorf("end marker's attrs %v, the job said %s", end["attrs"], want)
	}
	if wall := end["ts_ns"].(int64) - begin["ts_ns"].(int64); wall < 1e8 || wall > 5e9 {
		t.Errorf("the job slept 100 ms, its markers are %d ns apart", wall)
	}
	// The tracer's last rows come after the job's end.
	if last := r.rows["tick"][len(r.rows["tick"])-1]; last["ts_ns"].(int64) < end["ts_ns"].(int64) {
		t.Errorf("the tracer was stopped before the job had ended")
	}
}

func TestRunRowSaysWhatRan(t *testing.T) {
	r := run(t, []string{}, "exec", "--", "sh", "-c", "exit 4", "it's", "a,b")
	rows := r.rows["run"]
	if len(rows) != 1 {
		t.Fatalf("%d rows of run, want 1", len(rows))
	}
	row := rows[0]
	if row["workload"] != "sh" || row["exit_code"] != int64(4) || row["command"] != `sh -c 'exit 4' 'it'\''s' a,b` || row["knobs"] != "{}" {
		t.Errorf("run row %v", row)
	}
	var config struct {
		Workload string
		Command  []string
	}
	check(t, yaml.Unmarshal([]byte(row["config"].(string)), &config))
	if config.Workload != "sh" || !slices.Equal(config.Command, []string{"sh", "-c", "exit 4", "it's", "a,b"}) {
		t.Errorf("configuration %q", row["config"])
	}
	if row["wall_ns"].(int64) <= 0 || row["collection_ns"].(int64) < row["wall_ns"].(int64) {
		t.Errorf("the recording took %v ns, the job in it %v ns", row["collection_ns"], row["wall_ns"])
	}
}

func TestExitCodeIsTheJobs(t *testing.T) {
	dir := t.TempDir()
	plain, garbage := filepath.Join(dir, "plain"), filepath.Join(dir, "garbage")
	check(t, os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644))
	check(t, os.WriteFile(garbage, []byte("\x00\x01\x02"), 0o755))
	t.Setenv("PATH", os.Getenv("PATH")+":"+dir)
	for _, c := range []struct {
		name     string
		args     []string
		code     int
		text     string
		recorded bool // the recording was made all the same
	}{
		{"success", []string{"true"}, 0, "", true},
		{"failure", []string{"sh", "-c", "exit 42"}, 42, "", true},
		{"like kbench's own", []string{"sh", "-c", "exit 125"}, 125, "", true},
		{"killed", []string{"sh", "-c", "kill -KILL $$"}, 137, "", true},
		{"terminated", []string{"sh", "-c", "kill -TERM $$"}, 143, "", true},
		{"not found", []string{"no-such-command"}, 127, "kbench: run no-such-command: command not found\n", false},
		{"no such file", []string{dir + "/none"}, 127, "no such file or directory\n", false},
		{"not executable", []string{plain}, 126, "permission denied\n", false},
		{"not executable in PATH", []string{"plain"}, 126, "permission denied\n", false},
		{"directory", []string{dir}, 126, "kbench: run " + dir + ": ", false},
		{"no program", []string{garbage}, 126, "kbench: run " + garbage + ": exec format error\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, []string{}, append([]string{"exec", "--"}, c.args...)...)
			r.expect(t, c.code, c.text)
			if c.recorded != r.ended() {
				t.Errorf("a complete stream was written: %v, want %v (%v)", r.ended(), c.recorded, r.err)
			}
			if c.recorded && r.rows["marker"][1]["exit_code"] != int64(c.code) {
				t.Errorf("end marker %v", r.rows["marker"][1])
			}
		})
	}
}

// TestBadInput: without a tracer that records, the job does not run.
func TestBadInput(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	check(t, os.WriteFile(text, []byte("Hello, this is no stream\n"), 0o644))
	var early bytes.Buffer
	h := stream.NewHeader("test")
	h.Tables = []string{"tick"}
	w := stream.NewWriter(&early)
	check(t, w.Header(h))
	check(t, w.End())
	for _, c := range []struct {
		name   string
		tracer []string
		stdin  string
		text   string
	}{
		{"text", nil, "Hello, this is no stream\n", "kbench: stream: byte 0: not a stream of ktrace"},
		{"empty", nil, "", "no data: the tracer did not start\nkbench: hint: see what ktrace says\n"},
		{"header only", []string{"-header"}, "", "cut: the end frame is missing"},
		{"newer", []string{"-newer"}, "", "made by a newer ktrace"},
		{"end before tables", nil, early.String(), "the tracer ended before it had declared its tables"},
		{"deaf tracer", []string{"-deaf"}, "", "kbench: the tracer cannot be stopped from here: reach the tracer: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			ran := filepath.Join(t.TempDir(), "ran")
			r := start(t, c.tracer, []string{"exec", "--", "touch", ran}, func(k *exec.Cmd) {
				if c.tracer == nil {
					k.Stdin = strings.NewReader(c.stdin)
				}
			}).wait()
			r.expect(t, 125, c.text)
			if exists(ran) {
				t.Error("the job ran")
			}
			if strings.Count(r.log, "\n") > 2 {
				t.Errorf("more than an error and a hint:\n%s", r.log)
			}
		})
	}
}

func TestSecondKbenchRefusesTheStream(t *testing.T) {
	first := start(t, []string{}, script("sleep 0.3"))
	r := start(t, nil, script("true"), func(k *exec.Cmd) { k.Stdin = first.out }).wait()
	r.expect(t, 125, "the stream has passed another kbench")
}

// TestCutStream: the job is not harmed, what came is passed on, and the next
// reader sees the cut.
func TestCutStream(t *testing.T) {
	for _, c := range []struct{ flag, text string }{
		{"-cut", "cut: the end frame is missing"},
		{"-garbage", "byte 0xc1 starts no value of this format"},
	} {
		t.Run(c.flag, func(t *testing.T) {
			on, done := filepath.Join(t.TempDir(), "on"), filepath.Join(t.TempDir(), "done")
			now := filepath.Join(t.TempDir(), "now")
			p := start(t, []string{c.flag, now}, script("touch "+now+"; until [ -e "+on+" ]; do sleep 0.02; done; touch "+done))
			p.await("; the job goes on, unrecorded\n")
			check(t, os.WriteFile(on, nil, 0o644))
			r := p.wait()
			r.expect(t, 125, "kbench: stream: byte ", c.text)
			if !exists(done) {
				t.Error("the job was ended")
			}
			if !errors.Is(r.err, stream.ErrCut) {
				t.Errorf("the stream reads as %v, want a cut one", r.err)
			}
			if len(r.rows["tick"]) == 0 || len(r.rows["marker"]) != 2 || len(r.rows["run"]) != 1 {
				t.Errorf("%d ticks, %d markers, %d run rows came through", len(r.rows["tick"]), len(r.rows["marker"]), len(r.rows["run"]))
			}
		})
	}
}

func TestTracerThatEndsFirst(t *testing.T) {
	on, done := filepath.Join(t.TempDir(), "on"), filepath.Join(t.TempDir(), "done")
	now := filepath.Join(t.TempDir(), "now")
	p := start(t, []string{"-ends", now}, script("touch "+now+"; until [ -e "+on+" ]; do sleep 0.02; done; touch "+done+"; exit 5"))
	p.await("kbench: the tracer ended first; the job goes on, unrecorded\n")
	check(t, os.WriteFile(on, nil, 0o644))
	r := p.wait()
	r.expect(t, 5)
	if !exists(done) || !r.ended() || len(r.rows["marker"]) != 2 {
		t.Errorf("job done: %v, stream ended: %v, markers %v", exists(done), r.ended(), r.rows["marker"])
	}
}

// TestReaderThatGoes: nobody reads the stream any more; tracer and job end in
// an orderly way.
func TestReaderThatGoes(t *testing.T) {
	told := filepath.Join(t.TempDir(), "told")
	p := start(t, []string{"-frames", "1000000000"}, script("trap 'touch "+told+"; exit 0' TERM; while :; do sleep 0.05; done"))
	p.await("Started benchmark")
	time.Sleep(100 * time.Millisecond) // the trap is set
	check(t, p.out.Close())
	_ = p.kbench.Wait()
	_ = p.tracer.Wait()
	if code := p.kbench.ProcessState.ExitCode(); code != 125 {
		t.Errorf("exit code %d, want 125", code)
	}
	if !strings.Contains(p.log.String(), "kbench: the reader of the stream has gone: ") {
		t.Errorf("stderr:\n%s", p.log.String())
	}
	if !exists(told) {
		t.Error("the job was not asked to end")
	}
	if !strings.Contains(p.tlog.String(), "stopped in an orderly way") {
		t.Errorf("the tracer said %q", p.tlog.String())
	}
}

func TestWithoutTracerItMakesTheStream(t *testing.T) {
	r := run(t, nil, script("exit 6")...)
	r.expect(t, 6, "Started benchmark sh\n")
	if !r.ended() {
		t.Fatalf("the stream did not end well: %v", r.err)
	}
	want := []string{
		"header", "table system_info", "table marker", "table result", "table run",
		"batch system_info", "batch marker", "batch marker", "batch run", "end",
	}
	if !slices.Equal(r.kinds, want) {
		t.Errorf("frames %q, want %q", r.kinds, want)
	}
	if len(r.header.Hooks) != 0 || !strings.HasPrefix(r.header.Tool, "kbench ") || !slices.Equal(r.header.Tables, []string{"system_info", "marker", "result", "run"}) {
		t.Errorf("header %+v", r.header)
	}
}

func TestManyFrames(t *testing.T) {
	const frames = 100_000
	began := time.Now()
	p := start(t, []string{"-frames", strconv.Itoa(frames)}, []string{"run", "faux"}, withoutTerminal)
	go func() {
		for range 6000 {
			if strings.Contains(p.tlog.String(), "tracer: all frames are written") {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		_ = p.kbench.Process.Signal(syscall.SIGTERM)
	}()
	r := p.wait()
	r.expect(t, 0)
	if n := len(r.rows["tick"]); n < frames || !r.ended() {
		t.Fatalf("%d ticks, want at least %d; ended: %v", n, frames, r.ended())
	}
	for i, row := range r.rows["tick"] {
		if row["n"] != int64(i) {
			t.Fatalf("tick %d is %v", i, row["n"])
		}
	}
	t.Logf("%d frames in %s", len(r.frames), time.Since(began))
}
