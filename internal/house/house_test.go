// SPDX-License-Identifier: Apache-2.0

// Package house tests the laws of the source tree.
package house

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kermit-trace/kermit/internal/script"
)

func TestMain(m *testing.M) { script.Main(m) }

func TestAddingAHookTouchesOneFolder(t *testing.T) { script.Run(t, "testdata/new_room.txt") }

// files lists the tree's files, as git would add them.
func files(t *testing.T) (root string, names []string) {
	t.Helper()
	root, err := script.Root()
	if err != nil {
		t.Fatal(err)
	}
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatalf("list files: %v", err)
	}
	for _, name := range strings.Fields(string(out)) {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil {
			names = append(names, name)
		}
	}
	if len(names) < 50 {
		t.Fatalf("only %d files found", len(names))
	}
	return root, names
}

func TestEverySourceFileNamesItsLicence(t *testing.T) {
	root, names := files(t)
	for _, name := range names {
		want := "SPDX-License-Identifier: Apache-2.0"
		switch filepath.Ext(name) {
		case ".c", ".h":
			if strings.HasPrefix(name, "bpf/") || strings.HasSuffix(name, ".bpf.c") {
				want = "SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause"
			}
		case ".go", ".py", ".sh", ".sql", ".yml", ".yaml":
		default:
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text[:min(len(text), 200)]), want) {
			t.Errorf("%s: no line %q at its top", name, want)
		}
	}
}

// One library, one place: what else imports it reaches around the design.
func TestLibrariesStayInTheirPackage(t *testing.T) {
	places := map[string]string{
		"github.com/cilium/ebpf":           "trace/",
		"github.com/vmihailenco/msgpack":   "stream/",
		"github.com/parquet-go/parquet-go": "dataset/",
		"github.com/urfave/cli":            "cmd/",
		"github.com/duckdb/duckdb-go":      "query/",
	}
	root, names := files(t)
	for _, name := range names {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			for library, place := range places {
				if strings.HasPrefix(imported, library) && !strings.HasPrefix(name, place) {
					t.Errorf("%s imports %s, which belongs to %s", name, imported, place)
				}
			}
		}
	}
}

// TestOnlyKstatUsesC: with the tags that the Makefile builds with, the other
// commands are static and can change rights in all their threads.
func TestOnlyKstatUsesC(t *testing.T) {
	list := exec.Command("go", "list", "-tags", "netgo,osusergo", "-deps", "-f", "{{if .CgoFiles}}{{.ImportPath}}{{end}}",
		"../../cmd/ktrace", "../../cmd/kbench", "../../cmd/kparquet")
	list.Env = append(os.Environ(), "CGO_ENABLED=1")
	out, err := list.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("packages with C: %v\n%s", err, out)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil || !strings.Contains(string(makefile), "go build -tags netgo,osusergo\n") {
		t.Errorf("the Makefile builds with other tags: %v", err)
	}
}

func TestNoDrawersAndNoInit(t *testing.T) {
	drawers := []string{"util", "utils", "common", "helpers", "types", "pkg"}
	initFunc := regexp.MustCompile(`(?m)^func init\(\)`)
	root, names := files(t)
	for _, name := range names {
		for dir := range strings.SplitSeq(filepath.Dir(name), "/") {
			if slices.Contains(drawers, dir) {
				t.Errorf("%s lies in a drawer called %s", name, dir)
			}
		}
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if initFunc.Match(text) {
			t.Errorf("%s has an init function", name)
		}
	}
}
