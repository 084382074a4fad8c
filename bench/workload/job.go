// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kermit-trace/kermit/bench/knob"
	"github.com/kermit-trace/kermit/bench/process"
	"github.com/kermit-trace/kermit/internal/invoker"
	"golang.org/x/sys/unix"
)

// Options of a run.
type Options struct {
	Set          map[string]string // values of parameters, by name
	Repeat       int               // times that the whole workload runs; 0 is 1
	Warmup       int               // times before those
	Timeout      time.Duration     // for all of it; 0: none
	CPUs         string            // list of CPUs such as 0-3,8 for its programs; "": all
	BenchmarkDir string            // where programs are that no package has
	Output       io.Writer         // gets what its programs print
	Terminal     *os.File          // where END may be typed; nil: nowhere
}

// Journal remembers processes and folders that must not outlive the run.
type Journal interface {
	Mark() string // variable for their environment
	Service(pid int, name string) error
	ServiceEnded(pid int) error
	Folder(path string) error
	FolderSettled(path string) error
}

// Job is a workload that can run: a [bench.Job].
type Job struct {
	file   *Workload
	opts   Options
	cpus   *unix.CPUSet
	values scope
	who    *invoker.User // under sudo, who called it

	ctx    context.Context // ends when the job should, for a cause
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	running map[*process.Process]bool
	killed  bool
	journal Journal // nil: none is kept
}

// Knobs are the settings of the machine that the workload asks for.
func (j *Job) Knobs() (knob.Set, error) {
	set := slices.Clone(j.file.Knobs)
	for i := range set {
		var err error
		if set[i].Value, err = j.values.text(set[i].Value); err != nil {
			return nil, fmt.Errorf("knob %s: %w", set[i].Name, err)
		}
	}
	return set, nil
}

// Keep has the job tell a journal, before it runs, of each program it starts.
func (j *Job) Keep(to Journal) { j.journal = to }

// Prepare checks all that can be known before anything starts: parameters,
// ports, programs, templates.
func (w *Workload) Prepare(o Options) (*Job, error) {
	j := &Job{file: w, opts: o, running: map[*process.Process]bool{}}
	j.opts.Repeat = max(o.Repeat, 1)
	j.ctx, j.cancel = context.WithCancelCause(context.Background())
	var err error
	if j.cpus, err = parseCPUs(o.CPUs); err != nil {
		return nil, err
	}
	if j.who, err = invoker.Find(); err != nil {
		return nil, err
	}
	if err := j.assign(); err != nil {
		return nil, err
	}
	if err := j.needs(); err != nil {
		return nil, err
	}
	if w.Root && os.Geteuid() != 0 {
		return nil, fmt.Errorf("workload %s: %w", w.Name, errNotRoot)
	}
	if w.own() {
		if _, err := process.Look(w.command[0]); err != nil {
			return nil, err
		}
	}
	return j, j.rehearse(j.values.with("dir", os.TempDir()), w.Phases)
}

// assign gives each parameter its value.
func (j *Job) assign() error {
	for name := range j.opts.Set {
		if j.file.Params.Find(name) == nil {
			return &ParamError{Workload: j.file.Name, Param: name, Known: j.file.Params, Err: errors.New("no such parameter")}
		}
	}
	cwd, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find working directory: %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	programs, err := filepath.Abs(j.opts.BenchmarkDir) // phases run elsewhere
	if err != nil {
		return fmt.Errorf("find folder of programs: %w", err)
	}
	j.values = scope{"cwd": cwd, "kbench": program, "benchmark_dir": programs, "iteration": 0}
	for i := range j.file.Params {
		p := &j.file.Params[i]
		text, given := j.opts.Set[p.Name]
		if !given {
			text = p.DefaultText()
		}
		value, err := p.Parse(text)
		if port, ok := value.(int64); ok && p.Type == "port" && err == nil {
			if port == 0 {
				value, err = freePort()
			} else {
				err = checkPort(port)
			}
		}
		if err != nil {
			return &ParamError{Workload: j.file.Name, Param: p.Name, Known: j.file.Params, Err: err}
		}
		j.values[p.Name] = value
	}
	return nil
}

