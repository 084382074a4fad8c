// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/stream"
)

// allocated is what f allocates, in bytes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestALengthBeyondTheLimitsAllocatesNothing(t *testing.T) {
	head := join(opening(t)...)
	for name, c := range map[string]struct{ frame, says string }{
		"a bin of 4 GiB":            {"\x95\x02\xa1a\x00\x01\x92\xc6\xff\xff\xff\xff", "larger than 16 MiB"},
		"a bin of 16 MiB and one":   {"\x95\x02\xa1a\x00\x01\x92\xc6\x01\x00\x00\x00", "larger than 16 MiB"}, // the name is one
		"a text of 4 GiB":           {"\x92\x01\xdb\xff\xff\xff\xff", "larger than 16 MiB"},
		"an array of 4 G":           {"\xdd\xff\xff\xff\xff", "131,072 values"},
		"an array in an array":      {"\x93\x01\xa1b\xdd\xff\xff\xff\xff", "131,072 values"},
		"a map of 4 G":              {"\x93\x01\xa1b\xdf\xff\xff\xff\xff", "131,072 values"},
		"a map of 65,536":           {"\x93\x01\xa1b\xdf\x00\x01\x00\x00", "131,072 values"},
		"arrays that nest":          {strings.Repeat("\x91", 1000), "too deep"},
		"maps that nest":            {"\x92\x09" + strings.Repeat("\x81\xa1k", 1000), "too deep"},
		"empty arrays that nest":    {strings.Repeat("\x91", 16) + "\x90", "too deep"},
		"arrays that claim to nest": {strings.Repeat("\xdc\x40\x00", 10), "131,072 values"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			in := join(head, []byte(c.frame))
			if n := allocated(func() { _, _, err = read(bytes.NewReader(in)) }); n >= 1<<20 {
				t.Errorf("%d bytes allocated", n)
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if n := allocated(func() { _, _, err = read(strings.NewReader(c.frame)) }); n >= 1<<20 {
				t.Errorf("as the first frame: %d bytes allocated", n)
			}
		})
	}
}

func TestAFrameAsDeepAsTheSpecificationAllowsIsRead(t *testing.T) {
	in := join(opening(t)[0], []byte("\x92\x09"+strings.Repeat("\x91", 14)+"\x90"))
	if _, _, err := read(bytes.NewReader(in)); err != nil {
		t.Error(err)
	}
}

// fullest is a batch of exactly the 16 MiB that a frame may have, with another
// byte if more.
func fullest(more int) (*stream.Table, *stream.Batch) {
	t := &stream.Table{Name: "a", Columns: []stream.Column{{Name: "x", Type: stream.U8}}}
	n := stream.MaxFrame - len(t.Name) + more
	return t, &stream.Batch{Table: t, Rows: n, Columns: []stream.Vector{{Data: make([]byte, n)}}}
}

func TestTheLargestFrameIsWrittenAndReadWithinTwiceItsSize(t *testing.T) {
	table, b := fullest(0)
	in := write(t, func(w *stream.Writer) error {
		return all(
			func() error { return w.Header(&stream.Header{}) },
			func() error { return w.Table(table) },
			func() error { return w.Batch(b) },
			func() error { return w.Batch(b) },
			w.End,
		)
	})
	r := stream.NewReader(bytes.NewReader(in))
	n := allocated(func() {
		for {
			f, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			if f.Kind == stream.KindBatch {
				if _, err := f.Batch(); err != nil {
					t.Error(err)
				}
			}
		}
	})
	if n > 2*stream.MaxFrame {
		t.Errorf("%d bytes allocated", n)
	}
}

// manyTexts is a batch with as many values as a frame may have: 5 elements, a
// column, its 2 halves, the texts.
func manyTexts(more, size int) (*stream.Table, *stream.Batch) {
	t := &stream.Table{Name: "a", Columns: []stream.Column{{Name: "s", Type: stream.Str}}}
	v := stream.Vector{Dict: make([]string, 1<<17-8+more)}
	for i := range v.Dict {
		v.Dict[i] = fmt.Sprintf("%0*d", size, i)
	}
	return t, &stream.Batch{Table: t, Columns: []stream.Vector{v}}
}

