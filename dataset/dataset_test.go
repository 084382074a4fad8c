// SPDX-License-Identifier: Apache-2.0

package dataset_test

import (
	"bytes"
	"cmp"
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/dataset"
	"github.com/kermit-trace/kermit/stream"
)

// A sample has a column of every type of the stream, sort keys included.
type sample struct {
	CPU   uint32  `col:"cpu"`
	B     bool    `col:"b" doc:"a flag"`
	I32   int32   `col:"i32"`
	I64   int64   `col:"i64"`
	U32   uint32  `col:"u32"`
	U64   uint64  `col:"u64"`
	F     float64 `col:"f"`
	Text  string  `col:"text"`
	Label int32   `col:"label"`
	TS    int64   `col:"ts_ns"`
	Gone  int64   `col:"gone"`
}

var labels = stream.Labels{0: "none", 1: "one", -5: "minus five"}

func newSamples() *stream.Rows[sample] {
	rows := stream.NewRows[sample]("sample", "all types", "test")
	t := rows.Table()
	t.Unobservable = []string{"gone", "branch time_wait"}
	t.Attrs = map[string]string{"clock": "fine"}
	t.Columns[8].Labels = labels
	return rows
}

func randomSample(r *rand.Rand, ts int64) sample {
	s := sample{
		CPU: uint32(r.IntN(3)), B: r.IntN(3) == 0, I32: int32(r.Uint32()), I64: int64(r.Uint64()),
		U32: r.Uint32(), U64: r.Uint64() >> 1, F: float64(r.IntN(1<<20))/256 - 1000, Label: int32(r.IntN(8)) - 6, TS: ts,
	}
	switch r.IntN(4) {
	case 0:
		s.I64, s.U64, s.F = math.MinInt64, math.MaxInt64, 0
	case 1:
		s.I64, s.U32, s.I32 = math.MaxInt64, math.MaxUint32, math.MinInt32
	}
	s.Text = []string{"", "a b", "größe", `\xff`, strings.Repeat("x", 70), fmt.Sprint(r.IntN(1000))}[r.IntN(6)]
	return s
}

// json is the row as readers show it.
func (s sample) json(tb testing.TB, id string) string {
	return asJSON(tb, []any{int64(s.CPU), s.B, int64(s.I32), s.I64, int64(s.U32), s.U64, s.F, s.Text,
		labels.Text(int64(s.Label)), s.TS, nil, id})
}

// A recording is a stream in memory and the rows that are in it.
type recording struct {
	bytes.Buffer
	w    *stream.Writer
	rows *stream.Rows[sample]
	all  []sample
	rand *rand.Rand
}

func newRecording(tb testing.TB, tables ...string) *recording {
	r := &recording{rows: newSamples(), rand: rand.New(rand.NewPCG(7, 7))}
	r.w = stream.NewWriter(&r.Buffer)
	must(tb, r.w.Header(&stream.Header{Hooks: []string{"sample"}, Tables: append(tables, "sample"), Stop: stream.Stop{Secret: "s3cret"}}))
	must(tb, r.w.Table(r.rows.Table()))
	return r
}

// add appends batches of n rows whose times overlap.
func (r *recording) add(tb testing.TB, batches, n int) {
	for range batches {
		for range n {
			s := randomSample(r.rand, 1e12+r.rand.Int64N(1e9))
			r.all = append(r.all, s)
			r.rows.Append(s)
		}
		b := r.rows.Batch()
		b.Columns[10] = stream.Vector{Null: true}
		must(tb, r.w.Batch(b))
	}
}

func options(tb testing.TB) dataset.Options {
	return dataset.Options{Dir: filepath.Join(tb.TempDir(), "d"), Rotate: time.Hour, Memory: memory, Tool: "kparquet test"}
}

func TestEveryReaderReadsEveryType(t *testing.T) {
	for _, n := range []int{0, 1, 7, 5000} {
		t.Run(fmt.Sprint(n, " rows a batch"), func(t *testing.T) {
			r := newRecording(t)
			if n > 0 {
				r.add(t, 4, n)
			}
			must(t, r.w.End())
			c := record(t, r.Bytes(), options(t))
			slices.SortStableFunc(r.all, func(a, b sample) int {
				return cmp.Or(cmp.Compare(a.CPU, b.CPU), cmp.Compare(a.TS, b.TS))
			})
			want := make([]string, len(r.all))
			for i, s := range r.all {
				want[i] = s.json(t, c.ID)
			}
			for name, read := range readers {
				got := read(t, c.Tables["sample"])
				if len(got) != len(want) {
					t.Fatalf("%s: %d rows, want %d", name, len(got), len(want))
				}
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("%s: row %d is\n%s, want\n%s", name, i, got[i], want[i])
					}
				}
			}
		})
	}
}

// Readers skip row groups by the bounds in the footer: wrong ones lose rows.
func TestFiltersFindEveryRow(t *testing.T) {
	r := newRecording(t)
	r.add(t, 4, 2000)
	must(t, r.w.End())
	c := record(t, r.Bytes(), options(t))
	db, err := sql.Open("duckdb", "")
	must(t, err)
	defer func() { _ = db.Close() }()
	least, most, low, high := int64(math.MaxInt64), int64(math.MinInt64), "~", ""
	for _, s := range r.all {
		least, most, low, high = min(least, s.TS), max(most, s.TS), min(low, s.Text), max(high, s.Text)
	}
	for column, values := range map[string][]any{
		"ts_ns": {least, most}, "i64": {int64(math.MinInt64), int64(math.MaxInt64)}, "cpu": {0, 2}, "text": {low, high},
		"label": {"none", "minus five"}, "b": {false, true}, "i32": {math.MinInt32}, "u32": {math.MaxUint32},
	} {
		for _, v := range values {
			var n int
			query := fmt.Sprintf("SELECT count(*) FROM '%s' WHERE %s = ?", c.Tables["sample"][0], column)
			must(t, db.QueryRow(query, v).Scan(&n))
			if n == 0 {
				t.Errorf("no row where %s = %v", column, v)
			}
		}
	}
}
