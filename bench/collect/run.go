// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/bench/journal"
	"github.com/kermit-trace/kermit/bench/process"
	"github.com/kermit-trace/kermit/bench/workload"
	"github.com/kermit-trace/kermit/dataset"
	"github.com/kermit-trace/kermit/stream"
)

// CodeWrong is the exit code for a plan that is wrong: nothing has started.
const CodeWrong = 2

// Run makes the collection. The end of ctx is a SIGTERM.
//
// Errors before anything has started are those of package workload
// ([workload.ParamError], [workload.NeedError], [workload.UnknownError]), of
// package knob ([knob.Error]), and a [*MissingError]. A [*ChildError] is that of
// ktrace or kparquet, which has said more on stderr.
func Run(ctx context.Context, p Plan, c Console) (Outcome, error) {
	r := &run{Plan: p, Console: c, signals: make(chan os.Signal, mostSignals)}
	if code, err := r.prepare(); err != nil {
		return Outcome{Code: code}, err
	}
	dir, err := journal.Dir(p.State)
	if err != nil {
		return Outcome{Code: bench.CodeFailed}, err
	}
	j, err := journal.Open(dir, "kbench collect "+r.job.name, c.Log)
	if err != nil {
		return Outcome{Code: bench.CodeFailed}, err
	}
	r.machine = &bench.Machine{Knobs: r.Knobs, Wait: p.Wait, Journal: j}
	r.job.Keep(j)
	over := make(chan struct{})
	defer close(over)
	go process.Heed(ctx, r.Signals, over, r.hand)
	go r.job.endWhen(c.End, over)
	outcome, err := r.pipeline()
	if undone := j.Close().Err(); undone != nil { // the session has, if it came that far
		outcome.Code, err = bench.CodeFailed, errors.Join(err, undone)
	}
	return outcome, err
}

// mostSignals bounds the signals that are remembered: more than a user sends.
const mostSignals = 8

// run is a plan that runs.
type run struct {
	Plan
	Console
	ktrace, kparquet string // paths
	job              *job
	machine          *bench.Machine
	signals          chan os.Signal // to the session, and then to those who end
}

// prepare finds what can be known to be wrong before anything starts; code is
// the exit code for the error.
func (r *run) prepare() (code int, err error) {
	if err := r.check(); err != nil {
		return CodeWrong, err
	}
	if r.kparquet, err = Find("kparquet"); err == nil && len(r.Hooks) > 0 {
		r.ktrace, err = Find("ktrace")
	}
	if err != nil {
		return bench.CodeFailed, err
	}
	w, err := workload.Load(r.Workload)
	if err != nil {
		return CodeWrong, err
	}
	prepared, err := w.Prepare(workload.Options{
		Set: r.Set, Repeat: r.Repeat, Warmup: r.Warmup, Timeout: r.Timeout, CPUs: r.CPUs,
		BenchmarkDir: r.BenchmarkDir, Output: r.Log,
	})
	var need *workload.NeedError
	switch {
	case errors.As(err, &need):
		return bench.CodeNotFound, err
	case err != nil:
		return CodeWrong, err
	}
	asked, err := prepared.Knobs()
	if err != nil {
		return CodeWrong, err
	}
	r.Knobs = asked.With(r.Knobs)
	if err := r.Knobs.Check(); err != nil {
		return bench.CodeFailed, err
	}
	name := r.Name
	if name == "" {
		name = w.Name
	}
	if r.job, err = newJob(prepared, name, r.More); err != nil {
		return bench.CodeFailed, err
	}
	r.job.ended = r.Ended
	return 0, nil
}

// check finds what is wrong with a plan by itself.
func (p *Plan) check() error {
	if p.Output == "" {
		return errors.New("no output directory")
	}
	if p.Prefix != "" {
		if err := dataset.CheckName(p.Prefix); err != nil {
			return fmt.Errorf("prefix %q %w", p.Prefix, err)
		}
	}
	if p.Rotate != 0 && p.Rotate < time.Second {
		return fmt.Errorf("parts every %s: at least a second", p.Rotate)
	}
	return nil
}

// hand hands a signal on.
func (r *run) hand(s os.Signal) {
	select {
	case r.signals <- s:
	default: // one more of many
	}
}

// pipeline starts the children and runs the session between them.
func (r *run) pipeline() (Outcome, error) {
	recorder, err := r.startRecorder()
	if err != nil {
		return Outcome{Code: bench.CodeFailed}, err
	}
	go func() {
		<-recorder.done
		r.job.gone() // where nobody traces, nothing is written that would fail
	}()
	var (
		tracer *child
		in     io.Reader
	)
	if len(r.Hooks) > 0 {
		if tracer, err = r.startTracer(); err != nil {
			recorder.mute()
			_ = recorder.await(nil) // it has got nothing
			return Outcome{Code: bench.CodeFailed}, err
		}
		in = tracer.pipe
	}
	code, err := bench.Session{
		Job: r.job, Machine: r.machine, In: in, Out: recorder.pipe, Log: r.Log, Announce: r.Out, Signals: r.signals,
		Attached: r.Attached, Tool: r.Tool,
	}.Run()
	if tracer != nil {
		if failed := tracer.finish(err != nil); failed != nil {
			code, err = worse(code), blame(err, failed)
		}
	}
	return r.outcome(tracer, recorder, code, err)
}

// outcome waits for the recorder and says what has become of it all.
func (r *run) outcome(tracer, recorder *child, code int, err error) (Outcome, error) {
	begun := r.job.begun.Load()
	if !begun && err != nil && !errors.Is(err, bench.ErrDownstream) {
		recorder.mute() // its complaint about what never came helps nobody
	}
	failed := recorder.await(r.signals)
	o := Outcome{ID: recorder.lastLine(), Code: code}
	switch {
	case o.ID == "":
	case !begun: // a header, and nothing of the workload
		err = errors.Join(err, dataset.Discard(r.Output, o.ID))
		o.ID = ""
	default:
		o.Dir = filepath.Join(r.Output, kind(tracer), r.job.name, o.ID)
	}
	if failed != nil && !recorder.muted() {
		o.Code, err = worse(code), blame(err, failed)
	}
	return o, err
}

// kind is the dataset's directory for recordings with and without a tracer.
func kind(tracer *child) string {
	if tracer == nil {
		return "baseline"
	}
	return "curated"
}

// worse is the code of a run that failed: the workload's own failure stays.
func worse(code int) int {
	if code == 0 {
		return bench.CodeFailed
	}
	return code
}

// blame makes one error of the session's and a child's: a stream that never
// came, was cut, or had no reader is what the session sees of the child's.
func blame(err, failed error) error {
	var upstream *stream.Error
	if err == nil || errors.As(err, &upstream) || errors.Is(err, bench.ErrDownstream) {
		return failed
	}
	return errors.Join(err, failed)
}
