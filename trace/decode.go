// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"time"

	"github.com/kermit-trace/kermit/stream"
)

var le = binary.LittleEndian

// A batch is sent when it has chunkRows rows or chunkBytes bytes (a table of
// long rows must not grow without bound), or maxAge after its first row.
const (
	chunkRows  = 8192
	chunkBytes = 1 << 20
	maxAge     = 50 * time.Millisecond // half of what the format promises: the timer may be late by as much
)

// chunk gathers rows of one table as they lie in the ring, and turns them into
// columns at once: a tight loop a column costs a third of a loop a row.
type chunk struct {
	shape *Shape
	table *stream.Table
	rows  []byte
	since time.Time
	batch stream.Batch
	dicts []dict
}

// dict numbers the distinct texts of a column in a batch.
type dict struct {
	index map[string]uint32
	last  []byte
	lastN uint32
	raw   []byte // scratch
}

func newChunk(shape *Shape, table *stream.Table) *chunk {
	n := len(shape.fields)
	c := &chunk{shape: shape, table: table, dicts: make([]dict, n)}
	c.batch = stream.Batch{Table: table, Columns: make([]stream.Vector, n)}
	for i := range shape.fields {
		if !table.Sees(table.Columns[i].Name) {
			c.batch.Columns[i].Null = true
		}
		if table.Columns[i].Type == stream.Str {
			c.dicts[i].index = map[string]uint32{}
		}
	}
	return c
}

// add copies a row; it tells whether the chunk is full.
func (c *chunk) add(row []byte) bool {
	if len(c.rows) == 0 {
		c.since = time.Now()
	}
	c.rows = append(c.rows, row[:c.shape.size]...)
	return len(c.rows) >= chunkRows*c.shape.size || len(c.rows) >= chunkBytes
}

func (c *chunk) empty() bool { return len(c.rows) == 0 }

// take turns the rows into a batch, valid until the next add.
func (c *chunk) take() *stream.Batch {
	n := len(c.rows) / c.shape.size
	c.batch.Rows = n
	for i := range c.shape.fields {
		v := &c.batch.Columns[i]
		if v.Null {
			continue
		}
		width := c.table.Columns[i].Type.Width()
		if cap(v.Data) < n*width {
			v.Data = make([]byte, n*width)
		}
		v.Data = v.Data[:n*width]
		f := &c.shape.fields[i]
		switch f.kind {
		case number:
			copyNumbers(v.Data, c.rows[f.offset:], c.shape.size, width, n)
		case quotient:
			divide(v.Data, c.rows[f.offset:], c.shape.size, f.divide, n)
		default:
			c.texts(i, n)
		}
	}
	c.rows = c.rows[:0]
	return &c.batch
}

// copyNumbers gathers every stride-th value of src.
func copyNumbers(dst, src []byte, stride, width, n int) {
	switch width {
	case 1:
		for i := range n {
			dst[i] = src[i*stride]
		}
	case 2:
		for i := range n {
			le.PutUint16(dst[2*i:], le.Uint16(src[i*stride:]))
		}
	case 4:
		for i := range n {
			le.PutUint32(dst[4*i:], le.Uint32(src[i*stride:]))
		}
	case 8:
		for i := range n {
			le.PutUint64(dst[8*i:], le.Uint64(src[i*stride:]))
		}
	}
}

func divide(dst, src []byte, stride int, by int64, n int) {
	for i := range n {
		le.PutUint64(dst[8*i:], uint64(int64(le.Uint64(src[i*stride:]))/by))
	}
}

// texts numbers the texts of column i.
func (c *chunk) texts(i, n int) {
	f, v, d := &c.shape.fields[i], &c.batch.Columns[i], &c.dicts[i]
	clear(d.index)
	d.last = nil
	v.Dict = v.Dict[:0]
	for row := range n {
		at := row*c.shape.size + f.offset
		raw := c.rows[at : at+f.size]
		if d.last == nil || !bytes.Equal(raw, d.last) {
			d.last, d.lastN = raw, c.textNumber(f.kind, v, d, raw)
		}
		le.PutUint32(v.Data[4*row:], d.lastN)
	}
}

func (c *chunk) textNumber(kind fieldKind, v *stream.Vector, d *dict, raw []byte) uint32 {
	d.raw = appendText(d.raw[:0], kind, raw)
	n, ok := d.index[string(d.raw)]
	if !ok {
		s := stream.Text(string(d.raw))
		n = uint32(len(v.Dict))
		v.Dict = append(v.Dict, s)
		d.index[string(d.raw)] = n
	}
	return n
}

func appendText(dst []byte, kind fieldKind, raw []byte) []byte {
	switch kind {
	case ipv4:
		for i, b := range raw {
			if i > 0 {
				dst = append(dst, '.')
			}
			dst = strconv.AppendUint(dst, uint64(b), 10)
		}
	case argv:
		dst = append(dst, bytes.TrimRight(raw, "\x00")...)
		for i, b := range dst {
			if b == 0 {
				dst[i] = ' '
			}
		}
	default:
		if end := bytes.IndexByte(raw, 0); end >= 0 {
			raw = raw[:end]
		}
		dst = append(dst, raw...)
	}
	return dst
}
