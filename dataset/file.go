// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"golang.org/x/sys/unix"
)

// A file is one Parquet file being written, under a temporary name.
type file struct {
	f      *os.File
	end    int64 // of the last row group
	rows   int64
	groups int
	footer bytes.Buffer // the row groups' entries, encoded
}

func createFile(name string) (*file, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	p := &file{f: f, end: int64(len(magic))}
	if _, err := f.WriteString(magic); err != nil {
		_ = f.Close()
		return nil, err
	}
	return p, nil
}

// add writes the encoder's rows as a row group. After an error the file still
// ends with the row group before.
func (p *file) add(e *encoder, id string, key sortKey) error {
	err := p.write(e, id, key)
	if err != nil {
		_ = p.f.Truncate(p.end) // gives the space back, for the footer
		_, _ = p.f.Seek(p.end, io.SeekStart)
	}
	return err
}

func (p *file) write(e *encoder, id string, key sortKey) error {
	g := format.RowGroup{NumRows: int64(e.rows), FileOffset: p.end, Ordinal: ordinal(p.groups)}
	at := p.end
	columns := len(e.batches[0].Columns)
	for c := range columns + 1 {
		var (
			m   format.ColumnMetaData
			err error
		)
		if c < columns {
			m, err = e.column(c)
		} else {
			m, err = e.identity(id)
		}
		if err != nil {
			return fmt.Errorf("encode column %s: %w", m.PathInSchema, err)
		}
		if _, err := p.f.Write(e.out); err != nil {
			return err
		}
		g.Columns = append(g.Columns, located(m, at))
		g.TotalByteSize += m.TotalUncompressedSize
		g.TotalCompressedSize += m.TotalCompressedSize
		at += m.TotalCompressedSize
	}
	for _, c := range []int{key.cpu, key.ts} {
		if c >= 0 {
			g.SortingColumns = append(g.SortingColumns, format.SortingColumn{ColumnIdx: int32(c)})
		}
	}
	if err := encodeGroup(&p.footer, &g); err != nil {
		return err
	}
	// Start writing now, so that the fsync of a rotation has little left to do.
	_ = unix.SyncFileRange(int(p.f.Fd()), p.end, at-p.end, unix.SYNC_FILE_RANGE_WRITE)
	p.end, p.groups, p.rows = at, p.groups+1, p.rows+g.NumRows
	return nil
}

// located turns offsets in a chunk into offsets in the file.
func located(m format.ColumnMetaData, at int64) format.ColumnChunk {
	m.DataPageOffset += at
	if m.DictionaryPageOffset != 0 {
		m.DictionaryPageOffset = at
	}
	return format.ColumnChunk{MetaData: m}
}

// ordinal of a row group; the format has 16 bits for it, which only encrypted
// files need.
func ordinal(n int) int16 { return int16(min(n, math.MaxInt16)) }

func encodeGroup(w io.Writer, g *format.RowGroup) error {
	b, err := thrift.Marshal(new(thrift.CompactProtocol), g)
	if err != nil {
		return fmt.Errorf("encode row group: %w", err)
	}
	_, err = w.Write(b)
	return err
}

// finish writes the footer, brings everything to the disk and closes the file.
// groups are the entries of its row groups.
func (p *file) finish(groups io.Reader, elements []format.SchemaElement, meta *Meta) error {
	defer func() { _ = p.f.Close() }()
	if err := p.writeFooter(groups, elements, meta); err != nil {
		return err
	}
	if err := p.f.Sync(); err != nil {
		return err
	}
	return p.f.Close()
}

// writeFooter writes the file's metadata around the entries of its row groups,
// which are too many for memory where a recording was long.
func (p *file) writeFooter(groups io.Reader, elements []format.SchemaElement, meta *Meta) error {
	compact := new(thrift.CompactProtocol)
	head, err := thrift.Marshal(compact, &struct {
		Version int32                              `thrift:"1,required"`
		Schema  thrift.Slice[format.SchemaElement] `thrift:"2,required"`
		NumRows int64                              `thrift:"3,required,writezero"`
	}{1, elements, p.rows})
	if err != nil {
		return fmt.Errorf("encode footer: %w", err)
	}
	orders := make([]format.ColumnOrder, len(elements)-1)
	for i := range orders {
		orders[i].Value = new(format.TypeDefinedOrder)
	}
	tail, err := thrift.Marshal(compact, &struct {
		Pairs     thrift.Slice[format.KeyValue]    `thrift:"5,optional"`
		CreatedBy string                           `thrift:"6,optional"`
		Orders    thrift.Slice[format.ColumnOrder] `thrift:"7,optional"`
	}{meta.pairs(), meta.Tool, orders})
	if err != nil {
		return fmt.Errorf("encode footer: %w", err)
	}
	// In Thrift's compact protocol a field starts with its type and how far
	// its number is from that of the field before; a struct ends with 0.
	const list, structs = 9, 12
	head = append(head[:len(head)-1], 1<<4|list)
	if p.groups < 15 {
		head = append(head, byte(p.groups)<<4|structs)
	} else {
		head = binary.AppendUvarint(append(head, 15<<4|structs), uint64(p.groups))
	}
	tail[0] = 1<<4 | list // field 5 comes after field 4
	if _, err := p.f.Write(head); err != nil {
		return err
	}
	n, err := io.Copy(p.f, groups)
	if err != nil {
		return err
	}
	tail = binary.LittleEndian.AppendUint32(tail, uint32(len(head)+int(n)+len(tail)))
	_, err = p.f.Write(append(tail, magic...))
	return err
}