// ParamError is the error for a parameter or its value.
type ParamError struct {
	Workload, Param string
	Known           Params
	Err             error
}

func (e *ParamError) Error() string {
	return fmt.Sprintf("workload %s: %s: %v", e.Workload, e.Param, e.Err)
}

func (e *ParamError) Unwrap() error { return e.Err }

// NeedError is the error for programs and files that are not there.
type NeedError struct {
	Workload string
	Missing  []Need // with Program and File filled in
}

func (e *NeedError) Error() string {
	var names []string
	are, fate := "is", "there"
	if len(e.Missing) > 1 {
		are = "are"
	}
	for _, n := range e.Missing {
		if names = append(names, n.Program+n.File); n.Program != "" {
			fate = "installed"
		}
	}
	return fmt.Sprintf("workload %s needs %s, which %s not %s", e.Workload, strings.Join(names, " and "), are, fate)
}

// Hint is the command that installs what is missing.
func (e *NeedError) Hint() string {
	var commands []string
	for _, n := range e.Missing {
		command := n.Install
		if n.Script != "" {
			command = "kbench install " + e.Workload
		}
		if command != "" && !strings.Contains(strings.Join(commands, "\n"), command) {
			commands = append(commands, command)
		}
	}
	return strings.Join(commands, "; ")
}

// needs finds the programs and files.
func (j *Job) needs() error {
	var missing []Need
	for _, n := range j.file.Needs {
		ok, err := j.values.holds(n.If)
		if err != nil {
			return err
		}
		if n.Program, err = j.values.text(n.Program); err != nil {
			return err
		}
		if n.File, err = j.values.text(n.File); err != nil {
			return err
		}
		if ok && !n.met() {
			missing = append(missing, n)
		}
	}
	if missing == nil {
		return nil
	}
	return &NeedError{Workload: j.file.Name, Missing: missing}
}

func (n *Need) met() bool {
	var err error
	if n.File != "" {
		_, err = os.Stat(n.File)
	} else {
		_, err = process.Look(n.Program)
	}
	return err == nil
}

// errNotRoot is the error for a program that is to have rights that kbench has
// not.
var errNotRoot = errors.New("runs as root: call kbench as root, or by sudo")

// rehearse fills in every template once, to find what does not fit together
// before anything runs.
func (j *Job) rehearse(s scope, phases []Phase) error {
	for _, text := range j.file.Files {
		if _, err := s.text(text); err != nil {
			return err
		}
	}
	for i := range j.file.Services {
		v := &j.file.Services[i]
		if v.Root && os.Geteuid() != 0 {
			return fmt.Errorf("service %s: %w", v.Name, errNotRoot)
		}
		for _, command := range [][]string{v.Command, v.Ready.Command, v.OnStop} {
			if _, err := s.words(command); err != nil {
				return fmt.Errorf("service %s: %w", v.Name, err)
			}
		}
		if _, err := s.readiness(&v.Ready); err != nil {
			return fmt.Errorf("service %s: ready: %w", v.Name, err)
		}
	}
	for i := range phases {
		p := &phases[i]
		if err := j.rehearsePhase(s, p); err != nil {
			return fmt.Errorf("phase %s: %w", p.Name, err)
		}
	}
	return nil
}

func (j *Job) rehearsePhase(s scope, p *Phase) error {
	if p.As != "" {
		s = s.with(p.As, 0)
	}
	if ok, err := s.holds(p.If); err != nil || !ok {
		return err
	}
	if p.Root && os.Geteuid() != 0 {
		return errNotRoot
	}
	if _, err := s.words(p.Command); err != nil {
		return err
	}
	if _, err := s.count(p.Repeat); err != nil {
		return err
	}
	if _, err := s.patterns(p.Expect); err != nil {
		return fmt.Errorf("expect: %w", err)
	}
	if _, err := s.pause(p); err != nil {
		return err
	}
	return j.rehearse(s, p.Phases)
}
