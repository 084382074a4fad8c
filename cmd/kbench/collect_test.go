// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/dataset"
	scripts "github.com/kermit-trace/kermit/internal/script"
)

// collection is kbench collect, running, between a tracer that can misbehave
// and the real kparquet.
type collection struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout syncBuffer
	log    syncBuffer
	dir    string
	ended  chan struct{}
}

// kparquet is built once.
var kparquet = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(filepath.Dir(kbenchPath), "path")
	path := filepath.Join(dir, "kparquet")
	if exists(path) {
		return path, nil
	}
	build := exec.Command("go", "build", "-o", path, "../kparquet")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build kparquet: %w\n%s", err, out)
	}
	return path, err
})

// quiet changes no setting of the machine.
const quiet = "skip_clear_page_cache: true, transparent_hugepages: no_change, overcommit_memory: no_change"

// collecting starts kbench collect. The tracer is a shell command; the benchmark
// is a workload's name, or the text of a file, in which AT is the test's folder.
func collecting(t *testing.T, tracer, benchmark string, args ...string) *collection {
	t.Helper()
	c := prepareCollection(t, tracer, benchmark, args...)
	check(t, c.cmd.Start())
	c.watch()
	return c
}

func prepareCollection(t *testing.T, tracer, benchmark string, args ...string) *collection {
	t.Helper()
	c := &collection{t: t, dir: t.TempDir(), ended: make(chan struct{})}
	path, err := kparquet()
	check(t, err)
	check(t, os.Symlink(path, filepath.Join(c.dir, "kparquet")))
	if tracer != "" {
		text := "#!/bin/sh\ncase $1 in list) echo 'tick (test)'; exit;; esac\n" + strings.ReplaceAll(tracer, "TRACER", tracerPath) + "\n"
		check(t, os.WriteFile(filepath.Join(c.dir, "ktrace"), []byte(text), 0o755))
	}
	// No stand-in for ktrace needs root; and sudo keeps signals from what it runs.
	check(t, os.WriteFile(filepath.Join(c.dir, "sudo"), []byte("#!/bin/sh\nshift 2\nexec \"$@\"\n"), 0o755))
	hooks := "[tick]"
	if strings.Contains(benchmark, "\n") {
		file := filepath.Join(c.dir, "mine.yaml")
		check(t, os.WriteFile(file, []byte(strings.ReplaceAll(benchmark, "AT", c.dir)), 0o644))
		benchmark = file
	}
	config := filepath.Join(c.dir, "config.yaml")
	check(t, os.WriteFile(config, []byte(fmt.Sprintf(
		"benchmark_config:\n  generic: {benchmark: %s, %s}\ncollector_config:\n  generic: {hooks: %s, output_dir: %s/data, output_interval: 1s}\n",
		benchmark, quiet, hooks, c.dir)), 0o644))
	c.cmd = exec.Command(kbenchPath, append([]string{"collect", "-c", config, "--state", filepath.Join(c.dir, "state")}, args...)...)
	c.cmd.Env = append(os.Environ(), "PATH="+c.dir+":/usr/bin:/bin:/usr/sbin:/sbin", "SUDO_UID=")
	c.cmd.Stdout, c.cmd.Stderr = &c.stdout, &c.log
	c.cmd.WaitDelay = 5 * time.Second
	c.stdin, err = c.cmd.StdinPipe()
	check(t, err)
	return c
}

func (c *collection) watch() {
	go func() {
		_ = c.cmd.Wait() // its code is looked at
		close(c.ended)
	}()
	c.t.Cleanup(func() { _ = c.cmd.Process.Kill() })
}

// await waits until the text stands on stdout or stderr.
func (c *collection) await(text string) {
	c.t.Helper()
	waitFor(c.t, func() bool { return strings.Contains(c.stdout.String()+c.log.String(), text) })
}

func (c *collection) typeText(text string) {
	c.t.Helper()
	_, err := io.WriteString(c.stdin, text)
	check(c.t, err)
}

