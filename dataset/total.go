// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
)

// Totals sum a collection up.
type Totals struct {
	Rows, Lost int64 // of all tables
	Bytes      int64 // of all files
	// Complete tells whether the stream was seen to its end and every table is in
	// one file.
	Complete bool
}

// Totals reads the footers of a collection, not its rows.
func (c *Collection) Totals() (Totals, error) {
	t := Totals{Complete: len(c.Tables) > 0 && !c.inParts()}
	for name, files := range c.Tables {
		meta, err := c.Meta(name)
		if err != nil {
			return t, err
		}
		t.Complete = t.Complete && meta.Complete
		if meta.Counters != nil {
			t.Lost += meta.Counters.Lost()
		}
		if meta.Header != nil {
			for _, declared := range meta.Header.Tables {
				t.Complete = t.Complete && c.Tables[declared] != nil
			}
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				return t, fmt.Errorf("read size of table %s: %w", name, err)
			}
			footer, err := readFooter(file)
			if err != nil {
				return t, err
			}
			t.Rows += footer.NumRows
			t.Bytes += info.Size()
		}
	}
	return t, nil
}

// Last is a number in the last row of a table.
func (c *Collection) Last(table, column string) (int64, error) {
	files := c.Tables[table]
	if len(files) == 0 {
		return 0, fmt.Errorf("read %s.%s: collection %s has no such table", table, column, c.ID)
	}
	n, err := lastNumber(files[len(files)-1], column)
	if err != nil {
		return 0, fmt.Errorf("read %s.%s of collection %s: %w", table, column, c.ID, err)
	}
	return n, nil
}

func lastNumber(name, column string) (n int64, err error) {
	err = inspect(name, func(_ *os.File, _ int64, p *parquet.File) error {
		n, err = lastOfFile(p, column)
		return err
	})
	return n, err
}

func lastOfFile(p *parquet.File, column string) (int64, error) {
	leaf, ok := p.Schema().Lookup(column)
	groups := p.RowGroups()
	switch {
	case !ok || leaf.Node.Type().Kind() != parquet.Int64:
		return 0, errors.New("no such column of numbers")
	case len(groups) == 0:
		return 0, errors.New("no rows")
	}
	return lastOf(groups[len(groups)-1].ColumnChunks()[leaf.ColumnIndex])
}

// lastOf reads a column to its end.
func lastOf(chunk parquet.ColumnChunk) (int64, error) {
	pages := chunk.Pages()
	defer func() { _ = pages.Close() }()
	var last parquet.Value
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		values := make([]parquet.Value, page.NumValues())
		if _, err := page.Values().ReadValues(values); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		last = values[len(values)-1].Clone()
		parquet.Release(page)
	}
	if last.IsNull() {
		return 0, errors.New("the last row has none")
	}
	return last.Int64(), nil
}
