// SPDX-License-Identifier: Apache-2.0

package stream

import (
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

// columns takes a batch's columns apart.
func (f *Frame) columns(b *Batch) error {
	n, at, ok := takeArray(f.body)
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
		if v.Data, at, ok = takeBytes(at, bin); !ok {
			return errShape
		}
	}
	return nil
}

// texts takes the distinct texts of a column, up to its indexes.
func texts(at []byte, v *Vector) ([]byte, bool) {
	pair, at, ok := takeArray(at)
	if !ok || pair != 2 {
		return nil, false
	}
	n, at, ok := takeArray(at)
	if !ok {
		return nil, false
	}
	v.Dict = make([]string, n)
	for i := range v.Dict {
		var text []byte
		if text, at, ok = takeBytes(at, str); !ok {
			return nil, false
		}
		v.Dict[i] = string(text)
	}
	return at, true
}