// patience is how long an end may take on a busy machine.
const patience = 30 * time.Second

// expect waits for the end, with this exit code and these texts on stderr.
func (c *collection) expect(code int, texts ...string) {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(patience):
		c.t.Fatalf("it has not ended after %s; stdout:\n%s\nstderr:\n%s", patience, c.stdout.String(), c.log.String())
	}
	if got := c.cmd.ProcessState.ExitCode(); got != code {
		c.t.Errorf("exit code %d, want %d", got, code)
	}
	for _, text := range texts {
		if !strings.Contains(c.log.String(), text) {
			c.t.Errorf("stderr lacks %q", text)
		}
	}
	if c.t.Failed() {
		c.t.Logf("stdout:\n%s\nstderr:\n%s", c.stdout.String(), c.log.String())
	}
}

var idLine = regexp.MustCompile(`(?:^|\n)(\S*[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})\n$`)

// recorded is the one collection that was made; its id is the last line.
func (c *collection) recorded(kind, name string) *dataset.Collection {
	c.t.Helper()
	id := idLine.FindStringSubmatch(c.stdout.String())
	if id == nil {
		c.t.Fatalf("no id at the end of stdout:\n%s", c.stdout.String())
	}
	all, err := dataset.List(filepath.Join(c.dir, "data"))
	check(c.t, err)
	if len(all) != 1 || all[0].ID != id[1] || all[0].Dir != filepath.Join(c.dir, "data", kind, name, id[1]) {
		c.t.Fatalf("collections %+v, want %s", all, id[1])
	}
	return &all[0]
}

// complete fails unless the collection came to its end.
func (c *collection) complete(kind, name string) {
	c.t.Helper()
	meta, err := c.recorded(kind, name).Meta("marker")
	check(c.t, err)
	if !meta.Complete {
		c.t.Error("the recording was cut")
	}
}

// nothing fails when something was recorded.
func (c *collection) nothing() {
	c.t.Helper()
	if found, _ := filepath.Glob(c.dir + "/data/*/*/*"); found != nil || strings.Contains(c.stdout.String(), "-4") {
		c.t.Errorf("there is a collection: %q, stdout %q", found, c.stdout.String())
	}
}

const tracer = "exec TRACER"

// waits is a workload with a preparation and a phase that leave files, and wait
// for others.
const waits = `
doc: waits for files
phases:
  - {name: load, setup: true, command: [sh, -c, "touch AT/loading; until [ -e AT/loaded ]; do sleep 0.02; done"]}
  - {name: run, command: [sh, -c, "cat; touch AT/running; until [ -e AT/ran ]; do sleep 0.02; done; exit 3"]}
`

func TestCollectForReal(t *testing.T) { scripts.Run(t, "testdata/collect.txt") }

func TestCollectSaysWhatNotebooksWaitFor(t *testing.T) {
	c := prepareCollection(t, tracer, "faux", "-v", "-p", "night")
	tty := openTerminal(t)
	c.cmd.Stdin, c.cmd.Stdout = nil, nil
	tty.start(c.cmd)
	tty.await("Started benchmark faux")
	tty.typeText("no\nthe END is near\n")
	tty.await("night-")
	tty.finish(c.cmd, 0)
	shown := strings.ReplaceAll(tty.shown.String(), "\r\n", "\n")
	want := regexp.MustCompile(`^tick BPF program loaded\nFinished loading BPF programs\n\nHit Ctrl\+C to terminate\.\.\.\nStarted benchmark faux\n` +
		`(?s:.*)\nBenchmark ran for [0-9.e-]+s\nnight-[0-9a-f-]{36}\n$`)
	if !want.MatchString(strings.ReplaceAll(shown, "tracer: stopped in an orderly way\n", "")) {
		t.Errorf("the terminal shows:\n%s", shown)
	}
	if found, _ := filepath.Glob(c.dir + "/data/curated/faux/night-*/tick.end.parquet"); len(found) != 1 {
		t.Errorf("files %q", found)
	}
}

