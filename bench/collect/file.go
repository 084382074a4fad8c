// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/kermit-trace/kermit/bench/workload"
	"go.yaml.in/yaml/v3"
)

// Defaults of KernMLOps' code, which hold for all that a file does not say.
const (
	defaultBenchmark = "faux"
	defaultInterval  = time.Minute
	defaultOutput    = "data"
)

// Read makes a plan of a file of KernMLOps. A benchmark other than "" is taken
// instead of the file's. hooks are those that ktrace has. The warnings name what
// the file says that is not done here. The error is an [*Error] where it is about
// a place in the file.
func Read(path, benchmark string, hooks Hooks) (Plan, []string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Plan{}, nil, fmt.Errorf("read configuration: %w", err)
	}
	f := &file{
		reader: reader{path: path}, hooks: hooks, benchmark: benchmark, chosen: benchmark != "",
		sections: map[string]*section{},
		knobs:    map[string]*yaml.Node{},
		output:   defaultOutput, interval: defaultInterval, record: hooks.Rooms, all: true,
	}
	root, err := f.parse(data)
	if err != nil {
		return Plan{}, nil, err
	}
	builtin, err := workload.Builtin()
	if err != nil {
		return Plan{}, nil, err
	}
	for _, w := range builtin {
		f.offer(w)
	}
	if err := f.root(root); err != nil {
		return Plan{}, nil, err
	}
	plan, err := f.plan()
	return plan, f.warnings, err
}

// file is a file that is read.
type file struct {
	reader
	hooks    Hooks
	sections map[string]*section   // by each name that a workload has
	knobs    map[string]*yaml.Node // where the file has a value

	benchmark string
	at        *yaml.Node // where the file names it
	chosen    bool       // the caller has named it
	dir       string
	cpus      *yaml.Node
	keepCache bool
	output    string
	interval  time.Duration
	record    []string
	all       bool // the file does not say which hooks
}

// section is what a file says about a workload.
type section struct {
	*workload.Workload
	path  string            // what loads the workload
	set   map[string]string // values of its parameters
	lines map[string]*yaml.Node
}

// name is that of KernMLOps, where it has the workload.
func (s *section) name() string {
	if s.KernMLOps != "" {
		return s.KernMLOps
	}
	return s.Name
}

func (f *file) offer(w *workload.Workload) *section {
	s := &section{Workload: w, path: w.Name, set: map[string]string{}, lines: map[string]*yaml.Node{}}
	f.sections[w.Name] = s
	f.sections[s.name()] = s
	return s
}

func (f *file) root(n *yaml.Node) error {
	return f.mapping(n, "the file", keys{
		"benchmark_config": f.benchmarks,
		"collector_config": func(n *yaml.Node) error {
			return f.mapping(n, "collector_config", keys{"generic": f.collector})
		},
	})
}

// benchmarks reads the section generic first: it may name a workload's file,
// which has a section too.
func (f *file) benchmarks(n *yaml.Node) error {
	take := keys{"generic": func(*yaml.Node) error { return nil }} // it comes first
	pairs, err := f.pairs(n, "benchmark_config")
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if p.key.Value == "generic" {
			if err := f.generic(p.value); err != nil {
				return err
			}
		}
	}
	if err := f.external(); err != nil {
		return err
	}
	for name, s := range f.sections {
		take[name] = func(n *yaml.Node) error { return f.params(n, name, s) }
	}
	for _, name := range absentBenchmarks {
		if take[name] == nil {
			take[name] = func(n *yaml.Node) error {
				f.warn(n, "benchmark %s of KernMLOps is not to be had here: its section has no effect", name)
				return nil
			}
		}
	}
	return f.mapping(n, "benchmark_config", take)
}

// external loads the workload of a file that generic.benchmark is the path of.
func (f *file) external() error {
	if !strings.ContainsRune(f.benchmark, '/') && !strings.HasSuffix(f.benchmark, ".yaml") {
		return nil
	}
	w, err := workload.Load(f.benchmark)
	if err != nil {
		return f.wrong(f.at, err)
	}
	s := f.offer(w)
	s.path = f.benchmark
	f.benchmark = s.name()
	return nil
}

func (f *file) generic(n *yaml.Node) error {
	word := func(name string) func(*yaml.Node) error {
		return func(n *yaml.Node) error {
			f.knobs[name] = n
			_, err := f.text(n)
			return err
		}
	}
	return f.mapping(n, "benchmark_config.generic", keys{
		"benchmark": func(n *yaml.Node) error {
			name, err := f.text(n)
			if !f.chosen {
				f.benchmark, f.at = name, n
			}
			return err
		},
		"benchmark_dir": func(n *yaml.Node) (err error) {
			f.dir, err = f.text(n)
			return err
		},
		"cpus": func(n *yaml.Node) error {
			f.cpus = n
			return f.count(n)
		},
		"skip_clear_page_cache": func(n *yaml.Node) (err error) {
			f.keepCache, err = f.flag(n)
			return err
		},
		"transparent_hugepages": word("transparent_hugepages"),
		"overcommit_memory":     word("overcommit_memory"),
		"khugepaged_scan_sleep_millis": func(n *yaml.Node) error {
			if isNull(n) {
				return nil
			}
			f.knobs["khugepaged_scan_sleep_millis"] = n
			return f.count(n)
		},
	})
}

// params reads a workload's section. Names, types and ranges are those of the
// workload's file.
func (f *file) params(n *yaml.Node, name string, s *section) error {
	take := keys{}
	for i := range s.Params {
		p := &s.Params[i]
		take[p.Name] = func(n *yaml.Node) error {
			value, err := f.param(n, p)
			s.set[p.Name], s.lines[p.Name] = value, n
			return err
		}
	}
	return f.mapping(n, "benchmark_config."+name, take)
}

func (f *file) collector(n *yaml.Node) error {
	unsupported := func(instead string) func(*yaml.Node) error {
		return func(n *yaml.Node) error {
			on, err := f.flag(n)
			if on {
				f.warn(n, "%s", instead)
			}
			return err
		}
	}
	return f.mapping(n, "collector_config.generic", keys{
		"poll_rate": f.rate,
		"output_interval": func(n *yaml.Node) (err error) {
			if f.interval, err = f.duration(n); err == nil && f.interval < time.Second {
				err = f.wrong(n, fmt.Errorf("%s: at least a second", f.interval))
			}
			return err
		},
		"output_dir": func(n *yaml.Node) (err error) {
			if f.output, err = f.text(n); err == nil && f.output == "" {
				err = f.wrong(n, errors.New("no directory"))
			}
			return err
		},
		"output_dfs":    unsupported("output_dfs: tables are not printed; see kstat tables"),
		"output_graphs": unsupported("output_graphs: no graphs are drawn; see kstat --plot"),
		"hooks":         f.hookList,
	})
}
