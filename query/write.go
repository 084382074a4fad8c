// SPDX-License-Identifier: Apache-2.0

package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Query is SQL whose views are made and that is ready to be asked.
type Query struct {
	text   string
	hideID bool // its collection_id says nothing: there is one collection
	bare   bool // not a SELECT: it cannot be part of another query
	plan   bool // an EXPLAIN: its answer is text already laid out
}

// Format of an answer.
type Format string

// The formats. Table is for people: units readable, NULL as "-"; Markdown is
// the same for documents. The others have the exact values; JSON is one array
// of objects.
const (
	Table    Format = "table"
	CSV      Format = "csv"
	JSON     Format = "json"
	Markdown Format = "md"
	Parquet  Format = "parquet"
)

// Formats lists them all.
var Formats = []Format{Table, CSV, JSON, Markdown, Parquet}

// copyOptions are how DuckDB's COPY calls the formats for programs.
var copyOptions = map[Format]string{
	CSV:     "FORMAT csv, HEADER true",
	JSON:    "FORMAT json, ARRAY true",
	Parquet: "FORMAT parquet, COMPRESSION zstd",
}

// Output is where an answer goes.
type Output struct {
	Format Format
	Limit  int // rows at most; 0: all
	Width  int // columns of the terminal, to which wide text is cut; 0: nothing is cut
	To     io.Writer
}

// Write asks q and writes the answer. more tells that the limit left rows out.
func (d *DB) Write(ctx context.Context, q Query, o Output) (more bool, err error) {
	if q.plan && o.Format == Table {
		return false, d.writePlan(ctx, q, o.To)
	}
	options, isCopy := copyOptions[o.Format]
	if !isCopy {
		return d.render(ctx, q, o)
	}
	if q.bare {
		return false, fmt.Errorf("write %s: only the rows of a SELECT can be", o.Format)
	}
	return false, d.copy(ctx, q.limited(o.Limit), options, o.To)
}

// limited is the query's text with at most n rows, 0 for all.
func (q Query) limited(n int) string {
	if q.bare {
		return q.text
	}
	columns := "*"
	if q.hideID {
		columns = "COLUMNS(c -> c != 'collection_id')"
	}
	text := fmt.Sprintf("SELECT %s FROM (\n%s\n)", columns, strings.TrimRight(strings.TrimSpace(q.text), ";"))
	if n > 0 {
		text += fmt.Sprintf(" LIMIT %d", n)
	}
	return text
}

// copy lets DuckDB write the rows into a pipe, and takes them from there: a
// reader that leaves early ends the query.
func (d *DB) copy(ctx context.Context, text, options string, to io.Writer) error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(to, r)
		copied <- errors.Join(err, r.Close())
	}()
	err = d.exec(ctx, fmt.Sprintf("COPY (\n%s\n) TO '/proc/self/fd/%d' (%s)", text, w.Fd(), options))
	_ = w.Close() // DuckDB has its own descriptor; this one ends the pipe
	if copyErr := <-copied; copyErr != nil {
		return fmt.Errorf("write answer: %w", copyErr)
	}
	return err
}

// writePlan writes DuckDB's drawing of a plan as it is.
func (d *DB) writePlan(ctx context.Context, q Query, to io.Writer) error {
	var name, plan string
	if err := d.conn.QueryRowContext(ctx, q.text).Scan(&name, &plan); err != nil {
		return err
	}
	_, err := fmt.Fprintln(to, strings.TrimRight(plan, "\n"))
	return err
}
