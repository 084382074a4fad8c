// SPDX-License-Identifier: Apache-2.0

package query

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// ErrReadOnly is returned for a statement that could write a file.
var ErrReadOnly = errors.New("only statements that read: a dataset is never written to")

// harmless are the kinds of statements that touch DuckDB's memory alone.
var harmless = []duckdb.StmtType{
	duckdb.STATEMENT_TYPE_SELECT, duckdb.STATEMENT_TYPE_EXPLAIN, duckdb.STATEMENT_TYPE_CREATE, duckdb.STATEMENT_TYPE_CREATE_FUNC,
	duckdb.STATEMENT_TYPE_DROP, duckdb.STATEMENT_TYPE_INSERT, duckdb.STATEMENT_TYPE_UPDATE, duckdb.STATEMENT_TYPE_DELETE,
	duckdb.STATEMENT_TYPE_ALTER, duckdb.STATEMENT_TYPE_SET, duckdb.STATEMENT_TYPE_VARIABLE_SET, duckdb.STATEMENT_TYPE_TRANSACTION,
}

// explains is what stands before the statement that is explained, and perhaps run.
var explains = regexp.MustCompile(`(?i)^\s*explain\s+(analyze\s+)?(\([^)]*\)\s*)?`)

// Script runs the statements of text but the last, which it returns to be
// asked. DuckDB's own message comes back for what it does not understand.
func (d *DB) Script(ctx context.Context, text string) (Query, error) {
	statements := split(text)
	if len(statements) == 0 {
		return Query{}, errors.New("no SQL statement")
	}
	known, err := d.provide(ctx, text)
	if err != nil {
		return Query{}, err
	}
	if _, err := d.check(ctx, statements[0]); known == 0 || isMissing(err) {
		// SHOW TABLES, information_schema; or a name that DuckDB can correct.
		used, absent := d.used, d.absent
		if err := d.provideAll(ctx); err != nil {
			return Query{}, err
		}
		d.used, d.absent = used, absent // the answer is not about all of them
	}
	last := len(statements) - 1
	for i, s := range statements {
		kind, err := d.check(ctx, s)
		if err != nil {
			return Query{}, err
		}
		if i == last {
			return Query{text: s, bare: kind != duckdb.STATEMENT_TYPE_SELECT, plan: kind == duckdb.STATEMENT_TYPE_EXPLAIN}, nil
		}
		if err := d.exec(ctx, s); err != nil {
			return Query{}, err
		}
	}
	panic("unreachable")
}

// check refuses a statement that is not harmless.
func (d *DB) check(ctx context.Context, text string) (kind duckdb.StmtType, err error) {
	err = d.conn.Raw(func(c any) error {
		stmt, err := c.(driver.ConnPrepareContext).PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		kind, err = stmt.(*duckdb.Stmt).StatementType()
		return errors.Join(err, stmt.Close())
	})
	if err != nil {
		return kind, err
	}
	if !slices.Contains(harmless, kind) {
		return kind, fmt.Errorf("run %s: %w", firstWord(text), ErrReadOnly)
	}
	if kind == duckdb.STATEMENT_TYPE_EXPLAIN {
		_, err = d.check(ctx, explains.ReplaceAllString(text, ""))
	}
	return kind, err
}

func firstWord(text string) string {
	if words := strings.Fields(text); len(words) > 0 {
		return strings.ToUpper(words[0])
	}
	return "nothing"
}

// isMissing tells DuckDB's error about a name that it does not know.
func isMissing(err error) bool {
	var e *duckdb.Error
	return errors.As(err, &e) && e.Type == duckdb.ErrorTypeCatalog
}

// literal is a text.
var literal = regexp.MustCompile(`(?s)'(?:[^']|'')*'|\$\$.*?\$\$`)

// skipped are the parts of SQL in which a semicolon or a comment means nothing.
var skipped = regexp.MustCompile(`(?s)^(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$)`)

// comments are dropped.
var comments = regexp.MustCompile(`(?s)^(?:--[^\n]*|/\*.*?\*/)`)

// split parts text into statements at its semicolons, without comments.
func split(text string) []string {
	var (
		list []string
		one  strings.Builder
	)
	flush := func() {
		if s := strings.TrimSpace(one.String()); s != "" {
			list = append(list, s)
		}
		one.Reset()
	}
	for len(text) > 0 {
		n := 1
		switch {
		case text[0] == ';':
			flush()
		case comments.MatchString(text):
			n = len(comments.FindString(text))
			one.WriteByte(' ')
		case skipped.MatchString(text):
			n = len(skipped.FindString(text))
			one.WriteString(text[:n])
		default:
			one.WriteByte(text[0])
		}
		text = text[n:]
	}
	flush()
	return list
}
