// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/dataset"
)

// TestCollectionThatFailsEnds: whatever fails, it is said, and nothing waits for
// ever.
func TestCollectionThatFailsEnds(t *testing.T) {
	const served = "doc: x\nservices: [{name: s, command: [sh, -c, 'echo I cannot; %s'], ready: {command: [false], timeout: 1s}}]\nphases: [{name: run, command: [true]}]\n"
	for _, c := range []struct {
		name, tracer, benchmark string
		args                    []string
		code                    int
		text                    string
		recorded                bool
	}{
		{"a server ends", tracer, fmt.Sprintf(served, "exit 1"), nil, 125, "I cannot", true},
		{"a server is never ready", tracer, fmt.Sprintf(served, "sleep 100"), nil, 125, "not ready after 1s", true},
		{"a client fails", tracer, "doc: x\nphases: [{name: run, command: [sh, -c, exit 7]}]\n", nil, 7, "exit code 7", true},
		{"a client is not there", tracer, "doc: x\nneeds: [{program: no-such, install: get it}]\nphases: [{name: run, command: [no-such]}]\n", nil, 127, "kbench: hint: get it", false},
		{"a hook cannot be attached", "echo ktrace: attach tick: no way >&2; exit 1", "faux", nil, 125, "ktrace: attach tick: no way\nkbench: ktrace failed, exit code 1\nkbench: hint: see what ", false},
		{"the tracer dies", "TRACER -cut $0.cut; exit 9", "doc: x\nphases: [{name: run, command: [sh, -c, touch AT/ktrace.cut; sleep 1]}]\n", nil, 125, "ktrace failed, exit code 9", true},
		{"the tracer is deaf", tracer + " -deaf", "faux", nil, 125, "connection refused\nkbench: hint: start ktrace and kbench in the same", false},
		{"there is no tracer", "", "faux", nil, 125, "kbench: ktrace: found neither beside kbench nor in PATH\nkbench: hint: make build", false},
		{"a prefix leads elsewhere", tracer, "faux", []string{"-p", "../up"}, 2, `prefix "../up"`, false},
		{"a prefix is a path", tracer, "faux", []string{"-p", "a/b"}, 2, `prefix "a/b"`, false},
		{"a benchmark is unknown", tracer, "faux", []string{"-b", "radis"}, 2, "kbench: unknown benchmark \"radis\"\nkbench: hint: did you mean redis?\n", false},
		{"a benchmark is misspelt", tracer, "foux", nil, 2, "config.yaml:2: unknown benchmark \"foux\"\nkbench: hint: did you mean faux?\n", false},
		{"a file is not there", tracer, "faux", []string{"-c", "none.yaml"}, 2, "none.yaml: no such file", false},
		{"a word too many", tracer, "faux", []string{"dump"}, 2, `unexpected argument "dump"`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := collecting(t, c.tracer, c.benchmark, c.args...)
			run.expect(c.code, c.text)
			if strings.Contains(run.log.String(), "kparquet: ") && !c.recorded {
				t.Errorf("kparquet complains of what it was not given:\n%s", run.log.String())
			}
			if !c.recorded {
				run.nothing()
			} else {
				run.recorded("curated", "mine")
			}
			if left, _ := filepath.Glob(run.dir + "/state/*.journal"); left != nil {
				t.Errorf("journals left: %q", left)
			}
		})
	}
}

// TestRecorderThatDiesEndsTheCollection: as on a full disk, with and without
// rows that come all the time.
func TestRecorderThatDiesEndsTheCollection(t *testing.T) {
	for name, tracer := range map[string]string{"many rows": tracer + " -frames 200000", "few rows": tracer} {
		t.Run(name, func(t *testing.T) {
			c := prepareCollection(t, tracer, "faux")
			// 1.5 KiB are enough for a journal, not for a table.
			c.cmd.Args = append([]string{"sh", "-c", `ulimit -f 3; trap "" XFSZ; exec "$@"`, "sh"}, append([]string{kbenchPath}, c.cmd.Args[1:]...)...)
			c.cmd.Path = "/bin/sh"
			check(t, c.cmd.Start())
			c.watch()
			c.expect(125, "file too large", "kbench: kparquet failed, exit code 1")
		})
	}
	for name, reads := range map[string]string{"before the first row": "head -c 10", "where no row ever comes": "timeout 0.5 cat"} {
		t.Run(name, func(t *testing.T) {
			c := prepareCollection(t, tracer, "faux")
			check(t, os.Remove(filepath.Join(c.dir, "kparquet")))
			text := "#!/bin/sh\n" + reads + " > /dev/null\necho kparquet: no >&2; exit 1\n"
			check(t, os.WriteFile(filepath.Join(c.dir, "kparquet"), []byte(text), 0o755))
			config := filepath.Join(c.dir, "config.yaml")
			check(t, os.WriteFile(config, []byte(strings.Replace(contents(t, config), "[tick]", "[]", 1)), 0o644))
			check(t, c.cmd.Start())
			c.watch()
			c.expect(125, "kparquet: no\n", "kbench: kparquet failed, exit code 1")
		})
	}
}

func TestEmptyListOfHooksMakesABaseline(t *testing.T) {
	c := prepareCollection(t, "echo it was started >&2; exit 1", "doc: x\nphases: [{name: run, command: [true]}]\n")
	config := filepath.Join(c.dir, "config.yaml")
	check(t, os.WriteFile(config, []byte(strings.Replace(contents(t, config), "[tick]", "[]", 1)), 0o644))
	check(t, c.cmd.Start())
	c.watch()
	c.expect(0)
	c.complete("baseline", "mine")
}

// TestKilledCollectionLeavesNoProcess: what was recorded can be read.
func TestKilledCollectionLeavesNoProcess(t *testing.T) {
	c := collecting(t, "echo $$ > $0.pid; exec TRACER", waits)
	check(t, os.WriteFile(filepath.Join(c.dir, "loaded"), nil, 0o644))
	c.await("Started benchmark mine")
	time.Sleep(1500 * time.Millisecond) // a part is on disk
	check(t, c.cmd.Process.Kill())
	pid := strings.TrimSpace(contents(t, filepath.Join(c.dir, "ktrace.pid")))
	waitFor(t, func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
	waitFor(t, func() bool {
		temporary, _ := filepath.Glob(c.dir + "/data/.*.tmp")
		all, err := dataset.List(filepath.Join(c.dir, "data"))
		return err == nil && temporary == nil && len(all) == 1
	})
}
