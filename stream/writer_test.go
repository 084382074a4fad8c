// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/kermit-trace/kermit/stream"
)

// simple is the table a(x u8, s str), and a row of it.
func simple(labels stream.Labels) (*stream.Table, *stream.Batch) {
	t := &stream.Table{Name: "a", Columns: []stream.Column{{Name: "x", Type: stream.Bool, Labels: labels}, {Name: "s", Type: stream.Str}}}
	return t, &stream.Batch{Table: t, Rows: 1, Columns: []stream.Vector{
		{Data: []byte{1}}, {Dict: []string{"s"}, Data: make([]byte, 4)},
	}}
}

func TestWriterRefusesUnwrittenWhatReaderWould(t *testing.T) {
	header := &stream.Header{Host: "h"}
	for name, attempt := range map[string]func(w *stream.Writer) error{
		"a second header": func(w *stream.Writer) error { return w.Header(header) },
		"a header that is not UTF-8": func(*stream.Writer) error {
			return stream.NewWriter(io.Discard).Header(&stream.Header{Host: "\xff"})
		},
		"a table before the header": func(*stream.Writer) error {
			table, _ := simple(nil)
			return stream.NewWriter(io.Discard).Table(table)
		},
		"the end before the header": func(*stream.Writer) error { return stream.NewWriter(io.Discard).End() },
		"a table twice":             func(w *stream.Writer) error { table, _ := simple(nil); return w.Table(table) },
		"a table without a name":    func(w *stream.Writer) error { return w.Table(&stream.Table{Columns: everything().Columns}) },
		"a table without columns":   func(w *stream.Writer) error { return w.Table(&stream.Table{Name: "b"}) },
		"a label that is not UTF-8": func(w *stream.Writer) error {
			table, _ := simple(stream.Labels{1: "\xff"})
			table.Name = "b"
			return w.Table(table)
		},
		"a table of too many labels": func(w *stream.Writer) error {
			labels := stream.Labels{}
			for i := range 50000 {
				labels[int64(i)] = "label"
			}
			table, _ := simple(labels)
			table.Name = "b"
			return w.Table(table)
		},
		"a batch of an undeclared table": func(w *stream.Writer) error {
			return w.Batch(&stream.Batch{Table: everything(), Columns: make([]stream.Vector, 13)})
		},
		"a column missing":  change(func(b *stream.Batch) { b.Columns = b.Columns[:1] }),
		"a short column":    change(func(b *stream.Batch) { b.Rows = 2 }),
		"negative rows":     change(func(b *stream.Batch) { b.Rows = -1; b.Columns = []stream.Vector{{Null: true}, {Null: true}} }),
		"rows that wrap":    change(func(b *stream.Batch) { b.Rows = 1 << 62; b.Columns = make([]stream.Vector, 2) }),
		"a bool of 2":       change(func(b *stream.Batch) { b.Columns[0].Data[0] = 2 }),
		"an index too far":  change(func(b *stream.Batch) { b.Columns[1].Data[0] = 1 }),
		"text as no UTF-8":  change(func(b *stream.Batch) { b.Columns[1].Dict[0] = "\xff" }),
		"too many texts":    func(w *stream.Writer) error { _, b := manyTexts(1, 6); return declared(w, b) },
		"too many bytes":    func(w *stream.Writer) error { _, b := fullest(1); return declared(w, b) },
		"a frame after end": func(w *stream.Writer) error { return errors.Join(w.End(), w.End()) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			w := stream.NewWriter(&out)
			table, b := simple(nil)
			if err := all(func() error { return w.Header(header) }, func() error { return w.Table(table) }, func() error { return w.Batch(b) }); err != nil {
				t.Fatal(err)
			}
			if err := attempt(w); err == nil {
				t.Error("accepted")
			}
			if name != "a frame after end" {
				// What was refused leaves no trace: the stream goes on, and its numbers too.
				_, again := simple(nil)
				again.Table = table
				if err := all(func() error { return w.Batch(again) }, w.End); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := read(&out); err != nil {
				t.Errorf("the reader says: %v", err)
			}
		})
	}
}

// change spoils a good batch of the table a.
func change(spoil func(*stream.Batch)) func(*stream.Writer) error {
	return func(w *stream.Writer) error {
		_, b := simple(nil)
		spoil(b)
		return w.Batch(b)
	}
}