// A frame that came in pieces was once scanned from its start for each piece,
// and the buffer grew byte by byte near its limit: minutes for such frames.
func TestAFrameInManyPiecesIsReadInLinearTimeAndSpace(t *testing.T) {
	for _, size := range []int{6, 127} { // small texts, and 16 MiB of them with their heads
		table, b := manyTexts(0, size)
		in := write(t, func(w *stream.Writer) error {
			return all(
				func() error { return w.Header(&stream.Header{}) },
				func() error { return w.Table(table) },
				func() error { return w.Batch(b) },
				w.End,
			)
		})
		began := time.Now()
		n := allocated(func() {
			_, batches, err := read(pieces{bytes.NewReader(in)})
			if err != nil || len(batches[0].Columns[0].Dict) != 1<<17-8 {
				t.Error(err)
			}
		})
		if took := time.Since(began); took > 20*time.Second || n > 8*stream.MaxFrame {
			t.Errorf("%d bytes took %s and %d bytes of memory", len(in), took, n)
		}
	}
}

// pieces is a reader that gives 100 bytes at a time.
type pieces struct{ io.Reader }

func (p pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), 100)]) }

func TestTheHeadsOfTextsDoNotCountAsPayload(t *testing.T) {
	table, b := manyTexts(0, 128) // over 16 MiB with their heads, just below without
	b.Columns[0].Dict[0] = ""     // the table's name is one byte, and 8 texts are missing
	in := write(t, func(w *stream.Writer) error {
		return all(
			func() error { return w.Header(&stream.Header{}) },
			func() error { return w.Table(table) },
			func() error { return w.Batch(b) },
			w.End,
		)
	})
	if len(in) <= stream.MaxFrame {
		t.Fatalf("the stream has %d bytes only", len(in))
	}
	if _, _, err := read(bytes.NewReader(in)); err != nil {
		t.Error(err)
	}
}

func TestAStreamDeclaresNoEndOfTables(t *testing.T) {
	in := join(opening(t)[0])
	for i := range 1024 {
		in = append(in, declaration(t, fmt.Sprint("t", i), "u8")...)
	}
	if _, _, err := read(bytes.NewReader(append(bytes.Clone(in), pack(t, 9, object{})...))); err != nil {
		t.Errorf("1,024 tables: %v", err)
	}
	in = append(in, declaration(t, "one more", "u8")...)
	if _, _, err := read(bytes.NewReader(in)); err == nil || !strings.Contains(err.Error(), "1024 tables") {
		t.Errorf("1,025 tables: %v", err)
	}
}

func BenchmarkReader(b *testing.B) {
	for _, c := range []struct {
		name   string
		decode bool
	}{{"frames", false}, {"batches", true}} {
		b.Run(c.name, func(b *testing.B) {
			const rows, frames = 4096, 64
			in := bulk(b, rows, frames)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				r := stream.NewReader(bytes.NewReader(in))
				for {
					f, err := r.Next()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					if c.decode && f.Kind == stream.KindBatch {
						if _, err := f.Batch(); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows*frames), "ns/row")
		})
	}
}

func BenchmarkWriter(b *testing.B) {
	table, batch := faults(4096)
	w := stream.NewWriter(io.Discard)
	if err := all(func() error { return w.Header(&stream.Header{}) }, func() error { return w.Table(table) }); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Batch(batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch.Rows), "ns/row")
}

// faults is a batch as ktrace makes them of page faults.
func faults(rows int) (*stream.Table, *stream.Batch) {
	t := &stream.Table{Name: "page_fault"}
	b := &stream.Batch{Table: t, Rows: rows}
	for i, typ := range []stream.Type{
		stream.U16, stream.U32, stream.U32, stream.I64, stream.I64, stream.U32, stream.Bool, stream.Bool, stream.Bool, stream.Str, stream.I64, stream.I64, stream.Bool,
	} {
		t.Columns = append(t.Columns, stream.Column{Name: fmt.Sprint("c", i), Type: typ})
		v := stream.Vector{Data: make([]byte, rows*typ.Width())}
		if typ == stream.Str {
			v.Dict = []string{"cc1", "make", "sh"}
		}
		b.Columns = append(b.Columns, v)
	}
	return t, b
}

func bulk(t testing.TB, rows, frames int) []byte {
	table, b := faults(rows)
	return write(t, func(w *stream.Writer) error {
		if err := all(func() error { return w.Header(&stream.Header{}) }, func() error { return w.Table(table) }); err != nil {
			return err
		}
		for range frames {
			if err := w.Batch(b); err != nil {
				return err
			}
		}
		return w.End()
	})
}
