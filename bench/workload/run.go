// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/bench/process"
	"github.com/kermit-trace/kermit/internal/invoker"
)

// Workload implements [bench.Job].
func (j *Job) Workload() string { return j.file.Name }

// Config implements [bench.Job].
func (j *Job) Config() any {
	params := map[string]any{}
	for _, p := range j.file.Params {
		params[p.Name] = j.values[p.Name]
	}
	return struct {
		Workload string         `yaml:"workload"`
		Command  []string       `yaml:"command,omitempty"`
		Params   map[string]any `yaml:"params,omitempty"`
		Repeat   int            `yaml:"repeat"`
		Warmup   int            `yaml:"warmup"`
		Timeout  time.Duration  `yaml:"timeout,omitempty"`
		CPUs     string         `yaml:"cpus,omitempty"`
	}{j.file.Name, j.file.command, params, j.opts.Repeat, j.opts.Warmup, j.opts.Timeout, j.opts.CPUs}
}

// Command implements [bench.Job]: the first command of a phase that is no
// preparation.
func (j *Job) Command() string {
	words, _ := j.values.with("dir", os.TempDir()).main(j.file.Phases) // rehearsed
	return bench.Quote(words)
}

func (s scope) main(phases []Phase) ([]string, error) {
	for i := range phases {
		p := &phases[i]
		inner := s
		if p.As != "" {
			inner = s.with(p.As, 0)
		}
		if ok, err := inner.holds(p.If); err != nil || !ok || p.Setup {
			continue
		}
		if len(p.Command) > 0 {
			return inner.words(p.Command)
		}
		if words, err := inner.main(p.Phases); len(words) > 0 {
			return words, err
		}
	}
	return nil, nil
}

// interrupted is the cause of a job that a signal ends.
type interrupted struct{ sig os.Signal }

func (i interrupted) Error() string { return fmt.Sprintf("interrupted by %s", i.sig) }

var (
	errInterrupted = errors.New("interrupted")
	errTimeout     = errors.New("timed out")
	errDone        = errors.New("done") // a wait was ended: the job is over, in order
)

// Signal implements [bench.Job].
func (j *Job) Signal(sig os.Signal) { j.cancel(interrupted{sig}) }

// Kill implements [bench.Job].
func (j *Job) Kill() {
	j.cancel(interrupted{syscall.SIGKILL})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.killed = true
	for p := range j.running {
		p.Kill()
	}
}

// Run implements [bench.Job].
func (j *Job) Run(rec bench.Recorder) (int, error) {
	ctx := j.ctx
	if j.journaled() {
		if err := process.Adopt(); err != nil {
			return bench.CodeFailed, err
		}
	}
	if j.opts.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, j.opts.Timeout, errTimeout)
		defer cancel()
	}
	for i := -j.opts.Warmup; i < j.opts.Repeat; i++ {
		r := &run{job: j, rec: rec, iteration: i, scope: j.values.with("iteration", i)}
		if code, err := r.once(ctx); code != 0 || err != nil {
			if errors.Is(err, errDone) {
				return 0, nil
			}
			return j.outcome(ctx, code, err)
		}
	}
	return 0, nil
}

// outcome is the exit code and the error of a run that did not come to its end.
func (j *Job) outcome(ctx context.Context, code int, err error) (int, error) {
	var i interrupted
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errTimeout):
		return bench.CodeTimeout, fmt.Errorf("workload %s: %w after %s", j.file.Name, errTimeout, j.opts.Timeout)
	case errors.As(cause, &i):
		if code == 0 || !j.file.own() { // programs have codes of their own for it
			code = process.CodeSignal + int(j.ender(i.sig))
		}
		return code, nil
	case err != nil:
		if code == 0 {
			code = codeOf(err)
		}
		if j.file.own() {
			return code, err
		}
		return code, fmt.Errorf("workload %s: %w", j.file.Name, err)
	}
	return code, nil
}

// ender is the signal that ended the job.
func (j *Job) ender(asked os.Signal) syscall.Signal {
	j.mu.Lock()
	defer j.mu.Unlock()
	n, ok := asked.(syscall.Signal)
	if j.killed || !ok {
		return syscall.SIGKILL
	}
	return n
}

