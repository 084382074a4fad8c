// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"errors"
	"fmt"
	"math/rand"
	"sync/atomic"
	"time"
)

// worker is one thread with its connection.
type worker struct {
	*session
	thread   int
	conn     connection
	pacer    *pacer // nil without target
	requests number
	scans    number
	values   values

	operations, keys *rand.Rand // what to do; to which record

	share   int64 // operations to do
	key     []byte
	tallies [kinds]tally
	created int64
	deleted int64

	done  atomic.Int64 // operations
	since atomic.Int64 // when the request that is under way was sent, ns after the start; 0: none
}

func (s *session) newWorker(thread int, z *zeta) (*worker, error) {
	d := s.plan
	operations, keys, data := seeds(s.seed, thread)
	w := &worker{
		session: s, thread: thread, operations: operations, keys: keys,
		requests: d.requests(s.records, z),
		scans:    lengths(d.ScanLengthDistribution, d.MinScanLength, d.MaxScanLength),
		values: values{
			names: s.names, random: data,
			length: lengths(d.FieldLengthDistribution, d.MinFieldLength, d.FieldLength),
		},
		share: d.operations / int64(d.threads),
	}
	if int64(thread) < d.operations%int64(d.threads) {
		w.share++
	}
	var err error
	if d.Target > 0 {
		if w.pacer, err = newPacer(); err != nil {
			return nil, err
		}
	}
	if w.conn, err = s.store.open(); err != nil && w.pacer != nil {
		w.pacer.close()
	}
	return w, err
}

// close is for after the end of run.
func (w *worker) close() {
	w.conn.close()
	if w.pacer != nil {
		w.pacer.close()
	}
}

// run does the worker's share of operations.
func (w *worker) run() {
	for k := int64(0); k < w.share; k++ {
		var intended time.Time
		if w.pacer != nil {
			intended = w.began.Add(w.turn(k))
			w.pacer.wait(intended)
		}
		if w.stop.Load() {
			return
		}
		if err := w.operation(w.choose(w.operations.Float64()), intended); err != nil {
			w.fail(err)
			return
		}
		w.done.Add(1)
	}
}

// turn is when operation k is meant to start, counted from the beginning.
func (w *worker) turn(k int64) time.Duration {
	place := float64(w.thread) + float64(k)*float64(w.threads)
	return time.Duration(place / float64(w.Target) * float64(time.Second))
}

// errNoRecord ends a run that has nothing left to work on.
var errNoRecord = errors.New("no record is left to work on: more were deleted than inserted")

// operation does one. An error means that the run is over.
func (w *worker) operation(k kind, intended time.Time) error {
	if k == opInsert {
		return w.insert(intended)
	}
	n, ok := w.pick(k == opDelete)
	if !ok {
		if !w.inserts() && !w.stop.Load() {
			return errNoRecord
		}
		w.tallies[k].notFound++ // without a request
		return nil
	}
	defer w.records.release(w.thread)
	w.key = appendKey(w.key[:0], n, w.InsertOrder, w.ZeroPadding)
	switch k {
	case opRead:
		return w.read(intended)
	case opUpdate:
		return w.update(intended)
	case opReadModifyWrite:
		return w.readModifyWrite(intended)
	case opScan:
		records, name := w.scans.Next(w.operations), w.fieldToRead()
		return w.timed(opScan, intended, func() error { return w.conn.scan(w.key, records, name) })
	}
	return w.timed(opDelete, intended, func() error {
		err := w.conn.delete(w.key)
		if err == nil {
			w.deleted++
		}
		return err
	})
}

func (w *worker) read(intended time.Time) error {
	name := w.fieldToRead()
	return w.timed(opRead, intended, func() error { return w.conn.read(w.key, name) })
}

func (w *worker) update(intended time.Time) error {
	fields := w.toWrite()
	return w.timed(opUpdate, intended, func() error { return w.conn.update(w.key, fields) })
}

// readModifyWrite counts as a read and an update besides, as in YCSB; there is
// no update of what could not be read.
func (w *worker) readModifyWrite(intended time.Time) error {
	name, fields := w.fieldToRead(), w.toWrite()
	return w.timed(opReadModifyWrite, intended, func() error {
		if err := w.timedReply(opRead, intended, func() error { return w.conn.read(w.key, name) }); err != nil {
			return err
		}
		return w.timedReply(opUpdate, intended, func() error { return w.conn.update(w.key, fields) })
	})
}

func (w *worker) insert(intended time.Time) error {
	n := w.nextInsert.Add(1) - 1
	if n >= maxRecords+maxInserted {
		return fmt.Errorf("insert record %d: there are no more record numbers", n)
	}
	w.key = appendKey(w.key[:0], n, w.InsertOrder, w.ZeroPadding)
	record := w.values.all()
	return w.timed(opInsert, intended, func() error {
		created, err := w.conn.insert(w.key, record)
		if created {
			w.created++
		}
		if err == nil && !w.load {
			w.records.add(n)
		}
		return err
	})
}

func (w *worker) fieldToRead() string {
	if w.ReadAllFields {
		return ""
	}
	return w.values.name()
}

// toWrite makes what an update writes. Where a record has no fields it is all.
func (w *worker) toWrite() []field {
	if w.WriteAllFields || w.whole {
		return w.values.all()
	}
	return w.values.one()
}

// timed sends a request and keeps its latency; the error is one that ends the run.
func (w *worker) timed(k kind, intended time.Time, request func() error) error {
	err := w.timedReply(k, intended, request)
	var reply *replyError
	if errors.Is(err, errNotFound) || errors.As(err, &reply) {
		return nil
	}
	return err
}

// timedReply is timed that returns what the server has answered, too.
func (w *worker) timedReply(k kind, intended time.Time, request func() error) error {
	sent := time.Now()
	w.since.Store(max(1, sent.Sub(w.began).Nanoseconds()))
	err := request()
	now := time.Now()
	w.since.Store(0)
	var reply *replyError
	if errors.As(err, &reply) {
		w.remember(reply)
	} else if err != nil && !errors.Is(err, errNotFound) {
		return err
	}
	w.tallies[k].note(now.Sub(sent), now.Sub(intended), w.pacer != nil, err)
	return err
}
