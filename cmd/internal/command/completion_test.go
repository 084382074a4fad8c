// SPDX-License-Identifier: Apache-2.0

package command_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// complete presses TAB behind the last of words in bash, and returns what is
// offered.
func complete(t *testing.T, dir string, words ...string) []string {
	t.Helper()
	cmd := exec.Command("bash", "--norc", "-c", `
set -u
eval "$("$1" completion bash)"
COMP_WORDS=("$@"); COMP_WORDS=("${COMP_WORDS[@]:1}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_$(basename "$1")_complete
printf '%s\n' "${COMPREPLY[@]-}"`, "bash", words[0])
	cmd.Args = append(cmd.Args, words...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "SHELL=/bin/zsh")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func TestBashCompletesCommandsFlagsAndFiles(t *testing.T) {
	dir := bin(t)
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words []string
		want  []string
	}{
		{[]string{"demo", "sh"}, []string{"show"}},
		{[]string{"demo", "f"}, []string{"fail"}},
		{[]string{"demo", "--ver"}, []string{"--version"}},
		{[]string{"demo", "show", "--l"}, []string{"--level", "--list"}},
		{[]string{"demo", "show", "--verbose", "--le"}, []string{"--level"}},
		{[]string{"demo", "show", "no"}, []string{"notes.txt"}},
		{[]string{"demo", "show", "x", "--du"}, []string{"--duration"}},
		{[]string{"demo", "show", "--level", "no"}, []string{"notes.txt"}},
		{[]string{"solo", "doc"}, []string{"doctor"}},
		{[]string{"solo", "--dur"}, []string{"--duration"}},
		{[]string{"demo", "exec", "--", "no"}, []string{"notes.txt"}},
	} {
		got := complete(t, dir, c.words...)
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.words, got, c.want)
		}
	}
	if got := complete(t, dir, "demo", ""); !slices.Contains(got, "show") || !slices.Contains(got, "exec") {
		t.Errorf("all commands: %q", got)
	}
	if got := complete(t, dir, "demo", "show", "--"); !slices.Contains(got, "--level") {
		t.Errorf("all flags: %q", got)
	}
}

func TestATabRunsNothing(t *testing.T) {
	dir := bin(t)
	run := []string{"sh", "-c", ": > ran"}
	for _, words := range [][]string{
		slices.Concat([]string{"demo", "exec", "-v", "--"}, run, []string{""}),
		slices.Concat([]string{"demo", "exec", "-v", "--"}, run, []string{"--"}),
		slices.Concat([]string{"demo", "exec", "-v"}, run, []string{""}),
		slices.Concat([]string{"demo", "exec", "-v"}, run, []string{"--he"}),
		slices.Concat([]string{"demo", "exec", "-v"}, run, []string{"--"}),
	} {
		complete(t, dir, words...)
		if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
			t.Fatalf("%q: it has run", words)
		}
	}
	// The same command line does run when it is not TAB that is pressed.
	if _, _, code := call(t, dir, "demo exec -v -- sh -c :~>~"+filepath.Join(dir, "ran")); code != 0 {
		t.Fatal("it has not run")
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err != nil {
		t.Fatal(err)
	}
}

func TestZshLoadsTheScriptOfBash(t *testing.T) {
	stdout, _, code := call(t, bin(t), "demo completion zsh")
	if code != 0 || !strings.HasPrefix(stdout, "autoload -U bashcompinit && bashcompinit\n_demo_complete()") {
		t.Errorf("exit %d:\n%s", code, stdout)
	}
}
