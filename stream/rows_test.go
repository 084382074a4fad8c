// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/kermit-trace/kermit/stream"
)

type sampleRow struct {
	Flag  bool    `col:"flag" doc:"a flag"`
	I32   int32   `col:"i32"`
	I64   int64   `col:"i64"`
	U32   uint32  `col:"u32"`
	U64   uint64  `col:"u64"`
	Ratio float64 `col:"ratio"`
	Text  string  `col:"text"`
}

func TestRowsOfGoValuesComeBack(t *testing.T) {
	rows := stream.NewRows[sampleRow]("sample", "a sample", "test")
	in := []sampleRow{{true, -1, -2, 3, 4, 0.5, "a"}, {false, 1, 2, 3, 4, -0.5, "b\xff"}, {Text: "a"}}
	for _, r := range in {
		rows.Append(r)
	}
	if rows.Len() != 3 {
		t.Errorf("%d rows", rows.Len())
	}
	first := rows.Batch()
	rows.Append(sampleRow{Text: "z"})
	second := rows.Batch()
	_, batches, err := read(bytes.NewReader(write(t, func(w *stream.Writer) error {
		return all(
			func() error { return w.Header(&stream.Header{}) },
			func() error { return w.Table(rows.Table()) },
			func() error { return w.Batch(first) },
			func() error { return w.Batch(second) },
			w.End,
		)
	})))
	if err != nil {
		t.Fatal(err)
	}
	var got [][]any
	for _, b := range batches {
		for row := range b.Rows {
			var values []any
			for i := range b.Columns {
				values = append(values, b.Columns[i].Value(row))
			}
			got = append(got, values)
		}
	}
	want := [][]any{
		{true, int64(-1), int64(-2), int64(3), int64(4), 0.5, "a"},
		{false, int64(1), int64(2), int64(3), int64(4), -0.5, `b\xff`},
		{false, int64(0), int64(0), int64(0), int64(0), 0.0, "a"},
		{false, int64(0), int64(0), int64(0), int64(0), 0.0, "z"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if len(batches[0].Columns[6].Dict) != 2 || batches[0].Table.Columns[0].Doc != "a flag" {
		t.Error("texts are not distinct, or the doc is lost")
	}
}

func TestAColumnMayBeMarkedUnseen(t *testing.T) {
	rows := stream.NewRows[sampleRow]("sample", "", "test")
	rows.Append(sampleRow{I64: 7})
	b := rows.Batch()
	b.Columns[6] = stream.Vector{Null: true}
	rows.Table().Unobservable = []string{"text"}
	if rows.Table().Sees("text") || !rows.Table().Sees("i64") {
		t.Error("Sees does not look at Unobservable")
	}
	_, batches, err := read(bytes.NewReader(write(t, func(w *stream.Writer) error {
		return all(func() error { return w.Header(&stream.Header{}) }, func() error { return w.Table(rows.Table()) },
			func() error { return w.Batch(b) }, w.End)
	})))
	if err != nil || batches[0].Columns[6].Value(0) != nil {
		t.Errorf("%v", err)
	}
}
