// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/parquet-go/parquet-go/format"

	"github.com/kermit-trace/kermit/stream"
)

// A Writer turns a stream into a collection. It may be used from several
// goroutines.
type Writer struct {
	options Options

	mu       sync.Mutex
	closed   bool
	id       string
	header   *stream.Header
	workload string
	config   string
	complete bool
	tables   []*table // in the order they were declared
	byName   map[string]*table
	counters map[string]*Counters
	waiting  int // bytes of rows in all groups
	fresh    int64
	part     int
	place    *place
	worker   *worker
	rotation *time.Ticker
	stop     chan struct{}
}

// A table being written. What is below the line belongs to the worker.
type table struct {
	decl   *stream.Table
	key    sortKey
	schema []format.SchemaElement
	rows   int64 // of the stream so far
	group  *group

	file  *file
	began bool // a part has been published
}

// ErrClosed is returned by [Writer.Copy] after [Writer.Close].
var ErrClosed = errors.New("dataset: writer is closed")

// Copy takes a stream to its end. An error is one of the stream (a
// [stream.Error]) or of writing; either way [Writer.Close] publishes what came.
func (w *Writer) Copy(in io.Reader) error {
	r := stream.NewReader(in)
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := w.take(f); err != nil {
			return err
		}
	}
}

func (w *Writer) take(f *stream.Frame) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	switch f.Kind {
	case stream.KindHeader:
		return w.begin(f.Header)
	case stream.KindTable:
		return w.declare(f.Table)
	case stream.KindBatch:
		b, err := f.Batch()
		if err != nil {
			return err
		}
		return w.append(b)
	case stream.KindEnd:
		w.complete = true
	}
	return nil
}

// begin makes sure, before any row comes, that there is a place for it.
func (w *Writer) begin(h *stream.Header) error {
	p, err := openPlace(w.options.Dir, w.options.Prefix)
	if err != nil {
		return err
	}
	e, err := newEncoder()
	if err != nil {
		p.remove()
		return err
	}
	w.header, w.place, w.id = h, p, p.id
	w.worker = startWorker(e)
	w.rotation = time.NewTicker(w.options.Rotate)
	go w.rotate()
	return nil
}

func (w *Writer) declare(t *stream.Table) error {
	if err := checkTable(t); err != nil {
		return err
	}
	if name := t.Attrs["workload"]; t.Name == markerTable && w.workload == "" && name != "" {
		if err := CheckName(name); err != nil {
			return fmt.Errorf("table %s: workload %q %w", t.Name, name, err)
		}
		w.workload = name
	}
	added := &table{decl: t, key: keyOf(t), schema: schema(t), group: &group{}}
	w.tables = append(w.tables, added)
	w.byName[t.Name] = added
	return nil
}

func (w *Writer) append(b *stream.Batch) error {
	if err := w.worker.failure(); err != nil {
		return err
	}
	if b.Rows == 0 {
		return nil
	}
	if err := checkRange(b); err != nil {
		return err
	}
	switch b.Table.Name {
	case countersTable:
		w.count(b)
	case runTable:
		w.config = lastText(b, "config", w.config)
	}
	t := w.byName[b.Table.Name]
	if !t.group.fits(b) {
		w.seal(t)
	}
	before := t.group.size
	t.group.add(b)
	w.waiting += t.group.size - before
	t.rows += int64(b.Rows)
	w.fresh += int64(b.Rows)
	if t.group.rows >= w.maxRows() {
		w.seal(t)
	}
	for w.waiting >= w.maxWaiting() {
		w.seal(w.largest())
	}
	return nil
}

// Memory is shared out: an eighth for rows that wait, as much again for each
// of the groups at the worker and before it, and what encoding a column takes,
// some 24 bytes a row. The rest is the process itself and the collector's.
func (w *Writer) maxWaiting() int { return int(w.options.Memory / 8) }
func (w *Writer) maxRows() int    { return int(w.options.Memory / 256) }

func (w *Writer) largest() *table {
	most := w.tables[0]
	for _, t := range w.tables {
		if t.group.size > most.group.size {
			most = t
		}
	}
	return most
}

// seal hands the table's waiting rows to the worker.
func (w *Writer) seal(t *table) {
	g := t.group
	if g.rows == 0 {
		return
	}
	t.group = &group{}
	w.waiting -= g.size
	p := w.place
	w.worker.do(func(e *encoder) error {
		if err := t.write(e, g, p); err != nil {
			return fmt.Errorf("write table %s: %w", t.decl.Name, err)
		}
		return nil
	})
}

func (t *table) write(e *encoder, g *group, p *place) error {
	if err := t.open(p); err != nil {
		return err
	}
	key := t.key.usable(g.batches)
	e.load(g, key)
	defer g.free()
	defer e.unload()
	return t.file.add(e, p.id, key)
}

func (t *table) open(p *place) (err error) {
	if t.file == nil {
		t.file, err = createFile(p.temporary(t.decl.Name))
	}
	return err
}

// rotate publishes a part now and then, also when nothing comes.
func (w *Writer) rotate() {
	for {
		select {
		case <-w.stop:
			return
		case <-w.rotation.C:
		}
		w.mu.Lock()
		if !w.closed && w.fresh > 0 {
			w.publish()
		}
		w.mu.Unlock()
	}
}

// publish lets the worker make a part of what came since the last.
func (w *Writer) publish() {
	for _, t := range w.tables {
		w.seal(t)
	}
	metas := w.metas()
	tables, part, target := append([]*table(nil), w.tables...), w.part, w.target()
	p, all := w.place, w.complete || w.closed
	w.part++
	w.fresh = 0
	w.worker.do(func(*encoder) error { return p.publish(target, tables, metas, part, all) })
}

// target is where the collection will be.
func (w *Writer) target() target {
	kind, workload := Curated, w.workload
	if len(w.header.Hooks) == 0 {
		kind = Baseline
	}
	if workload == "" {
		workload = defaultWorkload
	}
	w.workload = workload // fixed, once a part is there
	return target{w.options.Dir, kind, workload, w.id}
}

// metas are the tables' metadata as of now.
func (w *Writer) metas() []*Meta {
	out := make([]*Meta, len(w.tables))
	for i, t := range w.tables {
		m := &Meta{
			Doc: t.decl.Doc, Source: t.decl.Source, Unobservable: t.decl.Unobservable, Attrs: t.decl.Attrs,
			Columns: map[string]string{}, Header: w.header, Complete: w.complete, Tool: w.options.Tool, Config: w.config,
		}
		for _, c := range t.decl.Columns {
			m.Columns[c.Name] = c.Doc
			m.Order = append(m.Order, c.Name)
		}
		if c := w.counters[t.decl.Name]; c != nil {
			now := *c
			m.Counters = &now
		}
		out[i] = m
	}
	return out
}
