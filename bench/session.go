// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/kermit-trace/kermit/bench/process"
	"github.com/kermit-trace/kermit/proc"
	"github.com/kermit-trace/kermit/stream"
	"go.yaml.in/yaml/v3"
)

// What ends a session early, to be tested for with errors.Is.
var (
	ErrStopSocket = errors.New("the tracer cannot be stopped from here")
	ErrDownstream = errors.New("the reader of the stream has gone")
)

// How long a session waits for what should be a matter of milliseconds.
const (
	killAfter  = 10 * time.Second // between SIGTERM and SIGKILL, once nobody reads the stream
	hangUpWait = 2 * time.Second  // for the end of a stream whose tracer does not answer
)

// Session passes a tracer's stream on while a job runs.
type Session struct {
	Job      Job
	Machine  *Machine         // nil: nothing of the machine is changed
	In       io.Reader        // the tracer's stream; nil: nobody traces, the session makes the stream
	Out      io.Writer        // the stream
	Log      io.Writer        // what the user should know
	Announce io.Writer        // gets "Started benchmark NAME" when the job's preparation is over
	Signals  <-chan os.Signal // that came for this process and mean "end"
	Tool     string           // name and version of this program, for a stream made here
	// Attached is called with the hooks that are recorded, once all their probes
	// are attached; it may be nil.
	Attached func(hooks []string)
}

// Run runs the session and returns the exit code: the job's, or one of this
// package's for the error.
func (s Session) Run() (int, error) {
	r := &recording{
		Session: s, out: stream.NewWriter(s.Out), tables: newTables(s.Job.Workload()), knobs: "{}", failed: make(chan error, 1),
	}
	open := r.join
	if s.In == nil {
		open = r.declare
	}
	if err := open(); err != nil {
		return codeOf(err), err
	}
	r.opened = stream.Now()
	r.attached()
	end := r.work()
	err := r.finish(end)
	if err == nil {
		return end.code, end.err
	}
	return codeOf(err), errors.Join(end.err, err)
}

func codeOf(err error) int {
	var a aborted
	if errors.As(err, &a) {
		return process.CodeSignal + int(a.sig)
	}
	return CodeFailed
}

// aborted is the error of a session that a signal ended.
type aborted struct{ sig syscall.Signal }

func (a aborted) Error() string { return fmt.Sprintf("aborted by signal %d (%s)", int(a.sig), a.sig) }

func abort(sig os.Signal) error {
	n, _ := sig.(syscall.Signal) // every os.Signal is one here
	return aborted{n}
}

// recording is a session that runs.
type recording struct {
	Session
	out     *stream.Writer
	opened  int64      // ts_ns when all probes were attached
	knobs   string     // JSON: before and during
	signals int        // that came so far
	failed  chan error // gets the first error of writing a frame of this session's own

	mu     sync.Mutex // for tables: the job appends from its own goroutine
	tables tables
	said   bool // that the job has started

	pump   *pump // nil: nobody traces
	pumped bool  // the tracer's stream has ended
	cause  error // what ended it, or the session's own stream, too early
}

// ending is how a job ended.
type ending struct {
	code       int
	err        error // why it did not start
	begin, end int64 // ts_ns
}

// declare opens a stream without a tracer.
func (r *recording) declare() error {
	info, row := proc.SystemInfo(nil)
	h := stream.NewHeader(r.Tool)
	tables := append([]*stream.Table{info}, r.tables.list()...)
	for _, t := range tables {
		h.Tables = append(h.Tables, t.Name)
	}
	err := r.out.Header(h)
	for _, t := range tables {
		if err == nil {
			err = r.out.Table(t)
		}
	}
	if err == nil {
		err = r.out.Batch(row)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDownstream, err)
	}
	return nil
}

