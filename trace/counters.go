// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/kermit-trace/kermit/stream"
)

// Counters of a table, summed over CPUs. Always:
//
//	Seen = Filtered + Emitted + LostRing + LostOther
type Counters struct {
	Seen, Filtered, Emitted, LostRing, LostOther uint64
}

// countersSize is sizeof(struct kermit_counters) in kermit.bpf.h.
const countersSize = 64

// liveTable is a table that probes fill.
type liveTable struct {
	shape  *Shape
	table  *stream.Table
	id     int
	memory []uint64
	cpus   int
	rows   atomic.Uint64 // in the stream
}

func newLiveTable(shape *Shape, source *Source, m *ebpf.Map, id, cpus int) (*liveTable, error) {
	if m.ValueSize() != countersSize {
		return nil, fmt.Errorf("table %s: counters of %d bytes", shape.Name, m.ValueSize())
	}
	memory, err := mapArray(m)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", shape.Name, err)
	}
	return &liveTable{shape: shape, table: shape.Table(source), id: id, memory: memory, cpus: cpus}, nil
}

// mostReadings of a CPU's counters, and how many of them at once: a row that is
// between two of them is there for some ten nanoseconds, unless its program was
// preempted.
const mostReadings, readingsAtOnce = 1000, 100

// counters reads the table's counters.
func (t *liveTable) counters() Counters {
	var sum Counters
	for cpu := range t.cpus {
		at := t.memory[cpu*countersSize/8:]
		var c Counters
		for n := range mostReadings {
			if n >= readingsAtOnce {
				time.Sleep(50 * time.Microsecond)
			}
			// Seen is counted first: where the sum is right, no row is between them.
			c = Counters{
				Seen: atomic.LoadUint64(&at[0]), Filtered: atomic.LoadUint64(&at[1]), Emitted: atomic.LoadUint64(&at[2]),
				LostRing: atomic.LoadUint64(&at[3]), LostOther: atomic.LoadUint64(&at[4]),
			}
			if c.Seen == c.Filtered+c.Emitted+c.LostRing+c.LostOther {
				break
			}
		}
		sum.Seen += c.Seen
		sum.Filtered += c.Filtered
		sum.Emitted += c.Emitted
		sum.LostRing += c.LostRing
		sum.LostOther += c.LostOther
	}
	return sum
}

// mapArray maps an array map into memory.
func mapArray(m *ebpf.Map) ([]uint64, error) {
	page := os.Getpagesize()
	size := int(m.ValueSize()) * int(m.MaxEntries())
	size = (size + page - 1) / page * page
	b, err := unix.Mmap(m.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map counters: %w", err)
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), len(b)/8), nil
}

// hookStats is a row of the table hook_stats.
type hookStats struct {
	TSNS      int64  `col:"ts_ns" doc:"CLOCK_BOOTTIME of the reading"`
	TableName string `col:"table_name" doc:"which table"`
	Seen      int64  `col:"seen" doc:"rows due since the start; seen = filtered + emitted + lost_ring + lost_other"`
	Filtered  int64  `col:"filtered" doc:"rows not wanted"`
	Emitted   int64  `col:"emitted" doc:"rows handed to the stream"`
	LostRing  int64  `col:"lost_ring" doc:"rows lost because a ring was full"`
	LostOther int64  `col:"lost_other" doc:"rows lost because a join lacked its partner"`
	Missed    int64  `col:"missed" doc:"events for which the kernel did not run the probe at all, as far as it counts them"`
	Rows      int64  `col:"rows" doc:"rows in the stream so far; the last equals emitted"`
	Final     bool   `col:"final" doc:"the reading after the last row"`
}

const hookStatsDoc = "One row a table that probes fill, once a second and once after its last row: what was seen, and what was lost."

func (p *probe) stats(missed int64, final bool) []hookStats {
	var rows []hookStats
	for _, t := range p.tables {
		written := t.rows.Load() // before the counters, which only grow
		c := t.counters()
		rows = append(rows, hookStats{
			TSNS: stream.Now(), TableName: t.shape.Name,
			Seen: int64(c.Seen), Filtered: int64(c.Filtered), Emitted: int64(c.Emitted),
			LostRing: int64(c.LostRing), LostOther: int64(c.LostOther),
			Missed: missed, Rows: int64(written), Final: final,
		})
	}
	return rows
}

// probeCost is a row of the table probe_cost.
type probeCost struct {
	TSNS      int64  `col:"ts_ns" doc:"CLOCK_BOOTTIME of the reading"`
	Hook      string `col:"hook" doc:"the hook"`
	Program   string `col:"program" doc:"the program"`
	RunTimeNS int64  `col:"run_time_ns" doc:"time that the program took since the start"`
	RunCount  int64  `col:"run_count" doc:"times that it ran since the start"`
}

const probeCostDoc = "One row a program once a second: what the probes cost. Measuring adds a little to each run."

func (p *probe) cost() []probeCost {
	var rows []probeCost
	for _, name := range p.source.Programs {
		if s, err := p.programs[name].Stats(); err == nil {
			rows = append(rows, probeCost{
				TSNS: stream.Now(), Hook: p.room.Name, Program: name,
				RunTimeNS: int64(s.Runtime), RunCount: int64(s.RunCount),
			})
		}
	}
	return rows
}
