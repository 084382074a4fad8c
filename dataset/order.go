// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/kermit-trace/kermit/stream"
)

// A segment is rows of one batch that stay next to each other.
type segment struct {
	batch int32 // its index in the group
	at, n int32
}

// sortKey says by which columns a table is sorted; -1: there is none.
type sortKey struct{ cpu, ts int }

// keyOf finds the sort key of a table: (cpu, ts_ns), or ts_ns.
func keyOf(t *stream.Table) sortKey {
	k := sortKey{-1, -1}
	for i, c := range t.Columns {
		switch {
		case c.Name == "ts_ns" && c.Type == stream.I64:
			k.ts = i
		case c.Name == "cpu" && kindOf(c) == kindInt:
			k.cpu = i
		}
	}
	return k
}

// usable is the part of the key that these batches have.
func (k sortKey) usable(batches []*stream.Batch) sortKey {
	if k.ts < 0 || batches[0].Columns[k.ts].Null {
		return sortKey{-1, -1}
	}
	if k.cpu >= 0 && batches[0].Columns[k.cpu].Null {
		k.cpu = -1
	}
	return k
}

// A run is a segment that is in order: one CPU, times ascending.
type run struct {
	segment
	cpu  int64
	data []byte // of ts_ns, the whole batch's
}

func (r *run) first() int64 { return r.time(0) }
func (r *run) last() int64  { return r.time(r.n - 1) }
func (r *run) time(i int32) int64 {
	return int64(binary.LittleEndian.Uint64(r.data[8*int(r.at+i):]))
}

// order sorts the batches' rows by the key. Tracers deliver long runs that are
// in order, so runs are found and merged; rows are compared only where runs
// overlap in time. The result is appended to out.
func order(out []segment, batches []*stream.Batch, key sortKey) []segment {
	if key.ts < 0 {
		for i, b := range batches {
			out = append(out, segment{int32(i), 0, int32(b.Rows)})
		}
		return out
	}
	var runs []run
	for i := range batches {
		runs = appendRuns(runs, batches, i, key)
	}
	slices.SortStableFunc(runs, func(a, b run) int {
		return cmp.Or(cmp.Compare(a.cpu, b.cpu), cmp.Compare(a.first(), b.first()))
	})
	for len(runs) > 0 {
		n := overlapping(runs)
		if n == 1 {
			out = append(out, runs[0].segment)
		} else {
			out = merge(out, runs[:n])
		}
		runs = runs[n:]
	}
	return out
}

// overlapping is the number of runs at the front that share a stretch of time.
func overlapping(runs []run) int {
	last := runs[0].last()
	for n := 1; n < len(runs); n++ {
		if runs[n].cpu != runs[0].cpu || runs[n].first() >= last {
			return n
		}
		last = max(last, runs[n].last())
	}
	return len(runs)
}

// appendRuns cuts batch n into runs.
func appendRuns(runs []run, batches []*stream.Batch, n int, key sortKey) []run {
	b := batches[n]
	if b.Rows == 0 {
		return runs
	}
	ts := b.Columns[key.ts].Data
	var cpus *stream.Vector
	cpu := int64(0)
	if key.cpu >= 0 {
		v := &b.Columns[key.cpu]
		cpu = v.Int(0)
		if w := v.Type.Width(); !bytes.Equal(v.Data[w:], v.Data[:len(v.Data)-w]) {
			cpus = v
		}
	}
	start := 0
	before := int64(binary.LittleEndian.Uint64(ts))
	for i := 1; i < b.Rows; i++ {
		t := int64(binary.LittleEndian.Uint64(ts[8*i:]))
		if t < before || cpus != nil && cpus.Int(i) != cpu {
			runs = append(runs, run{segment{int32(n), int32(start), int32(i - start)}, cpu, ts})
			start = i
			if cpus != nil {
				cpu = cpus.Int(i)
			}
		}
		before = t
	}
	return append(runs, run{segment{int32(n), int32(start), int32(b.Rows - start)}, cpu, ts})
}

// merge appends the rows of runs of one CPU in order of time. The runs are
// sorted by their first row; heap[0] has the earliest row that is left.
func merge(out []segment, runs []run) []segment {
	heap := slices.Clone(runs)
	for len(heap) > 1 {
		r := &heap[0]
		next := heap[1].first()
		if len(heap) > 2 {
			next = min(next, heap[2].first())
		}
		n := int32(1)
		for n < r.n && r.time(n) <= next {
			n++
		}
		out = append(out, segment{r.batch, r.at, n})
		r.at, r.n = r.at+n, r.n-n
		if r.n == 0 {
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		}
		sink(heap)
	}
	return append(out, heap[0].segment)
}

// sink puts the run at the top of the heap into its place.
func sink(heap []run) {
	for i := 0; ; {
		least := 2*i + 1
		if least >= len(heap) {
			return
		}
		if right := least + 1; right < len(heap) && heap[right].first() < heap[least].first() {
			least = right
		}
		if heap[i].first() <= heap[least].first() {
			return
		}
		heap[i], heap[least] = heap[least], heap[i]
		i = least
	}
}
