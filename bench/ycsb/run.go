// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// grace is how long requests under way may take once the run is to end.
const grace = 5 * time.Second

// Config is what to do, and where.
type Config struct {
	DB         string // one of Databases
	Addr       string // HOST:PORT
	Load       bool   // insert records; else run operations
	Properties Properties
	Seed       uint64
	// Progress, unless nil, is called once a second with the number of
	// operations done and to do (math.MaxInt64: nobody knows).
	Progress func(done, all int64, elapsed time.Duration)
}

// UsageError is a configuration that cannot be run. Nothing has been started.
type UsageError struct{ error }

func (e *UsageError) Unwrap() error { return e.error }

// session is a load or a run under way.
type session struct {
	*plan
	load    bool
	whole   bool // a record is written as a whole
	seed    uint64
	store   store
	names   []string
	records *records
	began   time.Time

	nextInsert atomic.Int64
	stop       atomic.Bool

	mu    sync.Mutex
	fatal error       // what ended the run
	reply *replyError // the first one
}

func (s *session) fail(err error) {
	s.mu.Lock()
	if s.fatal == nil {
		s.fatal = err
	}
	s.mu.Unlock()
	s.stop.Store(true)
}

func (s *session) remember(e *replyError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reply == nil {
		s.reply = e
	}
}

// Run loads or runs, until the operations are done, the time is up or ctx is
// done. The result is not nil as soon as operations were begun, whatever became
// of them. The error is that of a server that went away, or of a configuration
// ([UsageError]); what the server refused and a wrong number of records is in the
// result, see [Result.Err].
func Run(ctx context.Context, c Config) (*Result, error) {
	d, err := newPlan(c.Properties, c.Load)
	if err != nil {
		return nil, &UsageError{err}
	}
	store, err := newStore(c.DB, c.Addr)
	if err != nil {
		return nil, &UsageError{err}
	}
	defer store.close()
	s := &session{
		plan: d, load: c.Load, whole: c.DB == "memcached", seed: c.Seed, store: store,
		names: fieldNames(d.FieldCount), records: newRecords(d.threads),
	}
	where := func(err error) error { return fmt.Errorf("%s at %s: %w", c.DB, c.Addr, err) }
	if err := store.prepare(d); err != nil {
		return nil, where(err)
	}
	r := &Result{Seed: c.Seed}
	var evicted int64
	if r.Start, evicted, err = store.count(); err != nil {
		return nil, where(err)
	}
	if !c.Load {
		if err := store.survey(d.low, d.high, s.records.add); err != nil {
			return nil, where(err)
		}
	}
	workers, err := s.open()
	defer func() {
		for _, w := range workers {
			w.close()
		}
	}()
	if err != nil {
		return nil, where(err)
	}
	s.drive(ctx, workers, c.Progress)
	r.collect(s, workers)
	if s.fatal != nil && !errors.Is(s.fatal, errNoRecord) {
		return r, where(s.fatal)
	}
	if r.Actual, r.Evicted, err = store.count(); err != nil {
		return r, where(err)
	}
	r.Evicted -= evicted
	r.Counted = true
	return r, s.fatal
}

func (s *session) open() ([]*worker, error) {
	s.nextInsert.Store(s.plan.nextInsert)
	var (
		workers []*worker
		z       zeta
	)
	for i := range s.threads {
		w, err := s.newWorker(i, &z)
		if err != nil {
			return workers, err
		}
		workers = append(workers, w)
	}
	return workers, nil
}

// drive lets the workers work and sees to their end.
func (s *session) drive(ctx context.Context, workers []*worker, progress func(done, all int64, elapsed time.Duration)) {
	var group sync.WaitGroup
	s.began = time.Now()
	for _, w := range workers {
		group.Go(func() {
			w.run()
			if s.stop.Load() {
				for _, o := range workers {
					o.wake()
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { group.Wait(); close(over) }()

	timeUp := make(<-chan time.Time)
	if s.MaxExecutionTime > 0 {
		timeUp = time.After(time.Duration(s.MaxExecutionTime) * time.Second)
	}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for asked := ctx.Done(); ; {
		select {
		case <-over:
			return
		case <-asked:
			asked = nil
			s.end(workers)
		case <-timeUp:
			s.end(workers)
		case <-second.C:
			limit := answerWithin
			if s.stop.Load() {
				limit = grace
			}
			s.watch(workers, limit)
			if progress != nil {
				progress(sum(workers), s.operations, time.Since(s.began))
			}
		}
	}
}

// wake ends what keeps a worker from seeing that it is over.
func (w *worker) wake() {
	if w.pacer != nil {
		w.pacer.interrupt()
	}
	w.mu.Lock()
	broken := w.fatal != nil && !errors.Is(w.fatal, errNoRecord)
	w.mu.Unlock()
	if broken {
		w.conn.interrupt()
	}
}

// end asks all workers to come to an end.
func (s *session) end(workers []*worker) {
	if s.stop.Swap(true) {
		return
	}
	for _, w := range workers {
		w.wake()
	}
}

// watch fails the run if a request has been under way for that long.
func (s *session) watch(workers []*worker, limit time.Duration) {
	now := time.Since(s.began).Nanoseconds()
	for _, w := range workers {
		if since := w.since.Load(); since > 0 && now-since >= limit.Nanoseconds() {
			s.fail(fmt.Errorf("no answer for %s", limit))
			for _, o := range workers {
				o.wake()
			}
			return
		}
	}
}

func sum(workers []*worker) int64 {
	n := int64(0)
	for _, w := range workers {
		n += w.done.Load()
	}
	return n
}

// Err is what was wrong with a run that came to its end: the server refused
// operations, unless that is allowed, or has another number of records than it should.
func (r *Result) Err(allowErrors bool) error {
	switch {
	case r.Errors > 0 && !allowErrors:
		return fmt.Errorf("%d operations failed; the first: %w", r.Errors, r.FirstError)
	case r.Counted && r.Actual != r.Expected():
		return fmt.Errorf("the server has %d records, not %d (%d at the start, %d created, %d deleted, %d evicted)",
			r.Actual, r.Expected(), r.Start, r.Created, r.Deleted, r.Evicted)
	case !r.Counted:
		return errors.New("the records were not counted")
	}
	return nil
}
