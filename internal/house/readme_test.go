// SPDX-License-Identifier: Apache-2.0

package house

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/internal/script"
)

// project is the "some/project" of the README.
const project = `.PHONY: all
all:
	gcc -O2 -c hello.c -o hello.o
	gcc hello.o -o hello
	./hello
`

// TestReadmeCommandsWork runs the tutorial's commands in its order, each as it
// stands there, by a user who has followed it so far. It leaves out what builds
// the suite, which the script runner has done, and what stands behind a colon of
// its own: the cron line, which its own test runs.
func TestReadmeCommandsWork(t *testing.T) {
	root, err := script.Root()
	check(t, err)
	dir := t.TempDir()
	tutorial := filepath.Join(dir, "project")
	check(t, os.MkdirAll(filepath.Join(tutorial, "some/project"), 0o755))
	for name, text := range map[string]string{
		"some/project/Makefile": project, "some/project/hello.c": "int main(void) { return 0; }\n",
		"bin/sudo": "#!/bin/sh\n[ \"$(id -u)\" = 0 ] && exec \"$@\"\nexec /usr/bin/sudo -n env PATH=\"$PATH\" \"$@\"\n",
	} {
		file := filepath.Join(tutorial, name)
		check(t, os.MkdirAll(filepath.Dir(file), 0o755))
		check(t, os.WriteFile(file, []byte(text), 0o755))
	}
	for _, link := range []string{"config", "docs"} {
		check(t, os.Symlink(filepath.Join(root, link), filepath.Join(tutorial, link)))
	}
	path := filepath.Join(tutorial, "bin") + ":" + script.Commands(t) + ":" + os.Getenv("PATH")
	commands, python := tutorialBlocks(t, root)
	if len(commands) < 20 || len(python) < 1 {
		t.Fatalf("%d commands and %d blocks of Python found in the README", len(commands), len(python))
	}
	run := func(t *testing.T, name string, args ...string) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir, cmd.Env, cmd.WaitDelay = tutorial, append(os.Environ(), "PATH="+path), 5*time.Second
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, bytes.TrimSpace(out))
		}
	}
	for _, c := range commands {
		t.Run(c, func(t *testing.T) { run(t, "bash", "-o", "pipefail", "-c", c) })
	}
	for _, p := range python {
		t.Run(p, func(t *testing.T) { run(t, filepath.Join(root, ".venv/bin/python"), "-c", p) })
	}
}

var builds = regexp.MustCompile(`^make |^\* `)

// tutorialBlocks returns the tutorial's commands, and its blocks of Python.
func tutorialBlocks(t *testing.T, root string) (commands, python []string) {
	data, err := os.ReadFile(filepath.Join(root, "README.md"))
	check(t, err)
	_, text, ok := strings.Cut(string(data), "## Tutorial\n")
	text, _, end := strings.Cut(text, "\n## ")
	if !ok || !end {
		t.Fatal("the README has no tutorial with something behind it")
	}
	for _, block := range strings.Split(text, "\n\n") {
		block = strings.Trim(block, "\n")
		switch {
		case !strings.HasPrefix(block, "    "):
		case strings.HasPrefix(block, "    import "):
			python = append(python, strings.ReplaceAll(strings.TrimPrefix(block, "    "), "\n    ", "\n"))
		default:
			for _, line := range strings.Split(block, "\n") {
				if line = strings.TrimSpace(line); !builds.MatchString(line) {
					commands = append(commands, line)
				}
			}
		}
	}
	return commands, python
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
