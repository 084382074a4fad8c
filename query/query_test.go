// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"context"
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"github.com/kermit-trace/kermit/query/fixture"
)

// open writes each text as a collection of one dataset and opens that.
func open(t *testing.T, texts ...string) *DB {
	t.Helper()
	dir := t.TempDir()
	for _, text := range texts {
		if _, err := fixture.Write(dir, text); err != nil {
			t.Fatal(err)
		}
	}
	return openPaths(t, dir)
}

func openPaths(t *testing.T, paths ...string) *DB {
	t.Helper()
	d, err := Open(context.Background(), Options{Memory: "1GB"}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func summary(t *testing.T, name string) Summary {
	t.Helper()
	list, err := Summaries()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(s Summary) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no summary %s", name)
	}
	return list[i]
}

// summarize answers a summary as CSV.
func summarize(t *testing.T, d *DB, name string, p Parameters) (string, Query) {
	t.Helper()
	q, err := d.Summarize(context.Background(), summary(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Set(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	return answer(t, d, q), q
}

func ask(t *testing.T, d *DB, text string) string {
	t.Helper()
	q, err := d.Script(context.Background(), text)
	if err != nil {
		t.Fatal(err)
	}
	return answer(t, d, q)
}

func answer(t *testing.T, d *DB, q Query) string {
	t.Helper()
	var out bytes.Buffer
	if _, err := d.Write(context.Background(), q, Output{Format: CSV, To: &out}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// pick keeps some columns of a CSV, in the order they are named, with spaces
// between them and - for NULL.
func pick(t *testing.T, text string, columns ...string) string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, row := range rows[1:] {
		for i, c := range columns {
			at := slices.Index(rows[0], c)
			if at < 0 {
				t.Fatalf("no column %s in %v", c, rows[0])
			}
			if i > 0 {
				b.WriteByte(' ')
			}
			if row[at] == "" {
				row[at] = "-"
			}
			b.WriteString(row[at])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// same compares texts line by line, whatever their indentation.
func same(t *testing.T, got, want string) {
	t.Helper()
	trim := func(s string) string {
		var list []string
		for line := range strings.Lines(s) {
			if line = strings.Join(strings.Fields(line), " "); line != "" {
				list = append(list, line)
			}
		}
		return strings.Join(list, "\n")
	}
	if trim(got) != trim(want) {
		t.Errorf("got\n%s\nwant\n%s", trim(got), trim(want))
	}
}
