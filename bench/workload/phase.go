// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/bench/process"
)

// phases runs phases one after the other, until one fails.
func (r *run) phases(ctx context.Context, s scope, phases []Phase, setup bool) (int, error) {
	for i := range phases {
		p := &phases[i]
		ok, err := s.holds(p.If)
		if err != nil {
			return 0, fmt.Errorf("phase %s: %w", p.Name, err)
		}
		if !ok {
			continue
		}
		if ctx.Err() != nil {
			return 0, errInterrupted
		}
		code, err := r.phase(ctx, s, p, setup || p.Setup)
		if err != nil && !errors.Is(err, errDone) && p.Name != "" && !r.job.file.own() {
			err = fmt.Errorf("phase %s: %w", p.Name, err)
		}
		if code != 0 || err != nil {
			return code, err
		}
	}
	return 0, nil
}

func (r *run) phase(ctx context.Context, s scope, p *Phase, setup bool) (int, error) {
	switch {
	case len(p.Phases) > 0:
		n, err := s.count(p.Repeat)
		if err != nil {
			return 0, err
		}
		for i := range n {
			if code, err := r.phases(ctx, s.turn(p.As, i), p.Phases, setup); code != 0 || err != nil {
				return code, err
			}
		}
		return 0, nil
	case len(p.Command) > 0:
		return r.command(ctx, s, p, setup)
	}
	return 0, r.pause(ctx, s, p, setup)
}

// killAfter is the time between asking a phase to end and killing it.
const killAfter = 10 * time.Second

// command runs a phase's program.
func (r *run) command(ctx context.Context, s scope, p *Phase, setup bool) (int, error) {
	words, err := s.words(p.Command)
	if err != nil {
		return 0, err
	}
	out := &capture{most: mostOutput}
	spec := process.Spec{Args: words, Dir: r.dir, Stdout: r.job.opts.Output, Stderr: r.job.opts.Output}
	switch {
	case p.Quiet:
		spec.Stdout = out
	case len(p.Results)+len(p.Expect) > 0:
		spec.Stdout = io.MultiWriter(out, r.job.opts.Output)
	}
	r.mark(bench.Mark{Name: "start", Phase: p.Name, ExitCode: -1, Attrs: s.attrs(0)})
	proc, err := r.job.start(p.Name, p.Root, spec)
	if err != nil {
		code := codeOf(err)
		r.mark(bench.Mark{Name: "end", Phase: p.Name, ExitCode: code, Attrs: s.attrs(0)})
		return code, err
	}
	if !setup {
		r.rec.Started()
	}
	code, err := r.attend(ctx, proc)
	r.mark(bench.Mark{Name: "end", Phase: p.Name, ExitCode: code, Attrs: s.attrs(proc.PID())})
	var server *serverError
	switch {
	case errors.As(err, &server):
		return 0, err // how we ended the program is not what happened
	case err != nil || r.job.file.own():
		return code, err
	case code != 0 && !slices.Contains(p.Accept, code):
		said := "" // or it was shown
		if p.Quiet {
			said = lastLines(out.end(tailBytes))
		}
		return code, fmt.Errorf("%s: exit code %d%s", words[0], code, said)
	}
	err = r.results(s, p, out.bytes())
	if err != nil && p.Quiet {
		err = fmt.Errorf("%w%s", err, lastLines(out.end(tailBytes)))
	}
	return 0, err
}

// attend waits for a phase's program, and ends it when the run should end or a
// service has gone.
func (r *run) attend(ctx context.Context, proc *process.Process) (int, error) {
	exited := make(chan int, 1)
	go func() { exited <- r.job.wait(proc) }()
	dead, unwatch := r.watch()
	defer unwatch()
	var cause error
	select {
	case code := <-exited:
		return code, nil
	case v := <-dead:
		cause = v.died()
		proc.Signal(syscall.SIGTERM)
	case <-ctx.Done():
		cause = errInterrupted
		var i interrupted
		if !errors.As(context.Cause(ctx), &i) {
			proc.Signal(syscall.SIGTERM)
			break
		}
		if proc.Signal(i.sig); r.job.file.own() {
			return <-exited, nil
		}
	}
	select {
	case code := <-exited:
		return code, cause
	case <-time.After(killAfter):
		proc.Kill()
		return <-exited, cause
	}
}

// results checks a phase's output and records its figures.
func (r *run) results(s scope, p *Phase, output []byte) error {
	expected, err := s.patterns(p.Expect)
	if err != nil {
		return fmt.Errorf("expect: %w", err)
	}
	for _, e := range expected {
		if !e.Match(output) {
			return fmt.Errorf("its output does not match %s", strings.TrimPrefix(e.String(), multiline))
		}
	}
	for i := range p.Results {
		rows, err := p.Results[i].read(output)
		if err != nil {
			return err
		}
		for _, row := range rows {
			row.Phase, row.Iteration = p.Name, r.iteration
			r.rec.Result(row)
		}
	}
	return nil
}
