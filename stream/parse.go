// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bytes"
	"errors"
	"fmt"
)

// parse takes the elements of a frame; those behind the ones it knows are for
// later versions.
func (r *Reader) parse(f *Frame) error {
	n, body, _ := takeArray(f.Raw) // scan saw to it
	kind, body, ok := takeNumber(body)
	if n < 2 || !ok {
		return errors.New("frame has no kind")
	}
	if (kind == int64(KindHeader)) != (r.header == nil) {
		return fmt.Errorf("frame of kind %d: the header comes first, and once", kind)
	}
	switch {
	case kind == int64(KindHeader):
		f.Kind = KindHeader
		return r.parseHeader(f, body)
	case kind == int64(KindTable) && n >= 3:
		f.Kind = KindTable
		return r.parseTable(f, body)
	case kind == int64(KindBatch) && n >= 5:
		f.Kind = KindBatch
		return r.parseBatch(f, body)
	case kind == int64(KindEnd):
		f.Kind, r.ended = KindEnd, true
		return nil
	}
	return fmt.Errorf("frame of unknown kind %d with %d elements", kind, n)
}

func (r *Reader) parseHeader(f *Frame, body []byte) error {
	// A later version may mean other things by what follows.
	var first struct {
		Magic   string `msgpack:"magic"`
		Version int    `msgpack:"version"`
	}
	if err := r.decode(body, &first); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if first.Magic != magic || first.Version < 1 {
		return fmt.Errorf("header: magic is %q, version %d", first.Magic, first.Version)
	}
	if first.Version > Version {
		return fmt.Errorf("%w: version %d of the format, this program reads up to %d", ErrVersion, first.Version, Version)
	}
	h := &Header{}
	if err := r.decode(body, h); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if h.Clock != "boottime" {
		return fmt.Errorf("header: unknown clock %q", h.Clock)
	}
	r.header, f.Header = h, h
	return nil
}

func (r *Reader) parseTable(f *Frame, body []byte) error {
	name, body, ok := takeBytes(body, str)
	if !ok {
		return errors.New("table has no name")
	}
	t := &Table{Name: string(name)}
	if err := r.decode(body, t); err != nil {
		return fmt.Errorf("table %s: %w", name, err)
	}
	for i, c := range t.Columns {
		if len(c.Pairs) == 0 {
			continue
		}
		t.Columns[i].Labels = make(Labels, len(c.Pairs))
		for _, p := range c.Pairs {
			t.Columns[i].Labels[p.Number] = p.Text
		}
		t.Columns[i].Pairs = nil
	}
	if err := t.check(); err != nil {
		return err
	}
	if old := r.tables[t.Name]; old != nil {
		if !old.SameShape(t) {
			return fmt.Errorf("table %s: its columns change in the middle of the stream", t.Name)
		}
		return fmt.Errorf("table %s: declared twice", t.Name)
	}
	if len(r.tables) == maxTables {
		return errTables
	}
	r.tables[t.Name], f.Table = t, t
	return nil
}

// decode takes the map of a header or a table. The decoder would take a bin
// for text, which need not be UTF-8.
func (r *Reader) decode(body []byte, value any) error {
	if r.scan.bins > 0 {
		return errors.New("a bin where text is due")
	}
	r.dec.Reset(bytes.NewReader(body))
	return r.dec.Decode(value)
}

func (r *Reader) parseBatch(f *Frame, body []byte) error {
	name, body, ok := takeBytes(body, str)
	if !ok {
		return errors.New("batch has no name")
	}
	f.Table = r.tables[string(name)]
	if f.Table == nil {
		return fmt.Errorf("batch: table %q was not declared", name)
	}
	seq, body, ok := takeNumber(body)
	if due := r.next[f.Table.Name]; !ok || uint64(seq) != due {
		return fmt.Errorf("batch of %s: number %d where %d is due", name, seq, due)
	}
	rows, body, ok := takeNumber(body)
	if !ok || rows > MaxFrame {
		return fmt.Errorf("batch of %s: bad number of rows", name)
	}
	r.next[f.Table.Name]++
	f.Seq, f.Rows, f.body = uint64(seq), int(rows), body
	return nil
}
