// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"

	"github.com/kermit-trace/kermit/stream"
)

// A group is rows that wait to become one row group: copies of batches, as
// narrow as they came. In all of them the same columns are NULL, so that a
// column chunk is NULL as a whole or not at all.
type group struct {
	batches []*stream.Batch
	rows    int
	size    int // bytes of memory
}

// fits tells whether the batch's NULL columns are those of the group.
func (g *group) fits(b *stream.Batch) bool {
	if g.rows == 0 {
		return true
	}
	for i := range b.Columns {
		if b.Columns[i].Null != g.batches[0].Columns[i].Null {
			return false
		}
	}
	return true
}

// add appends a batch, which it copies as far as it shares memory with a frame.
func (g *group) add(b *stream.Batch) {
	size := 0
	for i := range b.Columns {
		size += len(b.Columns[i].Data)
	}
	block := make([]byte, 0, size)
	for i := range b.Columns {
		v := &b.Columns[i]
		at := len(block)
		block = append(block, v.Data...)
		v.Data = block[at:len(block):len(block)]
		const perColumn, perText = 96, 24 // what the headers of a Vector and a text take
		size += perColumn
		for _, s := range v.Dict {
			size += len(s) + perText
		}
	}
	g.batches = append(g.batches, b)
	g.rows += b.Rows
	g.size += size
}

// checkRange refuses numbers that do not fit a signed 64-bit integer.
func checkRange(b *stream.Batch) error {
	for i, c := range b.Table.Columns {
		v := &b.Columns[i]
		if c.Type != stream.U64 || v.Null {
			continue
		}
		for row := range b.Rows {
			if v.Data[8*row+7]&0x80 != 0 {
				return fmt.Errorf("table %s: column %s: %d does not fit a signed 64-bit integer",
					b.Table.Name, c.Name, uint64(v.Int(row)))
			}
		}
	}
	return nil
}
