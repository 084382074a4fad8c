// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"sync"

	"github.com/kermit-trace/kermit/stream"
)

// A group is rows that wait to become one row group: copies of batches, as
// narrow as they came. In all of them the same columns are NULL, so that a
// column chunk is NULL as a whole or not at all.
type group struct {
	batches []*stream.Batch
	blocks  [][]byte // what their columns lie in
	rows    int
	size    int // bytes of memory
}

// blocks that are free again: clearing new memory would cost as much as filling
// it. Small ones are not worth it.
var blocks sync.Pool

const smallBlock = 64 << 10

// newBlock returns an empty block with room for size bytes.
func newBlock(size int) []byte {
	if size >= smallBlock {
		if b, ok := blocks.Get().(*[]byte); ok && cap(*b) >= size && cap(*b) <= 2*size {
			return (*b)[:0]
		}
	}
	return make([]byte, 0, size)
}

// free gives the group's memory back.
func (g *group) free() {
	for _, b := range g.blocks {
		if cap(b) >= smallBlock {
			blocks.Put(&b)
		}
	}
	*g = group{}
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
	block := newBlock(size)
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
	g.blocks = append(g.blocks, block)
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
