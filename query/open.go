// SPDX-License-Identifier: Apache-2.0

package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/kermit-trace/kermit/dataset"
	"github.com/kermit-trace/kermit/stream"
)

// Options of a DB.
type Options struct {
	Memory string // DuckDB's memory_limit, such as "1GB"
}

// DB is a DuckDB over a number of collections. It is for one goroutine.
type DB struct {
	Collections []dataset.Collection

	paths []string // as the caller named them
	pool  *sql.DB
	conn  *sql.Conn // the only one: variables and views belong to a connection
	spill string    // temporary directory

	recordings map[string][]recording // by table, once asked for
	made       map[string]bool        // views that exist
	statements []string               // that made them, in this order
	used       []string               // tables that queries named, in this order
	absent     []string               // optional tables that queries named and nobody recorded
	ignored    []string               // files that kparquet did not write
}

// recording is one collection's share of a table.
type recording struct {
	*dataset.Collection
	*dataset.Meta
	files []string
}

// settings of DuckDB that no query changes: no network, no extensions, no
// file of its own.
const settings = "?autoinstall_known_extensions=false&autoload_known_extensions=false&allow_community_extensions=false"

// Open finds the collections at paths (see [dataset.List]) and starts DuckDB.
func Open(ctx context.Context, o Options, paths ...string) (*DB, error) {
	list, err := dataset.List(paths...)
	if err != nil {
		return nil, err
	}
	d := &DB{paths: paths, recordings: map[string][]recording{}, made: map[string]bool{}}
	seen := map[string]string{}
	for _, c := range list {
		if other, ok := seen[c.ID]; ok {
			return nil, fmt.Errorf("open dataset: %s and %s are the same collection", other, c.Dir)
		}
		seen[c.ID] = c.Dir
		d.Collections = append(d.Collections, c)
	}
	d.findForeign()
	if err := d.start(ctx, o); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *DB) start(ctx context.Context, o Options) (err error) {
	if d.spill, err = os.MkdirTemp("", "kstat-"); err != nil {
		return fmt.Errorf("make temporary directory: %w", err)
	}
	connector, err := duckdb.NewConnector(settings, nil)
	if err != nil {
		return fmt.Errorf("start duckdb: %w", err)
	}
	d.pool = sql.OpenDB(connector)
	if d.conn, err = d.pool.Conn(ctx); err != nil {
		return fmt.Errorf("start duckdb: %w", err)
	}
	if err := d.exec(ctx, "SET memory_limit = "+quoteText(o.Memory)); err != nil {
		return fmt.Errorf("limit memory to %q: %w", o.Memory, err)
	}
	return d.exec(ctx, "SET temp_directory = "+quoteText(d.spill)+"; SET lock_configuration = true")
}

// Close ends DuckDB and removes its temporary files.
func (d *DB) Close() error {
	var errs []error
	if d.conn != nil {
		errs = append(errs, d.conn.Close())
	}
	if d.pool != nil {
		errs = append(errs, d.pool.Close())
	}
	if d.spill != "" {
		errs = append(errs, os.RemoveAll(d.spill))
	}
	return errors.Join(errs...)
}

func (d *DB) exec(ctx context.Context, text string) error {
	_, err := d.conn.ExecContext(ctx, text)
	return err
}

// Several tells whether collection_id is needed to tell rows apart.
func (d *DB) Several() bool { return len(d.Collections) > 1 }

// Tables names every recorded table, sorted.
func (d *DB) Tables() []string {
	var names []string
	for _, c := range d.Collections {
		for name := range c.Tables {
			if !slices.Contains(names, name) && len(d.recorded(name)) > 0 {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// recorded returns the table's share in each collection that has it. Files
// that kparquet did not write are left out and noted.
func (d *DB) recorded(table string) []recording {
	if known, ok := d.recordings[table]; ok {
		return known
	}
	var list []recording
	for i := range d.Collections {
		c := &d.Collections[i]
		share := recording{Collection: c}
		for _, f := range c.Tables[table] {
			one := dataset.Collection{ID: c.ID, Tables: map[string][]string{table: {f}}}
			meta, err := one.Meta(table)
			if err != nil {
				d.ignored = append(d.ignored, f)
				continue
			}
			share.Meta = meta // the last file has the last word
			share.files = append(share.files, f)
		}
		if share.Meta != nil {
			list = append(list, share)
		}
	}
	d.recordings[table] = list
	return list
}

// header of the collection's stream, as any of its tables has it.
func (d *DB) header(c *dataset.Collection) *stream.Header {
	for _, table := range slices.Sorted(maps.Keys(c.Tables)) {
		for _, r := range d.recorded(table) {
			if r.ID == c.ID && r.Header != nil {
				return r.Header
			}
		}
	}
	return nil
}

// findForeign notes Parquet files where only kparquet's should be.
func (d *DB) findForeign() {
	look := func(dir string, known func(string) bool) {
		found, _ := filepath.Glob(filepath.Join(escapeGlob(dir), "*.parquet")) // the pattern is well formed
		for _, f := range found {
			if !known(f) && !slices.Contains(d.ignored, f) {
				d.ignored = append(d.ignored, f)
			}
		}
	}
	for i := range d.Collections {
		c := &d.Collections[i]
		look(c.Dir, func(f string) bool {
			for _, files := range c.Tables {
				if slices.Contains(files, f) {
					return true
				}
			}
			return false
		})
	}
	for _, p := range d.paths {
		dir, err := filepath.Abs(p)
		isCollection := slices.ContainsFunc(d.Collections, func(c dataset.Collection) bool { return c.Dir == dir })
		if err == nil && !isCollection {
			look(dir, func(string) bool { return false })
		}
	}
}

// where names what was opened, for messages.
func (d *DB) where() string { return strings.Join(d.paths, ", ") }

func escapeGlob(path string) string {
	return strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]").Replace(path)
}

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