// declared declares the table of a batch under another name and writes it.
func declared(w *stream.Writer, b *stream.Batch) error {
	b.Table.Name = "b" // as long as its own
	if err := w.Table(b.Table); err != nil {
		return nil // refused, but not for the reason to be seen
	}
	return w.Batch(b)
}

func TestTheLimitsOfWriterAreThoseOfReader(t *testing.T) {
	for _, make := range []func(int) (*stream.Table, *stream.Batch){
		fullest,
		func(more int) (*stream.Table, *stream.Batch) { return manyTexts(more, 6) },
	} {
		for more, want := range []bool{true, false} {
			table, b := make(more)
			w := stream.NewWriter(io.Discard)
			if err := all(func() error { return w.Header(&stream.Header{}) }, func() error { return w.Table(table) }); err != nil {
				t.Fatal(err)
			}
			if err := w.Batch(b); (err == nil) != want {
				t.Errorf("with %d more: %v", more, err)
			}
		}
	}
}

func TestWritersOfSeveralGoroutinesMakeOneStream(t *testing.T) {
	var out bytes.Buffer
	w := stream.NewWriter(&out)
	if err := w.Header(&stream.Header{}); err != nil {
		t.Fatal(err)
	}
	const writers, batches = 8, 200
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			table, _ := simple(nil)
			table.Name = fmt.Sprint("t", i%4)
			if err := w.Table(table); err != nil && !strings.Contains(err.Error(), "twice") {
				t.Error(err)
			}
			for range batches {
				_, b := simple(nil)
				b.Table = table
				if err := w.Batch(b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	_, got, err := read(&out)
	if err != nil || len(got) != writers*batches {
		t.Errorf("%d batches, %v", len(got), err)
	}
}

// tornPipe takes the first bytes, then fails once.
type tornPipe struct {
	bytes.Buffer
	left int
}

func (p *tornPipe) Write(b []byte) (int, error) {
	if len(b) <= p.left {
		p.left -= len(b)
		return p.Buffer.Write(b)
	}
	n, _ := p.Buffer.Write(b[:p.left])
	p.left = 1 << 20
	return n, errors.New("no space left on device")
}

func TestNothingIsWrittenBehindHalfAFrame(t *testing.T) {
	whole := sample(t)
	for _, left := range []int{10, 400, 600} {
		pipe := &tornPipe{left: left}
		w := stream.NewWriter(pipe)
		r := stream.NewReader(bytes.NewReader(whole))
		var first error
		for {
			f, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			err = w.Copy(f)
			if first == nil {
				first = err
			} else if !errors.Is(err, first) {
				t.Errorf("%v after %v", err, first)
			}
		}
		if first == nil || !bytes.Equal(pipe.Bytes(), whole[:left]) {
			t.Errorf("%v; %d bytes are written", first, pipe.Len())
		}
	}
}

func TestAFilterAddsTablesAndCopiesTheRest(t *testing.T) {
	whole := sample(t)
	var out bytes.Buffer
	w := stream.NewWriter(&out)
	r := stream.NewReader(bytes.NewReader(whole))
	table, _ := simple(nil)
	var copied []byte
	for {
		f, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind == stream.KindEnd {
			break
		}
		copied = append(copied, f.Raw...)
		if err := w.Copy(f); err != nil {
			t.Fatal(err)
		}
		if f.Kind == stream.KindTable {
			if err := w.Copy(f); err == nil {
				t.Error("a table is copied twice")
			}
			if err := w.Table(table); err != nil {
				t.Fatal(err)
			}
			if err := w.Table(everything()); err == nil {
				t.Error("a table that came from upstream is declared again")
			}
		}
	}
	if err := w.Batch(&stream.Batch{Table: table, Columns: make([]stream.Vector, 2)}); err != nil {
		t.Fatal(err)
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	frames, batches, err := read(bytes.NewReader(out.Bytes()))
	if err != nil || len(batches) != 4 {
		t.Fatalf("%d batches, %v", len(batches), err)
	}
	mine := 0
	for _, f := range frames {
		if bytes.Contains(copied, f) {
			mine++
		}
	}
	if mine != 5 {
		t.Errorf("%d of 5 frames are untouched", mine)
	}
}
