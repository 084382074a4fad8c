// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// Writer writes frames. Each call hands one whole frame to the underlying
// writer in one Write, so nothing is held back. It refuses, unwritten, what
// [Reader] would refuse. After a failed Write, which may have left half a frame
// behind, it writes no more and returns that error. It may be used from several
// goroutines.
type Writer struct {
	mu     sync.Mutex
	out    io.Writer
	buf    bytes.Buffer
	enc    *msgpack.Encoder
	opened bool              // the header is written
	ended  bool              // the end frame is
	next   map[string]uint64 // seq of the next batch of each declared table
	failed error
}

// NewWriter returns a Writer of frames to out.
func NewWriter(out io.Writer) *Writer {
	w := &Writer{out: out, next: map[string]uint64{}}
	w.enc = msgpack.NewEncoder(&w.buf)
	w.enc.UseCompactInts(true)
	return w
}

// Header writes the header; it fills in the magic, the version and the clock.
func (w *Writer) Header(h *Header) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	full := *h
	full.Magic, full.Version, full.Clock = magic, Version, "boottime"
	full.Hooks, full.Tables = list(h.Hooks), list(h.Tables)
	return w.frame(KindHeader, &full)
}

// list is s, as an empty array instead of nil on the wire.
func list(s []string) []string { return append([]string{}, s...) }

// Table declares a table.
func (w *Writer) Table(t *Table) error {
	if err := t.check(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.vacant(t.Name); err != nil {
		return err
	}
	wire := *t
	wire.Unobservable = list(t.Unobservable)
	wire.Columns = slices.Clone(t.Columns)
	for i, c := range wire.Columns {
		for _, n := range slices.Sorted(maps.Keys(c.Labels)) {
			wire.Columns[i].Pairs = append(wire.Columns[i].Pairs, labelPair{Number: n, Text: c.Labels[n]})
		}
	}
	if err := w.frame(KindTable, t.Name, &wire); err != nil {
		return err
	}
	w.next[t.Name] = 0
	return nil
}

// vacant tells whether a table of that name may be declared.
func (w *Writer) vacant(name string) error {
	if _, twice := w.next[name]; twice {
		return fmt.Errorf("table %s: declared twice", name)
	}
	if len(w.next) == maxTables {
		return errTables
	}
	return nil
}

// Batch writes rows of a declared table and numbers the batch.
func (w *Writer) Batch(b *Batch) error {
	if err := b.check(); err != nil {
		return fmt.Errorf("batch of %s: %w", b.Table.Name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	seq, ok := w.next[b.Table.Name]
	if !ok {
		return fmt.Errorf("table %s: not declared", b.Table.Name)
	}
	if err := w.frame(KindBatch, b.Table.Name, seq, b.Rows, columns(b.Columns)); err != nil {
		return err
	}
	w.next[b.Table.Name] = seq + 1
	return nil
}

// End writes the end frame.
func (w *Writer) End() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.frame(KindEnd, struct{}{})
}

// Copy writes a frame that was read elsewhere, untouched.
func (w *Writer) Copy(f *Frame) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.Kind == KindTable {
		if err := w.vacant(f.Table.Name); err != nil {
			return err
		}
	}
	if err := w.write(f.Kind, f.Raw); err != nil {
		return err
	}
	switch f.Kind {
	case KindTable:
		w.next[f.Table.Name] = 0
	case KindBatch:
		w.next[f.Table.Name] = f.Seq + 1
	}
	return nil
}

// frame encodes a frame and writes it.
func (w *Writer) frame(k Kind, elements ...any) error {
	w.buf.Reset()
	if err := w.enc.EncodeArrayLen(1 + len(elements)); err != nil {
		return err
	}
	if err := w.enc.EncodeUint(uint64(k)); err != nil {
		return err
	}
	if err := w.enc.EncodeMulti(elements...); err != nil {
		return err
	}
	s := newScanner()
	if _, err := s.scan(w.buf.Bytes()); err != nil {
		return err
	}
	return w.write(k, w.buf.Bytes())
}

// write writes a frame in its place in the stream.
func (w *Writer) write(k Kind, raw []byte) error {
	switch {
	case w.failed != nil:
		return w.failed
	case w.ended:
		return errors.New("frame after the end frame")
	case w.opened == (k == KindHeader):
		return fmt.Errorf("frame of kind %d: the header comes first, and once", k)
	}
	if _, err := w.out.Write(raw); err != nil {
		w.failed = err
		return err
	}
	w.opened, w.ended = true, k == KindEnd
	return nil
}

// columns of a batch encode themselves.
type columns []Vector

// EncodeMsgpack implements [msgpack.CustomEncoder].
func (c columns) EncodeMsgpack(enc *msgpack.Encoder) error {
	if err := enc.EncodeArrayLen(len(c)); err != nil {
		return err
	}
	for i := range c {
		if err := c[i].encode(enc); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vector) encode(enc *msgpack.Encoder) error {
	if v.Null {
		return enc.EncodeNil()
	}
	data := v.Data
	if data == nil {
		data = []byte{} // nil would become a NULL column
	}
	if v.Type != Str {
		return enc.EncodeBytes(data)
	}
	if err := enc.EncodeArrayLen(2); err != nil {
		return err
	}
	if err := enc.EncodeArrayLen(len(v.Dict)); err != nil {
		return err
	}
	for _, s := range v.Dict {
		if err := enc.EncodeString(s); err != nil {
			return err
		}
	}
	return enc.EncodeBytes(data)
}

func (b *Batch) check() error {
	if len(b.Columns) != len(b.Table.Columns) {
		return fmt.Errorf("%d columns, the table has %d", len(b.Columns), len(b.Table.Columns))
	}
	if b.Rows < 0 || b.Rows > MaxFrame {
		return fmt.Errorf("%d rows", b.Rows)
	}
	for i := range b.Columns {
		v, c := &b.Columns[i], &b.Table.Columns[i]
		v.Type, v.Label = c.Type, c.Labels
		if err := v.check(b.Rows); err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	return nil
}
