// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// magic opens and closes every Parquet file.
const magic = "PAR1"

// maxFooter bounds, in bytes, what is read of a footer: that of a recording of
// days is a tenth of it.
const maxFooter = 1 << 30

// readFooter reads the metadata at the end of a Parquet file.
func readFooter(name string) (*format.FileMetaData, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read footer: %w", err)
	}
	defer func() { _ = f.Close() }()
	raw, err := footerBytes(f)
	if err != nil {
		return nil, fmt.Errorf("read footer of %s: %w", name, err)
	}
	meta := new(format.FileMetaData)
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), raw, meta); err != nil {
		return nil, fmt.Errorf("read footer of %s: %w", name, err)
	}
	return meta, nil
}

func footerBytes(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var tail [8]byte
	if info.Size() < int64(len(magic)+len(tail)) {
		return nil, errors.New("not a Parquet file: too short")
	}
	if _, err := f.ReadAt(tail[:], info.Size()-8); err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if string(tail[4:]) != magic || n > maxFooter || n > info.Size()-12 {
		return nil, errors.New("not a Parquet file: no footer")
	}
	raw := make([]byte, n)
	_, err = f.ReadAt(raw, info.Size()-8-n)
	return raw, err
}
