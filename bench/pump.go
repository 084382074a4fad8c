// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/kermit-trace/kermit/stream"
)

// pump copies the tracer's frames, all but the end frame, and declares the
// session's own tables behind the tracer's.
type pump struct {
	raw      io.Reader
	in       *stream.Reader
	out      *stream.Writer
	tables   []*stream.Table
	ready    chan struct{} // closed when the handshake is complete, or will never be
	complete bool          // it is; valid once ready is closed
	stop     stream.Stop   // the tracer's; valid as complete
	done     chan error    // gets nil for an orderly end of the tracer's stream
	drained  chan struct{} // closed when the tracer has closed its end
}

func newPump(in io.Reader, out *stream.Writer, tables ...*stream.Table) *pump {
	return &pump{
		raw: in, in: stream.NewReader(in), out: out, tables: tables,
		ready: make(chan struct{}), done: make(chan error, 1), drained: make(chan struct{}),
	}
}

func (p *pump) run() {
	err := p.copy()
	p.done <- err
	if !p.complete {
		close(p.ready)
	}
	// A tracer that can still write can still stop in an orderly way.
	_, _ = io.Copy(io.Discard, p.raw)
	close(p.drained)
}

func (p *pump) copy() error {
	batches, err := stream.NewPasser(p.in, p.out)
	if err != nil {
		return err
	}
	for {
		passed, err := batches.Batch()
		if err != nil {
			return attribute(err)
		}
		if passed {
			continue
		}
		f, err := p.in.Next()
		if err != nil {
			return err
		}
		if f.Kind == stream.KindEnd {
			if !p.complete {
				return errors.New("the tracer ended before it had declared its tables")
			}
			return nil
		}
		if f.Kind == stream.KindTable && p.owns(f.Table.Name) {
			return fmt.Errorf("table %s comes from the tracer's side: the stream has passed another kbench", f.Table.Name)
		}
		if err := p.out.Copy(f); err != nil {
			return fmt.Errorf("%w: %w", ErrDownstream, err)
		}
		if !p.complete && p.in.Ready() {
			if err := p.declare(); err != nil {
				return err
			}
		}
	}
}

// attribute tells the stream's two ends apart.
func attribute(err error) error {
	var upstream *stream.Error
	if errors.As(err, &upstream) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDownstream, err)
}

func (p *pump) owns(table string) bool {
	return slices.ContainsFunc(p.tables, func(t *stream.Table) bool { return t.Name == table })
}

// declare completes the handshake.
func (p *pump) declare() error {
	for _, t := range p.tables {
		if err := p.out.Table(t); err != nil {
			return fmt.Errorf("%w: %w", ErrDownstream, err)
		}
	}
	p.stop = p.in.Header().Stop
	p.complete = true
	close(p.ready)
	return nil
}

// drain waits until the tracer has closed its end, but not for ever.
func (p *pump) drain(patience time.Duration) {
	select {
	case <-p.drained:
	case <-time.After(patience):
	}
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
