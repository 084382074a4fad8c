// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/kermit-trace/kermit/bench/process"
)

// Exec is a job that runs a command.
type Exec struct {
	workload string
	spec     process.Spec

	mu      sync.Mutex
	running *process.Process
	asked   os.Signal // that came before it ran
}

// NewExec prepares a command; workload "" means the base name of the command.
// Its stdin is /dev/null, its stdout and stderr are output. The code is the
// exit code for the error.
func NewExec(workload string, args []string, output *os.File) (job *Exec, code int, err error) {
	if _, code, err := process.Look(args[0]); err != nil {
		return nil, code, err
	}
	if workload == "" {
		workload = nameOf(filepath.Base(args[0]))
	}
	return &Exec{workload: workload, spec: process.Spec{Args: args, Stdout: output, Stderr: output}}, 0, nil
}

// Workload implements [Job].
func (e *Exec) Workload() string { return e.workload }

// Config implements [Job].
func (e *Exec) Config() any {
	return struct {
		Workload string   `yaml:"workload"`
		Command  []string `yaml:"command"`
	}{e.workload, e.spec.Args}
}

// Command implements [Job].
func (e *Exec) Command() string { return Quote(e.spec.Args) }

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Quote makes a shell's command line of words.
func Quote(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if !plain.MatchString(w) {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// Run implements [Job]: one phase, "run".
func (e *Exec) Run(r Recorder) (int, error) {
	r.Mark(Mark{Name: "start", Phase: "run", ExitCode: -1})
	p, err := e.start()
	if err != nil {
		r.Mark(Mark{Name: "end", Phase: "run", ExitCode: CodeNotExecutable})
		return CodeNotExecutable, err
	}
	r.Started()
	code := p.Wait()
	r.Mark(Mark{Name: "end", Phase: "run", ExitCode: code, Attrs: map[string]any{"pid": p.PID()}})
	return code, nil
}

func (e *Exec) start() (*process.Process, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, err := process.Start(e.spec)
	if err != nil {
		return nil, err
	}
	if e.running = p; e.asked != nil {
		p.Signal(e.asked)
	}
	return p, nil
}

// Signal implements [Job]: the whole process group gets the signal, as from a
// terminal.
func (e *Exec) Signal(sig os.Signal) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running == nil {
		e.asked = sig
		return
	}
	e.running.Signal(sig)
}

// Kill implements [Job].
func (e *Exec) Kill() { e.Signal(os.Kill) }
