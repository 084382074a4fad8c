// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/kermit-trace/kermit/stream"
)

// encoder turns groups into row groups. parquet-go's own writer takes a value
// at a time where the schema is known at run time only, ten times the cost of
// this; its encodings, Thrift and format are used as they are. Buffers are kept
// from column to column.
type encoder struct {
	batches  []*stream.Batch
	segments []segment
	rows     int

	ints    []int64
	raw     []byte
	index   []int32
	dict    dictionary
	values  []byte // encoded values of a page
	page    []byte // levels and values
	packed  []byte // compressed
	out     []byte // pages with their headers
	zstd    *zstd.Encoder
	deltas  delta.BinaryPackedEncoding
	indexes rle.DictionaryEncoding
}

func newEncoder() (*encoder, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("set up zstd: %w", err)
	}
	return &encoder{zstd: z}, nil
}

// load makes the group's rows, sorted, the ones to encode.
func (e *encoder) load(g *group, key sortKey) {
	e.batches, e.rows = g.batches, g.rows
	e.segments = order(e.segments[:0], g.batches, key)
}

// unload lets go of the rows.
func (e *encoder) unload() { e.batches = nil }

// column encodes column c into e.out.
func (e *encoder) column(c int) (format.ColumnMetaData, error) {
	decl := e.batches[0].Table.Columns[c]
	m := e.begin(decl.Name, kindOf(decl))
	if e.batches[0].Columns[c].Null {
		m.Statistics.NullCount = int64(e.rows)
		return e.finish(m, format.Plain, e.levels(0), nil)
	}
	levels := e.levels(1)
	switch kindOf(decl) {
	case kindBool:
		e.values = bits(e.values[:0], e.gatherRaw(c))
		return e.finish(m, format.Plain, levels, e.values)
	case kindFloat:
		return e.finish(m, format.Plain, levels, e.gatherRaw(c))
	case kindText:
		index, dict := e.gatherTexts(c)
		return e.texts(m, levels, index, dict)
	case kindLabel:
		return e.labels(m, levels, e.gatherInts(c), decl.Labels)
	}
	return e.numbers(m, levels, e.gatherInts(c))
}

// identity encodes the collection's id, the same for every row.
func (e *encoder) identity(id string) (format.ColumnMetaData, error) {
	e.index = appendConst(e.index[:0], 0, int32(e.rows))
	return e.texts(e.begin(idColumn, kindText), nil, e.index, []string{id})
}

func (e *encoder) begin(name string, k kind) format.ColumnMetaData {
	e.out = e.out[:0]
	return format.ColumnMetaData{
		Type: k.physical(), PathInSchema: []string{name}, Codec: format.Zstd, NumValues: int64(e.rows),
	}
}

// levels of a page whose values are all there (1) or all NULL (0): one run.
func (e *encoder) levels(level byte) []byte {
	runs := append(binary.AppendUvarint(nil, uint64(e.rows)<<1), level)
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(runs))), runs...)
}

// numbers encodes integers: few distinct ones by a dictionary, else by deltas.
func (e *encoder) numbers(m format.ColumnMetaData, levels []byte, ints []int64) (format.ColumnMetaData, error) {
	var ok bool
	if e.index, ok = e.dict.build(e.index, ints); !ok {
		low, high := bounds(ints)
		m.Statistics.MinValue, m.Statistics.MaxValue = plainInt(low), plainInt(high)
		values, err := e.deltas.EncodeInt64(e.values, ints)
		if err != nil {
			return m, err
		}
		e.values = values
		return e.finish(m, format.DeltaBinaryPacked, levels, values)
	}
	low, high := bounds(e.dict.values)
	m.Statistics.MinValue, m.Statistics.MaxValue = plainInt(low), plainInt(high)
	e.page = e.page[:0]
	for _, v := range e.dict.values {
		e.page = binary.LittleEndian.AppendUint64(e.page, uint64(v))
	}
	return e.indexed(m, levels, e.index, len(e.dict.values))
}

