// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	scripts "github.com/kermit-trace/kermit/internal/script"
	"github.com/kermit-trace/kermit/stream"
)

// The commands under test: kbench as users run it, and a tracer without probes.
var kbenchPath, tracerPath string

// programs names the folder of both, where they are built already: for the tests
// that run themselves again as root.
const programs = "KBENCH_TEST_PROGRAMS"

func TestMain(m *testing.M) {
	scripts.HearHangups()
	os.Exit(func() int {
		defer scripts.Clean()
		if dir := os.Getenv(programs); dir != "" {
			kbenchPath, tracerPath = filepath.Join(dir, "kbench"), filepath.Join(dir, "tracer")
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "kbench")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if err := os.Chmod(dir, 0o711); err != nil { // other users run kbench too
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		kbenchPath, tracerPath = filepath.Join(dir, "kbench"), filepath.Join(dir, "tracer")
		for path, source := range map[string]string{kbenchPath: ".", tracerPath: "./testdata/tracer"} {
			build := exec.Command("go", "build", "-o", path, source)
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "build %s: %v\n%s", source, err, out)
				return 1
			}
		}
		return m.Run()
	}())
}

// pipeline is tracer | kbench, running.
type pipeline struct {
	t      *testing.T
	tracer *exec.Cmd // nil without one
	kbench *exec.Cmd
	out    *os.File // what kbench writes
	log    syncBuffer
	tlog   syncBuffer // the tracer's stderr
}

// start starts kbench behind a tracer with the given arguments; nil: stdin is
// /dev/null. configure may change kbench's command before it starts.
func start(t *testing.T, tracer []string, args []string, configure ...func(*exec.Cmd)) *pipeline {
	t.Helper()
	p := &pipeline{t: t, kbench: exec.Command(kbenchPath, args...)}
	out, in, err := os.Pipe()
	check(t, err)
	p.out, p.kbench.Stdout, p.kbench.Stderr = out, in, &p.log
	if tracer != nil {
		r, w, err := os.Pipe()
		check(t, err)
		p.tracer = exec.Command(tracerPath, tracer...)
		p.tracer.Stdout, p.tracer.Stderr, p.kbench.Stdin = w, &p.tlog, r
		check(t, p.tracer.Start())
		check(t, w.Close())
		defer func() { check(t, r.Close()) }()
	}
	for _, f := range configure {
		f(p.kbench)
	}
	p.kbench.WaitDelay = 5 * time.Second // a job that outlives kbench holds its stderr
	check(t, p.kbench.Start())
	check(t, in.Close())
	t.Cleanup(func() {
		_ = p.kbench.Process.Kill()
		if p.tracer != nil {
			_ = p.tracer.Process.Kill()
			_ = p.tracer.Wait()
		}
	})
	return p
}

// recorded is what a pipeline left behind.
type recorded struct {
	code   int
	log    string
	raw    []byte
	kinds  []string // "header", "table NAME", "batch NAME", "end"
	header *stream.Header
	tables map[string]*stream.Table
	rows   map[string][]map[string]any
	frames [][]byte
	err    error // that reading the stream ended with; io.EOF is nil here
}

// wait reads kbench's stream and waits for both commands.
func (p *pipeline) wait() *recorded {
	p.t.Helper()
	timer := time.AfterFunc(60*time.Second, func() { _ = p.kbench.Process.Kill() })
	defer timer.Stop()
	raw, err := io.ReadAll(p.out)
	check(p.t, err)
	_ = p.kbench.Wait() // the code is looked at
	if p.tracer != nil {
		_ = p.tracer.Wait()
	}
	r := read(p.t, raw)
	r.code, r.log = p.kbench.ProcessState.ExitCode(), p.log.String()
	return r
}

// await waits until text stands on kbench's stderr.
func (p *pipeline) await(text string) {
	p.t.Helper()
	for range 2000 {
		if strings.Contains(p.log.String(), text) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.t.Fatalf("%q never came on stderr; there is:\n%s", text, p.log.String())
}

func run(t *testing.T, tracer []string, args ...string) *recorded {
	t.Helper()
	return start(t, tracer, args).wait()
}

func read(t *testing.T, raw []byte) *recorded {
	t.Helper()
	r := &recorded{raw: raw, tables: map[string]*stream.Table{}, rows: map[string][]map[string]any{}}
	in := stream.NewReader(bytes.NewReader(raw))
	for {
		f, err := in.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.err = err
			}
			return r
		}
		r.frames = append(r.frames, f.Raw)
		switch f.Kind {
		case stream.KindHeader:
			r.kinds, r.header = append(r.kinds, "header"), f.Header
		case stream.KindTable:
			r.kinds, r.tables[f.Table.Name] = append(r.kinds, "table "+f.Table.Name), f.Table
		case stream.KindBatch:
			r.kinds = append(r.kinds, "batch "+f.Table.Name)
			r.add(t, f)
		case stream.KindEnd:
			r.kinds = append(r.kinds, "end")
		}
	}
}

func (r *recorded) add(t *testing.T, f *stream.Frame) {
	t.Helper()
	b, err := f.Batch()
	check(t, err)
	for i := range b.Rows {
		row := map[string]any{}
		for j, c := range b.Table.Columns {
			row[c.Name] = b.Columns[j].Value(i)
		}
		r.rows[b.Table.Name] = append(r.rows[b.Table.Name], row)
	}
}

// ended tells whether the stream has its end frame, and nothing is wrong.
func (r *recorded) ended() bool {
	return r.err == nil && len(r.kinds) > 0 && r.kinds[len(r.kinds)-1] == "end"
}

// expect fails unless kbench left with the code and said each of the texts.
func (r *recorded) expect(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, s := range texts {
		if !strings.Contains(r.log, s) {
			t.Errorf("stderr lacks %q", s)
		}
	}
	if t.Failed() {
		t.Logf("stderr:\n%s", r.log)
	}
}

// script is a job: a shell script.
func script(text string) []string { return []string{"exec", "--", "sh", "-c", text} }

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// syncBuffer collects output while it is looked at.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
