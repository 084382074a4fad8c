// SPDX-License-Identifier: Apache-2.0

package query

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// derived holds the views that are put together from tables.
//
//go:embed views/*.sql
var derived embed.FS

// collectionView is the view that lists the collections.
const collectionView = "collection"

// optionalTable is the comment line that declares one; see the package comment.
var optionalTable = regexp.MustCompile(`(?m)^-- optional: (\w+) \((.*)\)$`)

// provide makes every view whose name is a word of text, and those that these
// name in turn. (A word may be a column's or a CTE's name as well: a view that
// nobody asks costs nothing. DuckDB's own list of a query's tables is empty
// for a JOIN with USING.) It returns how many there are.
func (d *DB) provide(ctx context.Context, text string) (n int, err error) {
	for _, name := range words(text) {
		ok, err := d.provideView(ctx, name, text)
		if err != nil {
			return n, fmt.Errorf("make view %s: %w", name, err)
		}
		if ok {
			n++
		}
	}
	return n, nil
}

// word is an identifier, bare or quoted.
var word = regexp.MustCompile(`[\pL_][\pL\pN_]*|"(?:[^"]|"")+"`)

// words lists the identifiers in SQL, each once, in lower case and in order.
func words(text string) []string {
	var list []string
	for _, statement := range split(text) {
		for _, w := range word.FindAllString(literal.ReplaceAllString(statement, " "), -1) {
			w = strings.ToLower(strings.ReplaceAll(strings.Trim(w, `"`), `""`, `"`))
			if !slices.Contains(list, w) {
				list = append(list, w)
			}
		}
	}
	return list
}

// provideAll makes every view there is.
func (d *DB) provideAll(ctx context.Context) error {
	for _, name := range d.viewNames() {
		if _, err := d.provideView(ctx, name, ""); err != nil {
			return fmt.Errorf("make view %s: %w", name, err)
		}
	}
	return nil
}

// viewNames lists every view: tables, the collections, and what is derived.
func (d *DB) viewNames() []string {
	names := append(d.Tables(), collectionView)
	files, _ := fs.Glob(derived, "views/*.sql") // the pattern is well formed
	for _, f := range files {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(f, "views/"), ".sql"))
	}
	return names
}

// provideView makes the view name, unless it is there. asker is the text that
// names it, and declares what may be absent.
func (d *DB) provideView(ctx context.Context, name, asker string) (bool, error) {
	if d.made[name] {
		return true, nil
	}
	text, err := d.viewSQL(ctx, name, asker)
	if err != nil || text == "" {
		return false, err
	}
	d.made[name] = true
	d.statements = append(d.statements, text)
	return true, d.exec(ctx, text)
}

// viewSQL returns the statement that creates the view, "" for an unknown name.
// The views below it are made on the way.
func (d *DB) viewSQL(ctx context.Context, name, asker string) (string, error) {
	if name == collectionView {
		return d.collectionSQL(), nil
	}
	if list := d.recorded(name); len(list) > 0 {
		d.used = append(d.used, name)
		return tableSQL(name, list), nil
	}
	if text, err := derived.ReadFile("views/" + name + ".sql"); err == nil {
		if _, err := d.provide(ctx, string(text)); err != nil {
			return "", err
		}
		return fmt.Sprintf("CREATE OR REPLACE VIEW %s AS\n%s", quoteName(name), text), nil
	}
	for _, m := range optionalTable.FindAllStringSubmatch(asker, -1) {
		if m[1] == name {
			d.absent = append(d.absent, name)
			return emptySQL(name, m[2]), nil
		}
	}
	return "", nil
}

// emptySQL stands in for a table that was not recorded.
func emptySQL(name, columns string) string {
	var list []string
	for _, c := range strings.Split(columns, ",") {
		column, kind, _ := strings.Cut(strings.TrimSpace(c), " ")
		list = append(list, fmt.Sprintf("NULL::%s AS %s", kind, quoteName(column)))
	}
	return fmt.Sprintf("CREATE OR REPLACE VIEW %s AS -- not recorded\nSELECT %s WHERE false;", quoteName(name), strings.Join(list, ", "))
}

// tableSQL is the view over a table's files. The collection's id is that of
// its directory, so that a renamed one stays itself.
func tableSQL(name string, list []recording) string {
	var parts []string
	for _, r := range list {
		var files []string
		for _, f := range r.files {
			files = append(files, quoteText(escapeGlob(f)))
		}
		columns := fmt.Sprintf("* REPLACE (%s AS collection_id)", quoteText(r.ID))
		_, hasTS := r.Columns["ts_ns"]
		_, hasTime := r.Columns["time"]
		if hasTS && !hasTime && r.Header != nil {
			columns += fmt.Sprintf(`, make_timestamp((%d + ts_ns) // 1000) AS "time"`, r.Header.BootUnixNS)
		}
		parts = append(parts, fmt.Sprintf("SELECT %s\nFROM read_parquet([%s], union_by_name = true)", columns, strings.Join(files, ", ")))
	}
	return fmt.Sprintf("CREATE OR REPLACE VIEW %s AS\n%s;", quoteName(name), strings.Join(parts, "\nUNION ALL BY NAME\n"))
}

// collectionSQL is the view that lists the collections.
func (d *DB) collectionSQL() string {
	var rows []string
	for i := range d.Collections {
		c := &d.Collections[i]
		facts := "NULL, NULL, NULL, NULL, NULL, NULL"
		if h := d.header(c); h != nil {
			facts = fmt.Sprintf("%s, %s, %s, %d, %d, %d", quoteText(h.Host), quoteText(h.Kernel), quoteText(h.Arch), h.CPUs, h.PageSize, h.BootUnixNS)
		}
		rows = append(rows, fmt.Sprintf("(%s, %s, %s, %s, %s)",
			quoteText(c.ID), quoteText(c.Workload), quoteText(c.Kind), quoteText(c.Dir), facts))
	}
	return fmt.Sprintf("CREATE OR REPLACE VIEW %s AS\nSELECT collection_id, workload, kind, dir, host::VARCHAR AS host, "+
		"kernel::VARCHAR AS kernel, arch::VARCHAR AS arch, cpus::BIGINT AS cpus, page_size::BIGINT AS page_size, boot_unix_ns::BIGINT AS boot_unix_ns\n"+
		"FROM (VALUES\n  %s\n) AS v(collection_id, workload, kind, dir, host, kernel, arch, cpus, page_size, boot_unix_ns);",
		collectionView, strings.Join(rows, ",\n  "))
}

// Views returns the statements that make all views in any DuckDB.
func (d *DB) Views(ctx context.Context) ([]string, error) {
	err := d.provideAll(ctx)
	return d.statements, err
}