func plainInt(v int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(v)) }

// labels encodes numbers as the texts they stand for.
func (e *encoder) labels(m format.ColumnMetaData, levels []byte, ints []int64, labels stream.Labels) (format.ColumnMetaData, error) {
	e.dict.reset()
	e.index = e.index[:0]
	before, n := ints[0], e.dict.number(ints[0])
	for _, v := range ints {
		if v != before {
			n, before = e.dict.number(v), v
		}
		e.index = append(e.index, n)
	}
	dict := make([]string, len(e.dict.values))
	for i, v := range e.dict.values {
		dict[i] = labels.Text(v)
	}
	return e.texts(m, levels, e.index, dict)
}

// longBound is the length in bytes up to which a text is worth being a bound
// in the footer.
const longBound = 64

func (e *encoder) texts(m format.ColumnMetaData, levels []byte, index []int32, dict []string) (format.ColumnMetaData, error) {
	e.page = e.page[:0]
	low, high := dict[0], dict[0]
	for _, s := range dict {
		e.page = binary.LittleEndian.AppendUint32(e.page, uint32(len(s)))
		e.page = append(e.page, s...)
		low, high = min(low, s), max(high, s)
	}
	if len(low) <= longBound && len(high) <= longBound {
		m.Statistics.MinValue, m.Statistics.MaxValue = []byte(low), []byte(high)
	}
	return e.indexed(m, levels, index, len(dict))
}

// indexed writes the dictionary, which e.page holds, and a page of indexes.
func (e *encoder) indexed(m format.ColumnMetaData, levels []byte, index []int32, distinct int) (format.ColumnMetaData, error) {
	head := format.PageHeader{Type: format.DictionaryPage}
	head.DictionaryPageHeader.Set(format.DictionaryPageHeader{NumValues: int32(distinct), Encoding: format.Plain})
	if err := e.write(&m, head, e.page); err != nil {
		return m, err
	}
	m.DictionaryPageOffset = 1 // of the chunk's pages, the first; located makes it an offset
	m.Encoding = append(m.Encoding, format.Plain)
	if distinct == 1 { // one run of index 0, of one bit: readers differ about none
		e.values = append(e.values[:0], 1)
		e.values = append(binary.AppendUvarint(e.values, uint64(len(index))<<1), 0)
	} else {
		values, err := e.indexes.EncodeInt32(e.values, index)
		if err != nil {
			return m, err
		}
		e.values = values
	}
	return e.finish(m, format.RLEDictionary, levels, e.values)
}

// finish writes the chunk's only data page.
func (e *encoder) finish(m format.ColumnMetaData, enc format.Encoding, levels, values []byte) (format.ColumnMetaData, error) {
	m.DataPageOffset = int64(len(e.out))
	head := format.PageHeader{Type: format.DataPage}
	head.DataPageHeader.Set(format.DataPageHeader{
		NumValues: int32(e.rows), Encoding: enc,
		DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
	})
	m.Encoding = append(m.Encoding, enc, format.RLE)
	e.page = append(append(e.page[:0], levels...), values...)
	err := e.write(&m, head, e.page)
	return m, err
}

// write compresses a page and appends it to e.out.
func (e *encoder) write(m *format.ColumnMetaData, head format.PageHeader, page []byte) error {
	e.packed = e.zstd.EncodeAll(page, e.packed[:0])
	head.UncompressedPageSize = int32(len(page))
	head.CompressedPageSize = int32(len(e.packed))
	head.CRC = int32(crc32.ChecksumIEEE(e.packed))
	h, err := thrift.Marshal(new(thrift.CompactProtocol), &head)
	if err != nil {
		return fmt.Errorf("encode page header: %w", err)
	}
	e.out = append(append(e.out, h...), e.packed...)
	m.TotalUncompressedSize += int64(len(h) + len(page))
	m.TotalCompressedSize += int64(len(h) + len(e.packed))
	return nil
}
