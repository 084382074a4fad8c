// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"fmt"
	"math"
	"reflect"
)

// Rows builds batches of a table whose rows are made in Go: markers, samples,
// statistics. The table's shape is that of the struct R: each field has a tag
// `col:"name"` and a tag `doc:"…"`; bool, int32, int64, uint32, uint64, float64
// and string are understood.
type Rows[R any] struct {
	table *Table
	batch *Batch
	index []map[string]uint32
}

// NewRows returns an empty table of the shape of R.
func NewRows[R any](name, doc, source string) *Rows[R] {
	t := &Table{Name: name, Doc: doc, Source: source}
	row := reflect.TypeFor[R]()
	for i := range row.NumField() {
		f := row.Field(i)
		t.Columns = append(t.Columns, Column{Name: f.Tag.Get("col"), Type: typeOf(f.Type), Doc: f.Tag.Get("doc")})
	}
	r := &Rows[R]{table: t}
	r.reset()
	return r
}

func typeOf(t reflect.Type) Type {
	switch t.Kind() {
	case reflect.Bool:
		return Bool
	case reflect.Int32:
		return I32
	case reflect.Int64:
		return I64
	case reflect.Uint32:
		return U32
	case reflect.Uint64:
		return U64
	case reflect.Float64:
		return F64
	case reflect.String:
		return Str
	}
	panic(fmt.Sprintf("stream: a column cannot be a %s", t))
}

// Table of the rows. The caller may fill in what a struct cannot say.
func (r *Rows[R]) Table() *Table { return r.table }

// Len is the number of rows since the last Batch.
func (r *Rows[R]) Len() int { return r.batch.Rows }

// Append adds a row. Text that is not UTF-8 is escaped.
func (r *Rows[R]) Append(row R) {
	value := reflect.ValueOf(row)
	for i := range r.batch.Columns {
		v, f := &r.batch.Columns[i], value.Field(i)
		switch f.Kind() {
		case reflect.Bool:
			b := byte(0)
			if f.Bool() {
				b = 1
			}
			v.Data = append(v.Data, b)
		case reflect.Int32:
			v.Data = le.AppendUint32(v.Data, uint32(f.Int()))
		case reflect.Uint32:
			v.Data = le.AppendUint32(v.Data, uint32(f.Uint()))
		case reflect.Int64:
			v.Data = le.AppendUint64(v.Data, uint64(f.Int()))
		case reflect.Uint64:
			v.Data = le.AppendUint64(v.Data, f.Uint())
		case reflect.Float64:
			v.Data = le.AppendUint64(v.Data, math.Float64bits(f.Float()))
		case reflect.String:
			v.Data = le.AppendUint32(v.Data, r.text(i, Text(f.String())))
		}
	}
	r.batch.Rows++
}

// text returns the index of s among the distinct texts of column i.
func (r *Rows[R]) text(i int, s string) uint32 {
	n, ok := r.index[i][s]
	if !ok {
		v := &r.batch.Columns[i]
		n = uint32(len(v.Dict))
		v.Dict = append(v.Dict, s)
		r.index[i][s] = n
	}
	return n
}

// Batch returns the rows since the last call.
func (r *Rows[R]) Batch() *Batch {
	b := r.batch
	r.reset()
	return b
}

func (r *Rows[R]) reset() {
	n := len(r.table.Columns)
	r.batch = &Batch{Table: r.table, Columns: make([]Vector, n)}
	r.index = make([]map[string]uint32, n)
	for i := range r.index {
		r.batch.Columns[i].Type = r.table.Columns[i].Type
		r.index[i] = map[string]uint32{}
	}
}
