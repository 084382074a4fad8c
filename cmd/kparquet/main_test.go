// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kermit-trace/kermit/stream"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kparquet": main, "faults": faults})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}

// batchRows is how many rows a batch of faults has.
const batchRows = 4096

// faults is a command that writes a stream of page faults: faults N [cut|lost]
// has N batches; cut has no end, lost no last batch but counters that know it.
func faults() {
	n, err := strconv.Atoi(os.Args[1])
	if err == nil {
		err = writeFaults(os.Stdout, n, strings.Join(os.Args[2:], " "))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

func writeFaults(out io.Writer, n int, how string) error {
	w := stream.NewWriter(out)
	f := newFaults()
	rows := int64(n) * batchRows
	stats := stream.NewRows[counters]("hook_stats", "what was seen and lost", "ktrace")
	stats.Append(counters{Table: "page_fault", Seen: rows, Emitted: rows, Rows: rows, Final: true})
	if how == "lost" {
		n--
	}
	steps := []func() error{
		func() error {
			return w.Header(&stream.Header{Hooks: []string{"page_fault"}, Tables: []string{"page_fault", "hook_stats"}})
		},
		func() error { return w.Table(f.Table) },
		func() error { return w.Table(stats.Table()) },
	}
	for range n {
		steps = append(steps, func() error { return w.Batch(f.next()) })
	}
	steps = append(steps, func() error { return w.Batch(stats.Batch()) })
	if how != "cut" {
		steps = append(steps, w.End)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

type counters struct {
	TS       int64  `col:"ts_ns"`
	Table    string `col:"table_name"`
	Seen     int64  `col:"seen"`
	Filtered int64  `col:"filtered"`
	Emitted  int64  `col:"emitted"`
	LostRing int64  `col:"lost_ring"`
	Rows     int64  `col:"rows"`
	Final    bool   `col:"final"`
}

// faultStream is the same batch of page faults over and over, later each time.
type faultStream struct{ *stream.Batch }

const tsColumn = 3 // ts_ns in a faultStream

func newFaults() *faultStream {
	t := &stream.Table{Name: "page_fault", Columns: []stream.Column{
		{Name: "cpu", Type: stream.U16}, {Name: "tgid", Type: stream.U32}, {Name: "address", Type: stream.I64},
		{Name: "ts_ns", Type: stream.I64}, {Name: "latency_ns", Type: stream.I64}, {Name: "is_write", Type: stream.Bool},
		{Name: "comm", Type: stream.Str},
	}}
	v := make([]stream.Vector, len(t.Columns))
	for i := range v {
		v[i].Data = make([]byte, batchRows*t.Columns[i].Type.Width())
	}
	v[6].Dict = []string{"cc1"}
	le := binary.LittleEndian
	for row := range batchRows {
		le.PutUint64(v[2].Data[8*row:], uint64(row)*4096)
		le.PutUint64(v[3].Data[8*row:], uint64(1800*row+row*row%300))
		le.PutUint64(v[4].Data[8*row:], uint64(600+row*7919%301))
	}
	return &faultStream{&stream.Batch{Table: t, Rows: batchRows, Columns: v}}
}

func (f *faultStream) next() *stream.Batch {
	le := binary.LittleEndian
	ts := f.Columns[tsColumn].Data
	for row := range batchRows {
		le.PutUint64(ts[8*row:], le.Uint64(ts[8*row:])+1800*batchRows)
	}
	return f.Batch
}
