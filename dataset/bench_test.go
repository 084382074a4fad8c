// SPDX-License-Identifier: Apache-2.0

package dataset_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/dataset"
	"github.com/kermit-trace/kermit/stream"
)

const (
	cpus      = 2
	batchRows = 4096
	memory    = 128 << 20
)

// faultTable is page_fault as its hook declares it.
func faultTable() *stream.Table {
	return &stream.Table{Name: "page_fault", Doc: "a page fault", Source: "perf_event", Columns: []stream.Column{
		{Name: "cpu", Type: stream.U16}, {Name: "pid", Type: stream.U32}, {Name: "tgid", Type: stream.U32},
		{Name: "ts_uptime_us", Type: stream.I64}, {Name: "address", Type: stream.I64},
		{Name: "error_code", Type: stream.U32}, {Name: "is_major", Type: stream.Bool},
		{Name: "is_write", Type: stream.Bool}, {Name: "is_exec", Type: stream.Bool},
		{Name: "comm", Type: stream.Str}, {Name: "ts_ns", Type: stream.I64},
		{Name: "latency_ns", Type: stream.I64}, {Name: "is_user", Type: stream.Bool},
	}}
}

// faulter makes faults of one process at full rate, on each CPU in turn.
type faulter struct {
	table   *stream.Table
	random  *rand.Rand
	ts      [cpus]int64
	address int64
	turn    int
}

func newFaulter() *faulter {
	return &faulter{table: faultTable(), random: rand.New(rand.NewPCG(1, 2)), ts: [cpus]int64{1e12, 1e12}, address: 0x7f0000000000}
}

func (f *faulter) batch(rows int) *stream.Batch {
	le := binary.LittleEndian
	v := make([]stream.Vector, len(f.table.Columns))
	cpu := f.turn % cpus
	f.turn++
	for range rows {
		f.ts[cpu] += max(1, int64(f.random.NormFloat64()*300+1800))
		f.address += 4096
		if f.random.IntN(50_000) == 0 {
			f.address = 0x7f0000000000 + f.random.Int64N(1<<30)*4096
		}
		v[0].Data = le.AppendUint16(v[0].Data, uint16(cpu))
		v[1].Data = le.AppendUint32(v[1].Data, uint32(4000+cpu))
		v[2].Data = le.AppendUint32(v[2].Data, 4000)
		v[3].Data = le.AppendUint64(v[3].Data, uint64(f.ts[cpu]/1000))
		v[4].Data = le.AppendUint64(v[4].Data, uint64(f.address))
		v[5].Data = le.AppendUint32(v[5].Data, 6)
		v[6].Data = append(v[6].Data, 0)
		v[7].Data = append(v[7].Data, 1)
		v[8].Data = append(v[8].Data, 0)
		v[9].Data = le.AppendUint32(v[9].Data, 0)
		v[10].Data = le.AppendUint64(v[10].Data, uint64(f.ts[cpu]))
		v[11].Data = le.AppendUint64(v[11].Data, uint64(max(100, int64(f.random.NormFloat64()*150+600))))
		v[12].Data = append(v[12].Data, 1)
	}
	v[9].Dict = []string{"redis-server"}
	return &stream.Batch{Table: f.table, Rows: rows, Columns: v}
}

// BenchmarkFaults takes a stream of page faults from memory to closed and
// published Parquet files.
func BenchmarkFaults(b *testing.B) {
	const rows = 2 << 20
	var in bytes.Buffer
	f := newFaulter()
	w := streamOf(b, &in, f.table)
	for range rows / batchRows {
		must(b, w.Batch(f.batch(batchRows)))
	}
	must(b, w.End())
	var bytesOut int64
	cpu := cpuTime(b)
	for b.Loop() {
		c := record(b, in.Bytes(), dataset.Options{Dir: b.TempDir(), Rotate: time.Hour, Memory: memory, Tool: "test"})
		bytesOut = size(b, c)
	}
	cpu = cpuTime(b) - cpu
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N)/rows, "cpu-ns/row")
	b.ReportMetric(float64(bytesOut)/rows, "bytes/row")
}

// record takes the stream and returns the collection it became.
func record(tb testing.TB, in []byte, o dataset.Options) *dataset.Collection {
	tb.Helper()
	w, err := dataset.NewWriter(o)
	must(tb, err)
	must(tb, w.Copy(bytes.NewReader(in)))
	c, err := w.Close()
	must(tb, err)
	return c
}

func size(tb testing.TB, c *dataset.Collection) (sum int64) {
	tb.Helper()
	for _, files := range c.Tables {
		for _, name := range files {
			info, err := os.Stat(name)
			must(tb, err)
			sum += info.Size()
		}
	}
	return sum
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// streamOf begins a stream of one table.
func streamOf(tb testing.TB, out *bytes.Buffer, t *stream.Table) *stream.Writer {
	tb.Helper()
	w := stream.NewWriter(out)
	must(tb, w.Header(&stream.Header{Hooks: []string{t.Name}, Tables: []string{t.Name}}))
	must(tb, w.Table(t))
	return w
}
