// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/kermit-trace/kermit/proc"
	"github.com/kermit-trace/kermit/stream"
	"gopkg.in/yaml.v3"
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
	Job     Job
	In      io.Reader        // the tracer's stream; nil: nobody traces, the session makes the stream
	Out     io.Writer        // the stream
	Log     io.Writer        // what the user should know
	Signals <-chan os.Signal // that came for this process and mean "end"
	Tool    string           // name and version of this program, for a stream made here
}

// Run runs the session and returns the exit code: the job's, or one of this
// package's for the error.
func (s Session) Run() (int, error) {
	r := &recording{Session: s, out: stream.NewWriter(s.Out), markers: newMarkers(s.Job.Workload()), results: newResults()}
	open := r.join
	if s.In == nil {
		open = r.declare
	}
	if err := open(); err != nil {
		return codeOf(err), err
	}
	r.opened = stream.Now()
	end := r.work()
	if err := r.finish(end); err != nil {
		return codeOf(err), err
	}
	return end.code, end.err
}

func codeOf(err error) int {
	var a aborted
	if errors.As(err, &a) {
		return codeSignal + int(a.sig)
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
	markers *stream.Rows[marker]
	results *stream.Rows[result]
	opened  int64 // ts_ns when all probes were attached
	signals int   // that came so far

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
	for _, t := range []*stream.Table{info, r.markers.Table(), r.results.Table()} {
		h.Tables = append(h.Tables, t.Name)
	}
	for _, write := range []func() error{
		func() error { return r.out.Header(h) },
		func() error { return r.out.Table(info) },
		func() error { return r.out.Table(r.markers.Table()) },
		func() error { return r.out.Table(r.results.Table()) },
		func() error { return r.out.Batch(row) },
	} {
		if err := write(); err != nil {
			return fmt.Errorf("%w: %w", ErrDownstream, err)
		}
	}
	return nil
}

// join waits until the tracer's tables have arrived and its stop socket has
// answered.
func (r *recording) join() error {
	r.pump = newPump(r.In, r.out, r.markers.Table(), r.results.Table())
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

// work runs the job between its markers.
func (r *recording) work() ending {
	e := ending{begin: stream.Now()}
	r.mark(marker{TS: e.begin, Name: "start", ExitCode: -1, Attrs: "{}"})
	if r.cause != nil {
		return e
	}
	attrs := "{}"
	if e.err = r.Job.Start(); e.err != nil {
		e.code = CodeNotExecutable
	} else {
		_, _ = fmt.Fprintf(r.Log, "Started benchmark %s\n", r.Job.Workload())
		if pid := r.Job.PID(); pid != 0 {
			attrs = fmt.Sprintf(`{"pid":%d}`, pid)
		}
		e.code = r.attend()
	}
	e.end = stream.Now()
	r.mark(marker{TS: e.end, Name: "end", ExitCode: int64(e.code), Attrs: attrs})
	return e
}

func (r *recording) mark(m marker) {
	m.Workload, m.Phase = r.Job.Workload(), "run"
	r.markers.Append(m)
	r.send(r.out.Batch(r.markers.Batch()))
}

// send notes that a frame of this session could not be written.
func (r *recording) send(err error) {
	if err != nil && r.cause == nil {
		r.cause = fmt.Errorf("%w: %w", ErrDownstream, err)
	}
}

// attend waits for the job, passes signals on, and watches the stream.
func (r *recording) attend() int {
	exited := make(chan int, 1)
	go func() { exited <- r.Job.Wait() }()
	var (
		streamed <-chan error
		kill     <-chan time.Time
	)
	if r.pump != nil {
		streamed = r.pump.done
	}
	for {
		select {
		case code := <-exited:
			return code
		case sig := <-r.Signals:
			if r.signals++; r.signals == 1 {
				r.Job.Signal(sig)
			} else {
				r.Job.Kill()
			}
		case r.cause = <-streamed:
			r.pumped, streamed = true, nil
			switch {
			case errors.Is(r.cause, ErrDownstream):
				_ = r.pump.stop.Request() // a tracer that is gone needs none
				r.Job.Signal(syscall.SIGTERM)
				kill = time.After(killAfter)
			case r.cause != nil:
				_, _ = fmt.Fprintf(r.Log, "kbench: %v; the job goes on, unrecorded\n", r.cause)
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
	r.results.Append(result{
		TS: now, Workload: r.Job.Workload(), Config: string(config), Command: r.Job.Command(), ExitCode: int64(e.code),
		WallNS: e.end - e.begin, CollectionNS: now - r.opened, Knobs: "{}",
	})
	r.send(r.out.Batch(r.results.Batch()))
	if r.cause == nil {
		r.send(r.out.End())
	}
	return r.cause
}

// stopTracer asks the tracer to stop and waits until its stream has ended.
func (r *recording) stopTracer() error {
	var hungUp <-chan time.Time
	if !r.pumped {
		if err := r.pump.stop.Request(); err != nil {
			hungUp = time.After(hangUpWait) // it may have just ended by itself
		}
	}
	for !r.pumped {
		select {
		case err := <-r.pump.done:
			r.pumped = true
			if r.cause == nil {
				r.cause = err
			}
		case sig := <-r.Signals:
			if r.signals++; r.signals > 1 {
				return abort(sig)
			}
		case <-hungUp:
			return fmt.Errorf("%w: its stop socket has gone, its stream goes on", ErrStopSocket)
		}
	}
	if r.cause != nil {
		r.pump.drain(hangUpWait)
	}
	return nil
}
