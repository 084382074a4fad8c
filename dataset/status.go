// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"strings"

	"github.com/kermit-trace/kermit/stream"
)

// Status of a table that is being written.
type Status struct {
	Table    string
	Rows     int64     // taken from the stream
	Counters *Counters // the last known, or nil
}

// Status of all tables, in the order the stream declared them.
func (w *Writer) Status() []Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]Status, len(w.tables))
	for i, t := range w.tables {
		out[i] = Status{Table: t.decl.Name, Rows: t.rows, Counters: w.counters[t.decl.Name]}
	}
	return out
}

// Account compares a number of rows with the counters of their table. It
// returns what does not add up, nothing where there are no counters (nil).
func (c *Counters) Account(rows int64) []string {
	if c == nil {
		return nil
	}
	var wrong []string
	if !c.Balanced() {
		wrong = append(wrong, fmt.Sprintf("seen %d is not filtered %d + emitted %d + lost_ring %d + lost_other %d",
			c.Seen, c.Filtered, c.Emitted, c.LostRing, c.LostOther))
	}
	switch {
	case c.Final && c.Rows != c.Emitted:
		wrong = append(wrong, fmt.Sprintf("%d rows were emitted, %d came into the stream", c.Emitted, c.Rows))
	case !c.Final && rows >= c.Rows && rows < c.Emitted:
		wrong = append(wrong, fmt.Sprintf("at least %d rows are missing: recording ends before its tracer did", c.Emitted-rows))
	}
	if rows < c.Rows {
		wrong = append(wrong, fmt.Sprintf("%d of %d rows are missing", c.Rows-rows, c.Rows))
	}
	if c.Final && rows > c.Rows {
		wrong = append(wrong, fmt.Sprintf("%d rows more than the %d that were emitted", rows-c.Rows, c.Rows))
	}
	return wrong
}

// count takes the counters that a batch of hook_stats carries.
func (w *Writer) count(b *stream.Batch) {
	column := map[string]*stream.Vector{}
	for i, c := range b.Table.Columns {
		if !b.Columns[i].Null {
			column[c.Name] = &b.Columns[i]
		}
	}
	names := column["table_name"]
	if names == nil || names.Type != stream.Str {
		return
	}
	number := func(name string, row int) int64 {
		v := column[name]
		if v == nil || v.Type == stream.Str || v.Type == stream.F64 {
			return 0
		}
		return v.Int(row)
	}
	for row := range b.Rows {
		w.counters[strings.Clone(names.Text(row))] = &Counters{
			Seen: number("seen", row), Filtered: number("filtered", row), Emitted: number("emitted", row),
			LostRing: number("lost_ring", row), LostOther: number("lost_other", row),
			Missed: number("missed", row), Rows: number("rows", row), Final: number("final", row) != 0,
		}
	}
}

// lastText is the column's text in the last row, or the one known so far.
func lastText(b *stream.Batch, name, known string) string {
	for i, c := range b.Table.Columns {
		if v := &b.Columns[i]; c.Name == name && c.IsText() && !v.Null {
			return v.Text(b.Rows - 1)
		}
	}
	return known
}
