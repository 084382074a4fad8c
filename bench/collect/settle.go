// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kermit-trace/kermit/bench/knob"
	"golang.org/x/sys/unix"
)

// plan puts together what the file says and what it leaves to the defaults.
func (f *file) plan() (Plan, error) {
	if f.benchmark == "" {
		f.benchmark = defaultBenchmark
	}
	if err := f.external(); err != nil { // the caller's choice, where the file has no benchmarks
		return Plan{}, err
	}
	s := f.sections[f.benchmark]
	if s == nil {
		return Plan{}, f.unknownBenchmark()
	}
	if err := f.spreadCPUs(s); err != nil {
		return Plan{}, err
	}
	p := Plan{
		Workload: s.path, Name: s.name(), Set: s.set, BenchmarkDir: f.dir, Hooks: f.record, BestEffort: f.all,
		Output: f.output, Rotate: f.interval,
	}
	var err error
	if p.Knobs, err = f.settings(); err != nil {
		return Plan{}, err
	}
	p.More = f.describe(&p)
	return p, nil
}

// spreadCPUs gives generic.cpus, a number of jobs for make, to a workload that
// takes one.
func (f *file) spreadCPUs(s *section) error {
	if f.cpus == nil || f.cpus.Value == "0" {
		return nil
	}
	p := s.Params.Find("jobs")
	if p == nil {
		f.warn(f.cpus, "cpus: benchmark %s runs no jobs side by side: no effect", s.name())
		return nil
	}
	value, err := f.param(f.cpus, p)
	s.set[p.Name] = value
	return err
}

func (f *file) unknownBenchmark() error {
	err := fmt.Errorf("unknown benchmark %q", f.benchmark)
	if slices.Contains(absentBenchmarks, f.benchmark) {
		err = fmt.Errorf("benchmark %s of KernMLOps is not to be had here", f.benchmark)
	}
	e := &Error{Err: err, Given: f.benchmark, Known: slices.Sorted(maps.Keys(f.sections))}
	if !f.chosen { // then the file names it: the default is known
		e.Path, e.Line = f.path, f.at.Line
	}
	return e
}

// settings are KernMLOps' own, in the order in which it makes them, with the
// file's values.
func (f *file) settings() (knob.Set, error) {
	words := []string{"transparent_hugepages=always", "overcommit_memory=heuristic", "khugepaged_scan_sleep_millis=" + knob.NoChange}
	if !f.keepCache {
		words = append([]string{"drop_caches=3"}, words...)
	}
	for i, w := range words {
		name, _, _ := strings.Cut(w, "=")
		if n := f.knobs[name]; n != nil {
			words[i] = name + "=" + n.Value
		}
	}
	set, err := knob.Parse(words)
	if err == nil {
		err = set.Check()
	}
	var e *knob.Error
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.EROFS):
		return set, nil // the machine's fault, not the file's: Run says so
	case errors.As(err, &e):
		if n := f.knobs[e.Knob]; n != nil {
			return nil, &Error{Path: f.path, Line: n.Line, Err: err, Given: e.Given, Known: e.Known}
		}
	}
	return set, err
}

// description is what is written of a file into the collection.
type description struct {
	File           string            `yaml:"file"`
	BenchmarkDir   string            `yaml:"benchmark_dir,omitempty"`
	Settings       map[string]string `yaml:"settings"`
	OutputInterval string            `yaml:"output_interval"`
	Hooks          []string          `yaml:"hooks,flow"`
	BestEffort     bool              `yaml:"best_effort"`
}

func (f *file) describe(p *Plan) description {
	d := description{
		File: filepath.Base(f.path), BenchmarkDir: p.BenchmarkDir, Settings: map[string]string{},
		OutputInterval: p.Rotate.String(), Hooks: p.Hooks, BestEffort: p.BestEffort,
	}
	for _, s := range p.Knobs {
		d.Settings[s.Name] = s.Value
	}
	return d
}
