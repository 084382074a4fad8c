// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// Check is what [Collection.Verify] found out about a table.
type Check struct {
	Table    string // "": about the collection as a whole
	Rows     int64
	Counters *Counters // nil for a table that no probe fills
	Wrong    []string  // empty: all is well
}

// Verify reads every file of the collection back: checksums, values, schema and
// order of columns, the collection's id, and the identity of the counters. It
// names the tables that are missing and whether the stream was cut.
func (c *Collection) Verify() []Check {
	var checks []Check
	declared := map[string]bool{}
	whole := Check{}
	complete, parts := true, false
	for _, name := range slices.Sorted(maps.Keys(c.Tables)) {
		k := Check{Table: name}
		meta, err := c.Meta(name)
		if err != nil {
			k.Wrong = append(k.Wrong, err.Error())
			checks = append(checks, k)
			continue
		}
		complete = complete && meta.Complete
		parts = parts || partOf(c.Tables[name][0]) != endPart
		if meta.Header != nil {
			for _, t := range meta.Header.Tables {
				declared[t] = true
			}
		}
		c.verifyTable(&k, meta)
		checks = append(checks, k)
	}
	for _, t := range slices.Sorted(maps.Keys(declared)) {
		if c.Tables[t] == nil {
			checks = append(checks, Check{Table: t, Wrong: []string{"has no file"}})
		}
	}
	if !complete {
		whole.Wrong = append(whole.Wrong, "the stream was cut: its end is missing")
	}
	if parts {
		whole.Wrong = append(whole.Wrong, "is in parts: being written, or to be finished by recover")
	}
	if len(whole.Wrong) > 0 {
		checks = append(checks, whole)
	}
	return checks
}

func (c *Collection) verifyTable(k *Check, meta *Meta) {
	k.Counters = meta.Counters
	for _, name := range c.Tables[k.Table] {
		rows, err := c.verifyFile(name, meta)
		if err != nil {
			k.Wrong = append(k.Wrong, fmt.Sprintf("%s: %v", name, err))
		}
		k.Rows += rows
	}
	k.Wrong = append(k.Wrong, meta.Counters.Account(k.Rows)...)
}

// inspect opens a file that may be damaged.
func inspect(name string, look func(f *os.File, size int64, p *parquet.File) error) (err error) {
	defer func() { // parquet-go indexes by what a damaged footer says
		if r := recover(); r != nil {
			err = fmt.Errorf("damaged: %v", r)
		}
	}()
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	p, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	return look(f, info.Size(), p)
}

// verifyFile checks a file's pages, and reads it with parquet-go.
func (c *Collection) verifyFile(name string, meta *Meta) (rows int64, err error) {
	err = inspect(name, func(f *os.File, size int64, p *parquet.File) error {
		rows, err = c.verifyRows(f, size, p, meta)
		return err
	})
	return rows, err
}

func (c *Collection) verifyRows(f *os.File, size int64, p *parquet.File, meta *Meta) (rows int64, err error) {
	if err := verifySchema(p.Schema(), meta); err != nil {
		return 0, err
	}
	for n, g := range p.RowGroups() {
		for i, chunk := range g.ColumnChunks() {
			last := i == len(meta.Order)
			err := verifyPages(f, size, &p.Metadata().RowGroups[n].Columns[i].MetaData)
			if err == nil {
				err = c.verifyChunk(chunk, g.NumRows(), last)
			}
			if err != nil {
				return rows, fmt.Errorf("row group at row %d: column %d: %w", rows, i, err)
			}
		}
		rows += g.NumRows()
	}
	if rows != p.NumRows() {
		return rows, fmt.Errorf("footer says %d rows, row groups have %d", p.NumRows(), rows)
	}
	return rows, nil
}

// verifySchema wants the stream's columns in their order, the collection's id
// last, and no type but the four.
func verifySchema(schema *parquet.Schema, meta *Meta) error {
	var names []string
	for _, f := range schema.Fields() {
		names = append(names, f.Name())
		if !f.Leaf() || f.Repeated() {
			return fmt.Errorf("column %s is not a plain one", f.Name())
		}
		switch k := f.Type().Kind(); {
		case k == parquet.Int64 || k == parquet.Boolean || k == parquet.Double:
		case k == parquet.ByteArray && f.Type().LogicalType() != nil && f.Type().LogicalType().Value != nil &&
			f.Type().LogicalType().Value.String() == "STRING":
		default:
			return fmt.Errorf("column %s is of type %s", f.Name(), f.Type())
		}
	}
	if want := append(slices.Clone(meta.Order), idColumn); !slices.Equal(names, want) {
		return fmt.Errorf("columns are %v, not %v", names, want)
	}
	return nil
}

// verifyChunk reads all pages of a column.
func (c *Collection) verifyChunk(chunk parquet.ColumnChunk, rows int64, isID bool) error {
	pages := chunk.Pages()
	defer func() { _ = pages.Close() }()
	var n int64
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		n += page.NumValues()
		if isID {
			err = c.verifyID(page)
		}
		parquet.Release(page)
		if err != nil {
			return err
		}
	}
	if n != rows {
		return fmt.Errorf("%d values for %d rows", n, rows)
	}
	return nil
}

func (c *Collection) verifyID(page parquet.Page) error {
	d := page.Dictionary()
	if d == nil || d.Len() != 1 || string(d.Index(0).ByteArray()) != c.ID {
		return fmt.Errorf("rows are not of collection %s", c.ID)
	}
	return nil
}
