// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"encoding/binary"
	"fmt"
	"math"
)

var le = binary.LittleEndian

// Int is row i of a column of integers or bools. A u64 beyond int64 wraps.
func (v *Vector) Int(i int) int64 {
	switch v.Type {
	case Bool, U8:
		return int64(v.Data[i])
	case I8:
		return int64(int8(v.Data[i]))
	case I16:
		return int64(int16(le.Uint16(v.Data[2*i:])))
	case U16:
		return int64(le.Uint16(v.Data[2*i:]))
	case I32:
		return int64(int32(le.Uint32(v.Data[4*i:])))
	case U32, Str:
		return int64(le.Uint32(v.Data[4*i:]))
	}
	return int64(le.Uint64(v.Data[8*i:]))
}

// Float is row i of a column of type F64.
func (v *Vector) Float(i int) float64 { return math.Float64frombits(le.Uint64(v.Data[8*i:])) }

// Text is row i of a column that is text: of type Str, or with labels.
func (v *Vector) Text(i int) string {
	if v.Type == Str {
		return v.Dict[le.Uint32(v.Data[4*i:])]
	}
	return v.Label.Text(v.Int(i))
}

// Value is row i as a reader shows it: nil, bool, int64, float64 or string.
func (v *Vector) Value(i int) any {
	switch {
	case v.Null:
		return nil
	case v.Type == Str || len(v.Label) > 0:
		return v.Text(i)
	case v.Type == Bool:
		return v.Data[i] != 0
	case v.Type == F64:
		return v.Float(i)
	}
	return v.Int(i)
}

// check refuses a vector that does not hold rows values. (That text is UTF-8
// is checked on the wire, by a scanner.)
func (v *Vector) check(rows int) error {
	if v.Null {
		return nil
	}
	if len(v.Data) != rows*v.Type.Width() {
		return fmt.Errorf("%d bytes for %d values of type %s", len(v.Data), rows, v.Type)
	}
	switch v.Type {
	case Bool:
		for i, b := range v.Data {
			if b > 1 {
				return fmt.Errorf("row %d: bool is %d", i, b)
			}
		}
	case Str:
		for i := range rows {
			if n := le.Uint32(v.Data[4*i:]); n >= uint32(len(v.Dict)) {
				return fmt.Errorf("row %d: index %d of %d texts", i, n, len(v.Dict))
			}
		}
	}
	return nil
}
