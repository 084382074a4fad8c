// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Batch decodes the columns of a batch frame. They share memory with the
// frame. An error is an [*Error].
func (f *Frame) Batch() (*Batch, error) {
	b := &Batch{Table: f.Table, Seq: f.Seq, Rows: f.Rows, Columns: make([]Vector, len(f.Table.Columns))}
	err := f.columns(b)
	if err == nil {
		err = b.check()
	}
	if err != nil {
		return nil, &Error{Offset: f.offset, Err: fmt.Errorf("batch of %s: %w", f.Table.Name, err)}
	}
	return b, nil
}

var errShape = errors.New("a column is neither bin, nor [[text …], bin], nor nil")

// columns takes a batch's columns apart. The frame's structure was checked by
// scan, so lengths stay inside it.
func (f *Frame) columns(b *Batch) error {
	at := f.body
	n, at, ok := array(at)
	if !ok || n != len(b.Columns) {
		return fmt.Errorf("%d columns, the table has %d", n, len(b.Columns))
	}
	for i := range b.Columns {
		v := &b.Columns[i]
		v.Type = b.Table.Columns[i].Type
		if len(at) > 0 && at[0] == 0xc0 {
			v.Null, at = true, at[1:]
			continue
		}
		if v.Type == Str {
			if at, ok = texts(at, v); !ok {
				return errShape
			}
		}
		if v.Data, at, ok = bin(at); !ok {
			return errShape
		}
	}
	return nil
}

// texts takes the distinct texts of a column, up to its indexes.
func texts(at []byte, v *Vector) ([]byte, bool) {
	pair, at, ok := array(at)
	if !ok || pair != 2 {
		return nil, false
	}
	n, at, ok := array(at)
	if !ok || n > len(at) {
		return nil, false
	}
	v.Dict = make([]string, n)
	for i := range v.Dict {
		if len(at) == 0 {
			return nil, false
		}
		c := at[0]
		if c&0xe0 != 0xa0 && (c < 0xd9 || c > 0xdb) {
			return nil, false
		}
		head, body, _, err := token(at)
		if err != nil {
			return nil, false
		}
		v.Dict[i], at = string(at[head:head+body]), at[head+body:]
	}
	return at, true
}

// array takes the head of an array.
func array(b []byte) (n int, rest []byte, ok bool) {
	switch {
	case len(b) == 0:
		return 0, nil, false
	case b[0]&0xf0 == 0x90:
		return int(b[0] & 0x0f), b[1:], true
	case b[0] == 0xdc && len(b) >= 3:
		return int(binary.BigEndian.Uint16(b[1:])), b[3:], true
	case b[0] == 0xdd && len(b) >= 5:
		return int(binary.BigEndian.Uint32(b[1:])), b[5:], true
	}
	return 0, nil, false
}

// bin takes a bin.
func bin(b []byte) (data, rest []byte, ok bool) {
	if len(b) == 0 || b[0] < 0xc4 || b[0] > 0xc6 {
		return nil, nil, false
	}
	head, body, _, err := token(b)
	if err != nil || head+body > len(b) {
		return nil, nil, false
	}
	return b[head : head+body], b[head+body:], true
}
