// SPDX-License-Identifier: Apache-2.0

package query

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// ListTables makes the query that lists every table: its rows and bytes on
// disk, its source, what was lost, and how many collections have it.
func (d *DB) ListTables(ctx context.Context) (Query, error) {
	var values []string
	for _, name := range d.Tables() {
		d.used = append(d.used, name)
		row, err := d.tableRow(ctx, name)
		if err != nil {
			return Query{}, fmt.Errorf("list table %s: %w", name, err)
		}
		values = append(values, row)
	}
	if len(values) == 0 {
		return Query{}, fmt.Errorf("no table in %s that kparquet wrote", d.where())
	}
	return Query{text: "SELECT * FROM (VALUES " + strings.Join(values, ", ") +
		`) AS v("table", "rows", size_bytes, source, lost, missed, collections) ORDER BY "table"`}, nil
}

func (d *DB) tableRow(ctx context.Context, name string) (string, error) {
	var (
		files        []string
		sources      []string
		size         int64
		lost, missed int64
		counted      bool
	)
	list := d.recorded(name)
	for _, r := range list {
		for _, f := range r.files {
			info, err := os.Stat(f)
			if err != nil {
				return "", err
			}
			size += info.Size()
			files = append(files, quoteText(escapeGlob(f)))
		}
		if !slices.Contains(sources, r.Source) {
			sources = append(sources, r.Source)
		}
		if r.Counters != nil {
			counted = true
			lost += r.Counters.Lost()
			missed += r.Counters.Missed
		}
	}
	var rows int64
	count := "SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata([" + strings.Join(files, ", ") + "])"
	if err := d.conn.QueryRowContext(ctx, count).Scan(&rows); err != nil {
		return "", err
	}
	counters := "NULL::BIGINT, NULL::BIGINT" // no probe fills the table
	if counted {
		counters = fmt.Sprintf("%d::BIGINT, %d::BIGINT", lost, missed)
	}
	return fmt.Sprintf("(%s, %d::BIGINT, %d::BIGINT, %s, %s, %d::BIGINT)",
		quoteText(name), rows, size, quoteText(strings.Join(sources, ", ")), counters, len(list)), nil
}

// Describe makes the query that lists a table's columns with their types and
// docs; about is what the recordings say about the table as a whole. A name
// that is no view is a [MissingTableError].
func (d *DB) Describe(ctx context.Context, name string) (q Query, about []string, err error) {
	name = strings.ToLower(name)
	ok, err := d.provideView(ctx, name, "")
	if err != nil {
		return q, nil, fmt.Errorf("describe %s: %w", name, err)
	}
	if !ok {
		return q, nil, &MissingTableError{name, d.where(), d.Tables()}
	}
	docs := map[string]string{}
	unseen := map[string]bool{}
	tell := func(format, text string) {
		if line := fmt.Sprintf(format, text); text != "" && !slices.Contains(about, line) {
			about = append(about, line)
		}
	}
	for _, r := range d.recorded(name) {
		tell("%s", r.Doc)
		tell("source: %s", r.Source)
		for column, doc := range r.Columns {
			docs[column] = doc
		}
		for _, u := range r.Unobservable {
			if _, isColumn := r.Columns[u]; isColumn {
				unseen[u] = true
				continue
			}
			tell("cannot see: %s", u)
		}
	}
	return Query{text: describeSQL(name, docs, unseen)}, about, nil
}

// describeSQL joins DuckDB's own description of a view with the docs.
func describeSQL(name string, docs map[string]string, unseen map[string]bool) string {
	builtin := map[string]string{
		"collection_id": "the collection that the row is from",
		"time":          "wall clock (UTC): boot_unix_ns + ts_ns",
	}
	values := []string{"(NULL, NULL)"}
	add := func(column, doc string) {
		if unseen[column] {
			doc = strings.TrimSpace(doc + " (NULL: the source cannot see it here)")
		}
		values = append(values, fmt.Sprintf("(%s, %s)", quoteText(column), quoteText(doc)))
	}
	for column, doc := range docs {
		add(column, doc)
		delete(builtin, column)
	}
	for column, doc := range builtin {
		add(column, doc)
	}
	return fmt.Sprintf(`SELECT column_name AS "column", column_type AS "type", coalesce(doc, '') AS doc
FROM (SELECT *, row_number() OVER () AS n FROM (DESCRIBE %s))
LEFT JOIN (VALUES %s) AS d("column", doc) ON column_name = d."column"
ORDER BY n`, quoteName(name), strings.Join(values, ", "))
}
