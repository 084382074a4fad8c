// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// ahead is the number of rows that set the widths of a table's columns. A
// wider value in a later row moves its line, and no more is kept in memory.
const ahead = 4096

// narrowest a column is cut to on a terminal.
const narrowest = 10

// render writes an answer for people.
func (d *DB) render(ctx context.Context, q Query, o Output) (more bool, err error) {
	limit := o.Limit
	if limit > 0 {
		limit++ // one more tells that there are more
	}
	rows, err := d.conn.QueryContext(ctx, q.limited(limit))
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	t, err := newTable(rows, o)
	if err != nil {
		return false, err
	}
	for rows.Next() {
		if o.Limit > 0 && t.count == o.Limit {
			more = true
			break
		}
		if err := t.add(rows); err != nil {
			return more, err
		}
	}
	if err := rows.Err(); err != nil {
		return more, err
	}
	return more, t.close()
}

// table lays out rows in columns.
type table struct {
	out      *bufio.Writer
	markdown bool
	width    int
	names    []string
	styles   []style
	values   []any // of the row that is read
	scan     []any // pointers to them
	waiting  [][]string
	widths   []int // nil until they are set
	count    int
}

func newTable(rows *sql.Rows, o Output) (*table, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, fmt.Errorf("read columns: %w", err)
	}
	t := &table{out: bufio.NewWriter(o.To), markdown: o.Format == Markdown, width: o.Width, values: make([]any, len(types))}
	for i, c := range types {
		s := styleOf(c.Name(), c.DatabaseTypeName())
		t.styles = append(t.styles, s)
		t.names = append(t.names, printable(strings.TrimSuffix(c.Name(), s.unit)))
		t.scan = append(t.scan, &t.values[i])
	}
	return t, nil
}

func (t *table) add(rows *sql.Rows) error {
	if err := rows.Scan(t.scan...); err != nil {
		return fmt.Errorf("read row: %w", err)
	}
	t.count++
	cells := make([]string, len(t.values))
	for i, v := range t.values {
		cells[i] = t.styles[i].text(v)
		if t.markdown {
			cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
		}
	}
	if t.widths != nil {
		return t.line(cells)
	}
	if t.waiting = append(t.waiting, cells); len(t.waiting) == ahead {
		return t.begin()
	}
	return nil
}

// begin sets the widths and writes what waited for them.
func (t *table) begin() error {
	t.widths = make([]int, len(t.names))
	for i, n := range t.names {
		t.widths[i] = utf8.RuneCountInString(n)
		for _, row := range t.waiting {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	if t.width > 0 && !t.markdown {
		t.fit()
	}
	if err := t.line(t.names); err != nil {
		return err
	}
	if t.markdown {
		if err := t.rule(); err != nil {
			return err
		}
	}
	for _, row := range t.waiting {
		if err := t.line(row); err != nil {
			return err
		}
	}
	t.waiting = nil
	return nil
}

// fit narrows the widest columns of text until the line fits the terminal.
func (t *table) fit() {
	for {
		sum, widest := -2, -1
		for i, w := range t.widths {
			sum += w + 2
			if t.styles[i].cut && w > narrowest && (widest < 0 || w > t.widths[widest]) {
				widest = i
			}
		}
		if sum <= t.width || widest < 0 {
			return
		}
		t.widths[widest] = max(narrowest, min(t.widths[widest]-1, t.widths[widest]-(sum-t.width)/len(t.widths)))
	}
}

func (t *table) line(cells []string) error {
	var b strings.Builder
	for i, c := range cells {
		n := utf8.RuneCountInString(c)
		if t.width > 0 && n > t.widths[i] && !t.markdown && t.styles[i].cut {
			c, n = string([]rune(c)[:t.widths[i]-1])+"…", t.widths[i]
		}
		pad := strings.Repeat(" ", max(0, t.widths[i]-n))
		if t.styles[i].right {
			c = pad + c
		} else {
			c += pad
		}
		switch {
		case t.markdown:
			b.WriteString("| " + c + " ")
		case i > 0:
			b.WriteString("  " + c)
		default:
			b.WriteString(c)
		}
	}
	text := strings.TrimRight(b.String(), " ")
	if t.markdown {
		text = b.String() + "|"
	}
	_, err := io.WriteString(t.out, text+"\n")
	return err
}

// rule is Markdown's line below the names, which aligns numbers to the right.
func (t *table) rule() error {
	for i, w := range t.widths {
		dashes := strings.Repeat("-", max(w, 3))
		if t.styles[i].right {
			dashes = dashes[1:] + ":"
		}
		if _, err := t.out.WriteString("| " + dashes + " "); err != nil {
			return err
		}
	}
	_, err := t.out.WriteString("|\n")
	return err
}

func (t *table) close() error {
	if t.widths == nil {
		if err := t.begin(); err != nil {
			return err
		}
	}
	return t.out.Flush()
}
