// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// built is a workload whose program a script makes.
func built(t *testing.T, script string) *Workload {
	t.Helper()
	w, err := parse("mine", "mine.yaml", []byte(plainWorkload+`needs:
  - {program: "{{.benchmark_dir}}/mine/bin/tool", script: "SCRIPT"}
  - {program: no-such-program, install: apt-get install it}
`))
	if err != nil {
		t.Fatal(err)
	}
	w.Needs[0].Script = script
	return w
}

const makesTool = "mkdir bin; printf '#!/bin/sh\\n' > bin/tool; chmod +x bin/tool; echo made"

func TestInstallPutsAWholeProgramInItsPlace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "programs")
	w := built(t, makesTool)
	if err := os.MkdirAll(filepath.Join(dir, stagePrefix+"of-a-killed-run", "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"made\n", ""} { // the second time it is there
		var out bytes.Buffer
		missing, err := w.Install(context.Background(), dir, &out)
		if err != nil {
			t.Fatal(err)
		}
		if len(missing) != 1 || missing[0].Program != "no-such-program" {
			t.Errorf("missing: %v", missing)
		}
		if out.String() != want {
			t.Errorf("run %d printed %q, want %q", i+1, out.String(), want)
		}
	}
	if got := entries(t, dir); got != "mine" {
		t.Errorf("in the folder is %q", got)
	}
}

func TestHalfAnInstallationDoesNotStick(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"script fails":         {"mkdir bin; touch bin/tool; exit 3", "its script ended with exit code 3"},
		"a command fails":      {"mkdir bin; false; " + makesTool, "its script ended with exit code 1"},
		"unset variable":       {"echo $NOBODY_SET_THIS; " + makesTool, "its script ended with exit code 2"},
		"makes something else": {"mkdir bin; touch bin/tool", "its script has not made it"}, // not executable
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := built(t, c.script).Install(context.Background(), dir, new(bytes.Buffer))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if got := entries(t, dir); got != "" {
				t.Errorf("it left %q", got)
			}
			if _, err := built(t, makesTool).Install(context.Background(), dir, new(bytes.Buffer)); err != nil {
				t.Errorf("the next installation: %v", err)
			}
		})
	}
}

func TestInterruptedInstallationEndsWhatItStarted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	pid := filepath.Join(t.TempDir(), "pid")
	go func() {
		for len(read(t, pid)) == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
	}()
	_, err := built(t, "sleep 1000 & echo $! > "+pid+"; wait").Install(ctx, dir, new(bytes.Buffer))
	if !errors.Is(err, errInterrupted) {
		t.Errorf("error %v", err)
	}
	if got := entries(t, dir); got != "" {
		t.Errorf("it left %q", got)
	}
	if state := read(t, "/proc/"+strings.TrimSpace(read(t, pid))+"/stat"); state != "" && !strings.Contains(state, ") Z ") {
		t.Error("a child of the script goes on")
	}
}

// TestWhatIsInThePlaceIsNotTouched: it may be the work of a user.
func TestWhatIsInThePlaceIsNotTouched(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mine", "notes")
	if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("x"), 0o644)); err != nil {
		t.Fatal(err)
	}
	_, err := built(t, makesTool).Install(context.Background(), dir, new(bytes.Buffer))
	if err == nil || !strings.Contains(err.Error(), "is there, without the program: move it away") {
		t.Errorf("error %v", err)
	}
	if read(t, file) != "x" {
		t.Error("the user's file has gone")
	}
}

func TestOneInstallationAtATime(t *testing.T) {
	dir := t.TempDir()
	lock, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	if _, err := built(t, makesTool).Install(context.Background(), dir, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "another kbench installs there") {
		t.Errorf("error %v", err)
	}
}

func entries(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// read returns a file's text, "" while there is none.
func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	return string(data)
}
