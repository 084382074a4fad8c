// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/kermit-trace/kermit/stream"
)

// write returns the stream that steps write.
func write(t testing.TB, steps func(w *stream.Writer) error) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := steps(stream.NewWriter(&out)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// all runs steps in order up to the first error.
func all(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// everything is a table with a column of each type, one with labels, and one
// that nobody sees.
func everything() *stream.Table {
	t := &stream.Table{
		Name: "everything", Doc: "every type", Source: "test",
		Unobservable: []string{"dark"}, Attrs: map[string]string{"workload": "faux"},
	}
	for _, typ := range []stream.Type{
		stream.Bool, stream.I8, stream.I16, stream.I32, stream.I64,
		stream.U8, stream.U16, stream.U32, stream.U64, stream.F64, stream.Str,
	} {
		t.Columns = append(t.Columns, stream.Column{Name: "c_" + string(typ), Type: typ, Doc: "a " + string(typ)})
	}
	t.Columns = append(t.Columns,
		stream.Column{Name: "member", Type: stream.I8, Labels: stream.Labels{-1: "none", 0: "file", 3: "shmem"}},
		stream.Column{Name: "dark", Type: stream.I64},
	)
	return t
}

// extremes are three rows of everything: the lowest, the highest, an ordinary one.
func extremes(t *stream.Table) *stream.Batch {
	le := binary.LittleEndian
	column := func(width int, values ...uint64) stream.Vector {
		var v stream.Vector
		for _, x := range values {
			var b [8]byte
			le.PutUint64(b[:], x)
			v.Data = append(v.Data, b[:width]...)
		}
		return v
	}
	text := column(4, 1, 0, 1)
	text.Dict = []string{"", "żaba\n", "unused"}
	return &stream.Batch{Table: t, Rows: 3, Columns: []stream.Vector{
		column(1, 0, 1, 1),
		column(1, 0x80, 0x7f, 5),
		column(2, 0x8000, 0x7fff, 5),
		column(4, 0x80000000, 0x7fffffff, 5),
		column(8, 1<<63, 1<<63-1, 5),
		column(1, 0, 0xff, 5),
		column(2, 0, 0xffff, 5),
		column(4, 0, 0xffffffff, 5),
		column(8, 0, 1<<64-1, 5),
		column(8, math.Float64bits(-math.MaxFloat64), math.Float64bits(math.MaxFloat64), math.Float64bits(0.5)),
		text,
		column(1, 0xff, 3, 9),
		{Null: true},
	}}
}

// sample is a small stream with everything in it.
func sample(t testing.TB) []byte {
	table := everything()
	h := stream.NewHeader("test 1")
	h.Hooks, h.Tables, h.Stop = []string{"everything"}, []string{"everything"}, stream.Stop{Socket: "s", Secret: "x"}
	return write(t, func(w *stream.Writer) error {
		return all(
			func() error { return w.Header(h) },
			func() error { return w.Table(table) },
			func() error { return w.Batch(extremes(table)) },
			func() error {
				return w.Batch(&stream.Batch{Table: table, Columns: make([]stream.Vector, len(table.Columns))})
			},
			func() error { return w.Batch(extremes(table)) },
			w.End,
		)
	})
}

// read reads frames, keeps copies of their bytes, and decodes batches.
func read(in io.Reader) (raw [][]byte, batches []*stream.Batch, err error) {
	r := stream.NewReader(in)
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return raw, batches, nil
		}
		if err != nil {
			return raw, batches, err
		}
		raw = append(raw, bytes.Clone(f.Raw))
		if f.Kind != stream.KindBatch {
			continue
		}
		b, err := f.Batch()
		if err != nil {
			return raw, batches, err
		}
		for i := range b.Columns {
			b.Columns[i].Data = bytes.Clone(b.Columns[i].Data)
		}
		batches = append(batches, b)
	}
}

// pack is a frame, or a part of one, that no Writer would make.
func pack(t testing.TB, elements ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := msgpack.NewEncoder(&b)
	enc.UseCompactInts(true)
	if err := enc.Encode(elements); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// object is a msgpack map.
type object = map[string]any
