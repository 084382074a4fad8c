// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kermit-trace/kermit/stream"
)

// Run writes the stream: header, tables, rows until ctx ends, then what is
// still in the rings, the final counters, and the end frame. The header's
// hooks and tables are filled in; more are the tables, each with its rows,
// that the caller adds. Run drops all privileges once the header is out.
func (s *Session) Run(ctx context.Context, w *stream.Writer, h *stream.Header, more []*stream.Batch) error {
	stats := stream.NewRows[hookStats]("hook_stats", hookStatsDoc, "ktrace")
	costs := stream.NewRows[probeCost]("probe_cost", probeCostDoc, "ktrace")
	var tables []*stream.Table
	for _, b := range more {
		tables = append(tables, b.Table)
	}
	tables = append(tables, stats.Table())
	if s.options.Cost {
		tables = append(tables, costs.Table())
	}
	tables = append(tables, s.Tables...)
	h.Hooks, h.Tables = s.Hooks, nil
	for _, t := range tables {
		h.Tables = append(h.Tables, t.Name)
	}
	var self []uint32
	if !s.options.Self {
		self = suite()
	}
	if err := drop(); err != nil {
		return err
	}
	s.setControl(true, self)
	if err := s.greet(w, h, tables, more); err != nil {
		return err
	}
	if s.options.Started != nil {
		if err := s.options.Started(); err != nil {
			return err
		}
	}
	report := func(final bool) error {
		for _, p := range s.probes {
			for _, row := range p.stats(s.misses(p), final) {
				stats.Append(row)
			}
			if s.options.Cost {
				for _, row := range p.cost() {
					costs.Append(row)
				}
			}
		}
		if costs.Len() > 0 {
			if err := w.Batch(costs.Batch()); err != nil {
				return err
			}
		}
		return w.Batch(stats.Batch())
	}
	if err := s.drain(ctx, w, report); err != nil {
		return err
	}
	if err := report(true); err != nil {
		return err
	}
	return w.End()
}

func (s *Session) greet(w *stream.Writer, h *stream.Header, tables []*stream.Table, rows []*stream.Batch) error {
	if err := w.Header(h); err != nil {
		return fmt.Errorf("write stream: %w", err)
	}
	for _, t := range tables {
		if err := w.Table(t); err != nil {
			return fmt.Errorf("write stream: %w", err)
		}
	}
	for _, b := range rows {
		if err := w.Batch(b); err != nil {
			return fmt.Errorf("write stream: %w", err)
		}
	}
	return nil
}

// drain runs the readers until ctx ends and every row that was emitted is in
// the stream.
func (s *Session) drain(ctx context.Context, w *stream.Writer, report func(final bool) error) error {
	stopped := make(chan struct{})
	workers := min(len(s.readers), runtime.NumCPU(), maxReaders)
	errs := make(chan error, workers+1)
	var group sync.WaitGroup
	for i := range workers {
		d := newDrainer(s, w)
		for j := i; j < len(s.readers); j += workers {
			d.rings = append(d.rings, s.readers[j])
		}
		group.Go(func() { errs <- d.run(stopped) })
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var failed error
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case failed = <-errs:
			running = false
		case <-ticker.C:
			if failed = report(false); failed != nil {
				running = false
			}
		}
	}
	s.setControl(false, nil)
	for _, p := range s.probes {
		p.detach()
	}
	close(stopped)
	group.Wait()
	close(errs)
	for err := range errs {
		failed = errors.Join(failed, err)
	}
	return failed
}

// maxReaders bounds the goroutines that read rings: four keep up with any
// number of CPUs (each takes some 10 M rows a second).
const maxReaders = 4

// drainer reads some of the rings.
type drainer struct {
	session *Session
	out     *stream.Writer
	rings   []*ring
	chunks  []*chunk // by table number
}

func newDrainer(s *Session, w *stream.Writer) *drainer {
	d := &drainer{session: s, out: w}
	for _, t := range s.tables {
		d.chunks = append(d.chunks, newChunk(t.shape, t.table))
	}
	return d
}

// tick is how long a reader waits for a ring to fill before it looks anyway.
const tick = 50 * time.Millisecond

// settle bounds how long a reader waits, after the probes are detached, for
// programs that still run.
const settle = 2 * time.Second

func (d *drainer) run(stopped <-chan struct{}) error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("wait for rings: %w", err)
	}
	defer func() { _ = unix.Close(epoll) }()
	for _, r := range d.rings {
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(r.fd)}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, r.fd, &event); err != nil {
			return fmt.Errorf("wait for rings: %w", err)
		}
	}
	events := make([]unix.EpollEvent, len(d.rings))
	var deadline time.Time
	for {
		select {
		case <-stopped:
			if deadline.IsZero() {
				deadline = time.Now().Add(settle)
			}
		default:
		}
		n, err := d.pass()
		if err != nil {
			return err
		}
		stopping := !deadline.IsZero()
		if err := d.flush(stopping); err != nil {
			return err
		}
		if stopping && (d.session.complete() || time.Now().After(deadline)) {
			return nil
		}
		if n > 0 && stopping {
			continue
		}
		wait := tick
		if stopping {
			wait = time.Millisecond
		}
		if _, err := unix.EpollWait(epoll, events, int(wait.Milliseconds())); err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for rings: %w", err)
		}
	}
}

// pass takes everything that is in the rings now.
func (d *drainer) pass() (int, error) {
	total := 0
	for _, r := range d.rings {
		n, err := r.consume(func(record []byte) error {
			id := le.Uint32(record)
			if d.chunks[id].add(record[8:]) {
				return d.send(int(id))
			}
			return nil
		})
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// flush sends batches that are old enough, or all.
func (d *drainer) flush(all bool) error {
	now := time.Now()
	for id, c := range d.chunks {
		if !c.empty() && (all || now.Sub(c.since) >= maxAge) {
			if err := d.send(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *drainer) send(id int) error {
	b := d.chunks[id].take()
	if err := d.out.Batch(b); err != nil {
		return fmt.Errorf("write stream: %w", err)
	}
	d.session.tables[id].rows.Add(uint64(b.Rows))
	return nil
}

// complete tells whether every row that was emitted is in the stream.
func (s *Session) complete() bool {
	for _, t := range s.tables {
		if t.rows.Load() < t.counters().Emitted {
			return false
		}
	}
	return true
}