// codeOf is the exit code for an error: that of a program that could not be
// started, as a shell gives it, or our own.
func codeOf(err error) int {
	var look *process.LookError
	if errors.As(err, &look) {
		return look.Code
	}
	return bench.CodeFailed
}

// start starts a program of the job, under sudo as the user who called it
// unless it is one for root. The journal knows it before it can do harm: until
// then it ends with this process.
func (j *Job) start(name string, root bool, s process.Spec) (*process.Process, error) {
	s.CPUs, s.Bound = j.cpus, !j.file.own()
	if !root && !j.file.Root {
		s.As = j.who
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.killed {
		return nil, errInterrupted
	}
	if j.journaled() {
		s.Env = append(s.Env, j.journal.Mark())
	}
	p, err := process.Start(s)
	if err != nil {
		return nil, err
	}
	j.running[p] = true
	if j.journaled() {
		if err := j.journal.Service(p.PID(), name); err != nil {
			p.Kill()
			_ = p.Wait() // its code says nothing
			delete(j.running, p)
			return nil, err
		}
	}
	return p, nil
}

// journaled tells whether the job's programs must not outlive it.
func (j *Job) journaled() bool { return j.journal != nil && !j.file.own() }

// wait waits for a program of the job.
func (j *Job) wait(p *process.Process) int {
	code := p.Wait()
	if left := p.Left(); len(left) > 0 {
		_, _ = fmt.Fprintf(j.opts.Output, "kbench: killed what was left running: %s\n", strings.Join(left, ", "))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.running, p)
	if j.journaled() {
		_ = j.journal.ServiceEnded(p.PID()) // it is gone: there is nothing to put back
	}
	return code
}

// run is one repetition of a workload.
type run struct {
	job       *Job
	rec       bench.Recorder
	iteration int
	dir       string
	scope     scope
	servers   []*server
}

func (r *run) mark(m bench.Mark) {
	m.Iteration = r.iteration
	r.rec.Mark(m)
}

// once runs the workload from its files to the end of its services.
func (r *run) once(ctx context.Context) (code int, err error) {
	if r.job.file.own() {
		return r.phases(ctx, r.scope, r.job.file.Phases, false)
	}
	if r.dir, err = os.MkdirTemp("", "kbench-"+r.job.file.Name+"-"); err != nil {
		return 0, fmt.Errorf("create working directory: %w", err)
	}
	defer func() {
		if (code != 0 || err != nil) && !errors.Is(err, errDone) && len(r.servers) > 0 && ctx.Err() == nil {
			_, _ = fmt.Fprintf(r.job.opts.Output, "kbench: what the servers printed is in %s\n", r.dir)
		} else {
			err = errors.Join(err, os.RemoveAll(r.dir))
		}
		if r.job.journaled() {
			err = errors.Join(err, r.job.journal.FolderSettled(r.dir))
		}
	}()
	if r.job.journaled() {
		if err := r.job.journal.Folder(r.dir); err != nil {
			return 0, err
		}
	}
	// A server that gives up root (nginx) must still get at its files.
	if err := os.Chmod(r.dir, 0o711); err != nil {
		return 0, fmt.Errorf("open working directory: %w", err)
	}
	r.scope = r.scope.with("dir", r.dir)
	if err := r.files(); err != nil {
		return 0, err
	}
	if err := invoker.GiveAll(r.dir); err != nil {
		return 0, fmt.Errorf("hand working directory over: %w", err)
	}
	defer func() {
		for i := len(r.servers) - 1; i >= 0; i-- {
			err = errors.Join(err, r.stop(r.servers[i]))
		}
	}()
	for i := range r.job.file.Services {
		s := &r.job.file.Services[i]
		if ok, err := r.scope.holds(s.If); err != nil || !ok {
			if err != nil {
				return 0, err
			}
			continue
		}
		v, err := r.serve(ctx, s)
		if err != nil {
			return 0, err
		}
		r.servers = append(r.servers, v)
	}
	return r.phases(ctx, r.scope, r.job.file.Phases, false)
}

func (r *run) files() error {
	for name, text := range r.job.file.Files {
		content, err := r.scope.text(text)
		if err != nil {
			return fmt.Errorf("file %s: %w", name, err)
		}
		path := filepath.Join(r.dir, filepath.Clean("/"+name)) // stays inside
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("file %s: %w", name, err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return fmt.Errorf("file %s: %w", name, err)
		}
	}
	return nil
}