// join waits until the tracer's tables have arrived and its stop socket has
// answered.
func (r *recording) join() error {
	r.pump = newPump(r.In, r.out, r.tables.list()...)
	go r.pump.run()
	select {
	case <-r.pump.ready:
	case sig := <-r.Signals:
		return abort(sig)
	}
	if !r.pump.complete {
		return <-r.pump.done
	}
	if err := r.pump.stop.Ping(); err != nil {
		return fmt.Errorf("%w: %w", ErrStopSocket, err)
	}
	return nil
}

func (r *recording) attached() {
	if r.Attached == nil {
		return
	}
	var hooks []string
	if r.pump != nil {
		hooks = r.pump.in.Header().Hooks
	}
	r.Attached(hooks)
}

// work sets the knobs, runs the job, and puts the knobs back.
func (r *recording) work() (e ending) {
	defer func() {
		if err := r.Machine.restore(r.Log); err != nil {
			e.code, e.err = CodeFailed, errors.Join(e.err, err)
		}
	}()
	e.begin = stream.Now()
	e.end = e.begin
	if e.err = r.set(); e.err != nil {
		e.code = codeOf(e.err)
		return e
	}
	e.begin = stream.Now()
	exited := make(chan ending, 1)
	go func() {
		code, err := r.Job.Run(r)
		exited <- ending{code: code, err: err, begin: e.begin, end: stream.Now()}
	}()
	return r.attend(exited)
}

// set sets the knobs, for which another run may have to be waited for, but not
// against a signal.
func (r *recording) set() (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() {
		r.knobs, err = r.Machine.set(ctx)
		close(done)
	}()
	select {
	case <-done:
		return err
	case sig := <-r.Signals:
		cancel()
		<-done
		return abort(sig)
	}
}

// attend waits for the job, passes signals on, and watches the stream.
func (r *recording) attend(exited <-chan ending) ending {
	var (
		streamed <-chan error
		kill     <-chan time.Time
	)
	if r.pump != nil {
		streamed = r.pump.done
	}
	unread := func(err error) {
		r.cause = err
		if r.pump != nil {
			_ = r.pump.stop.Request() // a tracer that is gone needs none
		}
		r.Job.Signal(syscall.SIGTERM)
		kill = time.After(killAfter)
	}
	for {
		select {
		case e := <-exited:
			return e
		case sig := <-r.Signals:
			if r.signals++; r.signals == 1 {
				r.Job.Signal(sig)
			} else {
				r.Job.Kill()
			}
		case err := <-r.failed:
			unread(err)
		case err := <-streamed:
			r.pumped, streamed = true, nil
			switch {
			case errors.Is(err, ErrDownstream):
				unread(err)
			case err != nil:
				r.cause = err
				_, _ = fmt.Fprintf(r.Log, "kbench: %v; the job goes on, unrecorded\n", err)
			case r.signals == 0: // else Ctrl-C, which the tracer heard too
				_, _ = fmt.Fprintln(r.Log, "kbench: the tracer ended first; the job goes on, unrecorded")
			}
		case <-kill:
			r.Job.Kill()
		}
	}
}

// finish stops the tracer and ends the stream.
func (r *recording) finish(e ending) error {
	if r.pump != nil {
		if err := r.stopTracer(); err != nil {
			return err
		}
	}
	if errors.Is(r.cause, ErrDownstream) {
		return r.cause
	}
	config, err := yaml.Marshal(r.Job.Config())
	if err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	now := stream.Now()
	r.tables.run.Append(runRow{
		TS: now, Workload: r.Job.Workload(), Config: string(config), Command: r.Job.Command(), ExitCode: int64(e.code),
		WallNS: e.end - e.begin, CollectionNS: now - r.opened, Knobs: r.knobs,
	})
	r.send(r.out.Batch(r.tables.run.Batch()))
	if r.cause == nil {
		r.send(r.out.End())
	}
	select {
	case err := <-r.failed:
		if r.cause == nil {
			r.cause = err
		}
	default:
	}
	return r.cause
}
