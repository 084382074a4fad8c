// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// Writer writes frames. Each call hands one whole frame to the underlying
// writer in one Write, so nothing is held back. It may be used from several
// goroutines.
type Writer struct {
	mu   sync.Mutex
	out  io.Writer
	buf  bytes.Buffer
	enc  *msgpack.Encoder
	next map[string]uint64 // seq of the next batch of each declared table
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
	full := *h
	full.Magic, full.Version, full.Clock = magic, Version, "boottime"
	return w.frame(KindHeader, 2, func() error { return w.enc.Encode(&full) })
}

// Table declares a table.
func (w *Writer) Table(t *Table) error {
	if err := t.check(); err != nil {
		return err
	}
	wire := *t
	wire.Columns = slices.Clone(t.Columns)
	for i, c := range wire.Columns {
		for _, n := range slices.Sorted(maps.Keys(c.Labels)) {
			wire.Columns[i].Pairs = append(wire.Columns[i].Pairs, labelPair{Number: n, Text: c.Labels[n]})
		}
	}
	return w.frame(KindTable, 3, func() error {
		if _, twice := w.next[t.Name]; twice {
			return fmt.Errorf("table %s: declared twice", t.Name)
		}
		w.next[t.Name] = 0
		return w.enc.EncodeMulti(t.Name, &wire)
	})
}

// Batch writes rows of a declared table and numbers the batch. It refuses a
// batch that [Reader] would refuse, unwritten.
func (w *Writer) Batch(b *Batch) error {
	if err := b.check(); err != nil {
		return err
	}
	return w.frame(KindBatch, 5, func() error {
		seq, ok := w.next[b.Table.Name]
		if !ok {
			return fmt.Errorf("table %s: not declared", b.Table.Name)
		}
		w.next[b.Table.Name] = seq + 1
		if err := w.enc.EncodeMulti(b.Table.Name, seq, b.Rows); err != nil {
			return err
		}
		return encodeColumns(w.enc, b.Columns)
	})
}

func encodeColumns(enc *msgpack.Encoder, columns []Vector) error {
	if err := enc.EncodeArrayLen(len(columns)); err != nil {
		return err
	}
	for i := range columns {
		v := &columns[i]
		if v.Null {
			if err := enc.EncodeNil(); err != nil {
				return err
			}
			continue
		}
		if v.Type == Str {
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
		}
		if err := enc.EncodeBytes(v.Data); err != nil {
			return err
		}
	}
	return nil
}

// End writes the end frame.
func (w *Writer) End() error {
	return w.frame(KindEnd, 2, func() error { return w.enc.EncodeMapLen(0) })
}

// Copy writes a frame that was read elsewhere, untouched.
func (w *Writer) Copy(f *Frame) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.out.Write(f.Raw)
	return err
}

// frame encodes one frame of n elements and writes it.
func (w *Writer) frame(k Kind, n int, body func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Reset()
	if err := w.enc.EncodeArrayLen(n); err != nil {
		return err
	}
	if err := w.enc.EncodeUint(uint64(k)); err != nil {
		return err
	}
	if err := body(); err != nil {
		return err
	}
	_, err := w.out.Write(w.buf.Bytes())
	return err
}

func (b *Batch) check() error {
	if len(b.Columns) != len(b.Table.Columns) {
		return fmt.Errorf("%d columns, the table has %d", len(b.Columns), len(b.Table.Columns))
	}
	values, payload := 8, len(b.Table.Name)
	for i := range b.Columns {
		v := &b.Columns[i]
		values += len(v.Dict) + 4
		payload += len(v.Data)
		for _, s := range v.Dict {
			payload += len(s)
		}
		v.Type, v.Label = b.Table.Columns[i].Type, b.Table.Columns[i].Labels
		if err := v.check(b.Rows); err != nil {
			return fmt.Errorf("column %s: %w", b.Table.Columns[i].Name, err)
		}
	}
	if values > maxValues {
		return errTooMany
	}
	if payload > MaxFrame {
		return errTooLarge
	}
	return nil
}
