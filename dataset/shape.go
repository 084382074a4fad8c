// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"strings"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/kermit-trace/kermit/stream"
)

// idColumn is appended to every table.
const idColumn = "collection_id"

// kind of a column, by how Parquet holds it.
type kind int

const (
	kindInt   kind = iota // INT64
	kindBool              // BOOLEAN
	kindFloat             // DOUBLE
	kindText              // STRING, from texts
	kindLabel             // STRING, from numbers with labels
)

func kindOf(c stream.Column) kind {
	switch {
	case c.Type == stream.Str:
		return kindText
	case len(c.Labels) > 0:
		return kindLabel
	case c.Type == stream.Bool:
		return kindBool
	case c.Type == stream.F64:
		return kindFloat
	}
	return kindInt
}

func (k kind) physical() format.Type {
	return [...]format.Type{format.Int64, format.Boolean, format.Double, format.ByteArray, format.ByteArray}[k]
}

// schema of a table's files: the root and a leaf for each column, in declared
// order. Every column of the stream may be NULL in some batch, so all are
// optional: where none is NULL that costs three bytes a page. The collection's
// id never is.
func schema(t *stream.Table) []format.SchemaElement {
	root := format.SchemaElement{Name: "kermit"}
	root.NumChildren.Set(int32(len(t.Columns) + 1))
	elements := []format.SchemaElement{root}
	for _, c := range t.Columns {
		elements = append(elements, leaf(c.Name, kindOf(c), format.Optional))
	}
	return append(elements, leaf(idColumn, kindText, format.Required))
}

func leaf(name string, k kind, repetition format.FieldRepetitionType) format.SchemaElement {
	e := format.SchemaElement{Name: name, Type: thrift.New(k.physical()), RepetitionType: thrift.New(repetition)}
	if e.Type.V == format.ByteArray {
		e.ConvertedType = thrift.New(deprecated.UTF8)
		e.LogicalType = format.LogicalType{Value: new(format.StringType)}
	}
	return e
}

// checkTable refuses a table that has no place in a dataset.
func checkTable(t *stream.Table) error {
	if err := CheckName(t.Name); err != nil {
		return fmt.Errorf("table %q: its name %w", t.Name, err)
	}
	for _, c := range t.Columns {
		if c.Name == idColumn {
			return fmt.Errorf("table %s: column %s is the dataset's own", t.Name, idColumn)
		}
	}
	return nil
}

// CheckName refuses a name that cannot be that of one folder or file: the
// error completes a sentence about it.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("is empty")
	case len(name) > 128:
		return fmt.Errorf("is longer than 128 bytes")
	case name[0] == '.':
		return fmt.Errorf("starts with a dot")
	case strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r < ' ' || r == 0x7f }):
		return fmt.Errorf("has a slash or a control character")
	}
	return nil
}
