// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// verifyPages checks the checksum of each page of a column chunk, and what the
// page headers say against what the footer says: readers trust either.
func verifyPages(f io.ReaderAt, size int64, m *format.ColumnMetaData) error {
	begin := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		begin = m.DictionaryPageOffset
	}
	if begin < int64(len(magic)) || m.TotalCompressedSize < 0 || m.TotalCompressedSize > size-begin {
		return fmt.Errorf("%d bytes at %d are not in the file", m.TotalCompressedSize, begin)
	}
	chunk := make([]byte, m.TotalCompressedSize)
	if _, err := f.ReadAt(chunk, begin); err != nil {
		return err
	}
	var unpacked int64
	for n := 0; len(chunk) > 0; n++ {
		rest, header, err := verifyPage(chunk)
		if err != nil {
			return fmt.Errorf("page %d: %w", n, err)
		}
		packed := int64(len(chunk)-len(rest)) - int64(header.CompressedPageSize)
		unpacked += packed + int64(header.UncompressedPageSize)
		chunk = rest
	}
	if unpacked != m.TotalUncompressedSize {
		return fmt.Errorf("pages have %d bytes unpacked, the footer says %d", unpacked, m.TotalUncompressedSize)
	}
	return nil
}

// verifyPage checks the page at the start of a chunk and returns what follows.
func verifyPage(chunk []byte) (rest []byte, h *format.PageHeader, err error) {
	r := new(thrift.CompactProtocol).NewReaderFromBytes(chunk)
	h = new(format.PageHeader)
	if err := thrift.NewDecoder(r).Decode(h); err != nil {
		return nil, nil, err
	}
	rest = chunk[r.BytesRead():]
	if h.CompressedPageSize < 0 || int(h.CompressedPageSize) > len(rest) {
		return nil, nil, errors.New("ends beyond its column")
	}
	if crc32.ChecksumIEEE(rest[:h.CompressedPageSize]) != uint32(h.CRC) {
		return nil, nil, errors.New("checksum does not match")
	}
	if d, ok := h.DataPageHeader.Get(); ok && (d.DefinitionLevelEncoding != format.RLE || d.RepetitionLevelEncoding != format.RLE) {
		return nil, nil, errors.New("levels are not run lengths")
	}
	return rest[h.CompressedPageSize:], h, nil
}
