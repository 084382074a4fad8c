// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// standIn writes a program in the folder of programs that no package has.
func standIn(t *testing.T, dir, path, script string) {
	t.Helper()
	file := filepath.Join(dir, path)
	check(t, os.MkdirAll(filepath.Dir(file), 0o755))
	check(t, os.WriteFile(file, []byte("#!/bin/sh\n"+script), 0o755))
}

// TestXSBenchChecksum: a program of our own prints what XSBench prints.
func TestXSBenchChecksum(t *testing.T) {
	const summary = "echo \"$*\"\nprintf 'Threads:     2\\nRuntime:     2.588 seconds\\nLookups:     17,000,000\\nLookups/s:   6,568,779\\n'\n"
	for name, c := range map[string]struct {
		set        []string
		verdict    string
		exit, code int
	}{
		"right":              {[]string{"lookups=34"}, "941535 (Valid)", 0, 0},
		"wrong":              {[]string{"lookups=34"}, "7 (WARNING - INVALID CHECKSUM!)", 1, 125},
		"wrong in events":    {[]string{"lookups=17000000", "mode=event", "problem_size=small"}, "7 (WARNING - INVALID CHECKSUM!)", 1, 125},
		"of another problem": {[]string{"lookups=3"}, "7 (WARNING - INVALID CHECKSUM!)", 1, 0},
		"of another grid":    {[]string{"lookups=34", "grid_points=1000"}, "7 (WARNING - INVALID CHECKSUM!)", 1, 0},
		"failed":             {[]string{"lookups=34"}, "941535 (Valid)", 4, 4},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			standIn(t, dir, "xsbench/openmp-threading/XSBench", summary+fmt.Sprintf("echo 'Verification checksum: %s'\nexit %d\n", c.verdict, c.exit))
			args := []string{"--benchmark-dir", dir, "--set", "threads=2"}
			for _, s := range c.set {
				args = append(args, "--set", s)
			}
			r := performed(t, "xsbench", args...)
			r.expect(t, c.code)
			if c.code == 0 {
				r.figure(t, "throughput lookups/s", func(v float64) bool { return v == 6568779 })
				r.figure(t, "lookups ", func(v float64) bool { return v == 17e6 })
				r.figure(t, "run_time s", func(v float64) bool { return v == 2.588 })
			}
			if name == "right" && !strings.Contains(r.log, "-t 2 -g 11303 -l 34 -s large -m history\n") {
				t.Errorf("arguments: %s", r.log)
			}
		})
	}
}

// TestGraphIsMadeOnce, and never half: a converter that fails leaves no graph
// that the next run would take for one.
func TestGraphIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	standIn(t, dir, "gap/pr", `cat "$2"; for i in 1 2; do echo "Trial Time:          0.00$i"; done; echo "Average Time:        0.0015"`)
	args := []string{"--benchmark-dir", dir, "--set", "gap_benchmark_size=10"}
	standIn(t, dir, "gap/converter", "while [ $# -gt 1 ]; do shift; done; echo half > $1; exit 3\n")
	performed(t, "gap", args...).expect(t, 3, "phase graph: ")
	standIn(t, dir, "gap/converter", "echo made $*; while [ $# -gt 1 ]; do shift; done; echo whole > $1\n")
	r := performed(t, "gap", args...)
	r.expect(t, 0, "made -m -g 10 -b ", "whole\n")
	r.expectWorkload(t, "graph run")
	r.figure(t, "trial_time s", func(v float64) bool { return v == 0.001 || v == 0.002 })
	r.figure(t, "average_time s", func(v float64) bool { return v == 0.0015 })
	if r = performed(t, "gap", args...); strings.Contains(r.log, "made") || r.code != 0 {
		t.Errorf("the second run: exit code %d\n%s", r.code, r.log)
	}
	if graphs, err := filepath.Glob(filepath.Join(dir, "gap/graphs/*")); err != nil || !slices.Equal(graphs, []string{filepath.Join(dir, "gap/graphs/kron10.sg")}) {
		t.Errorf("graphs %v, %v", graphs, err)
	}
}

// TestLinuxBuild builds a source tree with a kernel's targets.
func TestLinuxBuild(t *testing.T) {
	dir := t.TempDir()
	performed(t, "linux_build", "--benchmark-dir", dir).expect(t, 127, "linux_kernel/Makefile, which is not there", "kbench: hint: ")
	tree := filepath.Join(dir, "linux_kernel")
	check(t, os.Mkdir(tree, 0o755))
	check(t, os.WriteFile(filepath.Join(tree, "Makefile"), []byte(
		"defconfig:\n\tprintf 'vmlinux:\\n\\techo $$(MAKEFLAGS) > built; touch vmlinux\\nclean:\\n\\trm -f vmlinux; touch cleaned\\n' > $(O)/Makefile\n"), 0o644))
	for i, want := range []string{"", "cleaned"} {
		r := performed(t, "linux_build", "--benchmark-dir", dir, "--set", "jobs=2")
		r.expect(t, 0)
		r.expectWorkload(t, "configure run")
		out := filepath.Join(dir, "linux_build")
		if !exists(filepath.Join(out, "vmlinux")) || !strings.Contains(contents(t, filepath.Join(out, "built")), "-j2") || exists(filepath.Join(out, "cleaned")) != (want != "") {
			t.Errorf("build %d: flags %q", i+1, contents(t, filepath.Join(out, "built")))
		}
	}
}