// TestWorkloadDoesNotReadOurStdin: the END that is typed is for kbench; and the
// end of stdin is no END.
func TestWorkloadDoesNotReadOurStdin(t *testing.T) {
	c := collecting(t, tracer, waits, "-p", "p")
	c.typeText("words for cat\n")
	check(t, c.stdin.Close())
	check(t, os.WriteFile(filepath.Join(c.dir, "loaded"), nil, 0o644))
	c.await("Started benchmark mine")
	waitFor(t, func() bool { return exists(filepath.Join(c.dir, "running")) })
	time.Sleep(200 * time.Millisecond)
	check(t, os.WriteFile(filepath.Join(c.dir, "ran"), nil, 0o644))
	c.expect(3, "exit code 3")
	if strings.Contains(c.log.String(), "words for cat") {
		t.Error("the workload has read stdin")
	}
	c.complete("curated", "mine")
	meta, err := c.recorded("curated", "mine").Meta("tick")
	check(t, err)
	for _, text := range []string{"workload: mine\n", "file: config.yaml", "hooks: [tick]", "transparent_hugepages: no_change"} {
		if !strings.Contains(meta.Config, text) {
			t.Errorf("the configuration lacks %q:\n%s", text, meta.Config)
		}
	}
}

// TestENDStopsAtEachStage: in order, with exit code 0, and with a collection.
func TestENDStopsAtEachStage(t *testing.T) {
	for _, c := range []struct{ name, tracer, until string }{
		{"while probes are attached", tracer + " -slow 1s", ""},
		{"in the load", tracer, "loading"},
		{"in the run", tracer, "running"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := prepareCollection(t, c.tracer, waits)
			if c.until == "running" {
				check(t, os.WriteFile(filepath.Join(run.dir, "loaded"), nil, 0o644))
			}
			check(t, run.cmd.Start())
			run.watch()
			if c.until != "" {
				waitFor(t, func() bool { return exists(filepath.Join(run.dir, c.until)) })
			}
			run.typeText("END\n")
			run.expect(0)
			run.complete("curated", "mine")
			if started := strings.Contains(run.stdout.String(), "Started benchmark"); started != (c.until == "running") {
				t.Errorf("said to have started: %v", started)
			}
		})
	}
}

func TestSignalsStopACollectionAtEachStage(t *testing.T) {
	for _, c := range []struct {
		name, tracer, until string
		sig                 syscall.Signal
		code                int
		complete            bool
	}{
		{"while probes are attached", "touch $0.here; " + tracer + " -slow 60s", "ktrace.here", syscall.SIGTERM, 143, false},
		{"in the load", tracer, "loading", syscall.SIGINT, 130, true},
		{"in the run", tracer, "running", syscall.SIGTERM, 143, true},
		{"hung up", tracer, "running", syscall.SIGHUP, 129, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := prepareCollection(t, c.tracer, waits)
			if c.until == "running" {
				check(t, os.WriteFile(filepath.Join(run.dir, "loaded"), nil, 0o644))
			}
			check(t, run.cmd.Start())
			run.watch()
			waitFor(t, func() bool { return exists(filepath.Join(run.dir, c.until)) })
			if !c.complete {
				time.Sleep(300 * time.Millisecond) // until the session waits for the tracer
			}
			check(t, run.cmd.Process.Signal(c.sig))
			run.expect(c.code)
			if c.complete {
				run.complete("curated", "mine")
			} else {
				run.nothing()
			}
		})
	}
}

// TestSignalsWhileTheTracerDoesNotStop: one is patience, two are not.
func TestSignalsWhileTheTracerDoesNotStop(t *testing.T) {
	c := collecting(t, tracer+" -stubborn", "faux")
	c.await("Started benchmark faux")
	c.typeText("END\n")
	time.Sleep(300 * time.Millisecond)
	for range 2 {
		check(t, c.cmd.Process.Signal(syscall.SIGINT))
		time.Sleep(100 * time.Millisecond)
	}
	c.expect(130, "kbench: aborted by signal 2")
}
