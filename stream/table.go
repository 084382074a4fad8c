// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"fmt"
	"slices"
	"strconv"
)

// Version of the format that this package writes, and the highest it reads.
const Version = 1

const magic = "kermit"

// MaxFrame bounds, in bytes, the payload of one frame (16 MiB).
const MaxFrame = 16 << 20

// maxTables bounds what a reader keeps for the length of a stream.
const maxTables = 1024

var errTables = fmt.Errorf("more than %d tables", maxTables)

// Kind of a frame.
type Kind uint8

// The kinds of frames, by their number on the wire.
const (
	KindHeader Kind = 0
	KindTable  Kind = 1
	KindBatch  Kind = 2
	KindEnd    Kind = 9
)

// Type of a column, by its name on the wire.
type Type string

// The types of columns.
const (
	Bool Type = "bool"
	I8   Type = "i8"
	I16  Type = "i16"
	I32  Type = "i32"
	I64  Type = "i64"
	U8   Type = "u8"
	U16  Type = "u16"
	U32  Type = "u32"
	U64  Type = "u64"
	F64  Type = "f64"
	Str  Type = "str"
)

// Width of one value on the wire in bytes: of the index for Str, 0 for a type
// that this version does not know.
func (t Type) Width() int {
	switch t {
	case Bool, I8, U8:
		return 1
	case I16, U16:
		return 2
	case I32, U32, Str:
		return 4
	case I64, U64, F64:
		return 8
	}
	return 0
}

// Header opens a stream. The package comment gives the meaning of its fields.
// As JSON it has the same names, and no secret.
type Header struct {
	Magic      string   `msgpack:"magic" json:"magic"`
	Version    int      `msgpack:"version" json:"version"`
	Host       string   `msgpack:"host" json:"host"`
	BootID     string   `msgpack:"boot_id" json:"boot_id"`
	Kernel     string   `msgpack:"kernel" json:"kernel"`
	Arch       string   `msgpack:"arch" json:"arch"`
	CPUs       int      `msgpack:"cpus" json:"cpus"`
	PageSize   int      `msgpack:"page_size" json:"page_size"`
	Clock      string   `msgpack:"clock" json:"clock"`
	BootUnixNS int64    `msgpack:"boot_unix_ns" json:"boot_unix_ns"`
	Hooks      []string `msgpack:"hooks" json:"hooks"`
	Tables     []string `msgpack:"tables" json:"tables"`
	Stop       Stop     `msgpack:"stop" json:"-"`
	Tool       string   `msgpack:"tool" json:"tool"`
}

// Labels give the text that a number of a column stands for.
type Labels map[int64]string

// Text of n: its label, or its digits.
func (l Labels) Text(n int64) string {
	if s, ok := l[n]; ok {
		return s
	}
	return strconv.FormatInt(n, 10)
}

// Column of a table.
type Column struct {
	Name   string `msgpack:"name"`
	Type   Type   `msgpack:"type"`
	Doc    string `msgpack:"doc"`
	Labels Labels `msgpack:"-"`
	// Pairs carries Labels on the wire, in ascending order of the number.
	Pairs []labelPair `msgpack:"labels,omitempty"`
}

type labelPair struct {
	//lint:ignore U1000 its tag is read by msgpack
	_msgpack struct{} `msgpack:",as_array"`
	Number   int64
	Text     string
}

// IsText tells whether a reader shows the column as text.
func (c Column) IsText() bool { return c.Type == Str || len(c.Labels) > 0 }

// Table is what a table frame declares.
type Table struct {
	Name         string            `msgpack:"-"`
	Doc          string            `msgpack:"doc"`
	Columns      []Column          `msgpack:"columns"`
	Source       string            `msgpack:"source"`
	Unobservable []string          `msgpack:"unobservable"`
	Attrs        map[string]string `msgpack:"attrs,omitempty"`
}

// Sees tells whether the table's source can see the column.
func (t *Table) Sees(column string) bool { return !slices.Contains(t.Unobservable, column) }

// check refuses a table that a reader could not use.
func (t *Table) check() error {
	if t.Name == "" {
		return fmt.Errorf("table without a name")
	}
	if len(t.Columns) == 0 {
		return fmt.Errorf("table %s: no columns", t.Name)
	}
	seen := make(map[string]bool, len(t.Columns))
	for _, c := range t.Columns {
		if c.Name == "" || seen[c.Name] {
			return fmt.Errorf("table %s: column name %q is empty or used twice", t.Name, c.Name)
		}
		seen[c.Name] = true
		if c.Type.Width() == 0 {
			return fmt.Errorf("table %s: column %s: unknown type %q", t.Name, c.Name, c.Type)
		}
		if len(c.Labels) > 0 && (c.Type == Str || c.Type == F64) {
			return fmt.Errorf("table %s: column %s: a %s cannot have labels", t.Name, c.Name, c.Type)
		}
	}
	return nil
}

// SameShape tells whether two declarations agree in names and types of columns.
func (t *Table) SameShape(o *Table) bool {
	return slices.EqualFunc(t.Columns, o.Columns, func(a, b Column) bool {
		return a.Name == b.Name && a.Type == b.Type && a.IsText() == b.IsText()
	})
}

// Vector is one column of a batch.
type Vector struct {
	Null  bool     // nobody can see the column: every row is NULL
	Data  []byte   // little-endian values; for Str, u32 indexes into Dict
	Dict  []string // distinct texts of a Str column
	Label Labels   // the column's labels, for Text
	Type  Type
}

// Batch is a number of rows of one table.
type Batch struct {
	Table   *Table
	Seq     uint64
	Rows    int
	Columns []Vector
}
