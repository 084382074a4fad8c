// SPDX-License-Identifier: Apache-2.0

package dataset_test

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/parquet-go/parquet-go"
)

// python with polars and pyarrow.
const python = "../.venv/bin/python"

// readers read Parquet files by four implementations, none of which shares code
// with the writer's page encoder: each row as a JSON array.
var readers = map[string]func(testing.TB, []string) []string{
	"parquet-go": readParquetGo,
	"DuckDB":     readDuckDB,
	"polars":     func(tb testing.TB, files []string) []string { return readPython(tb, "polars", files) },
	"pyarrow":    func(tb testing.TB, files []string) []string { return readPython(tb, "pyarrow", files) },
}

func readParquetGo(tb testing.TB, files []string) (out []string) {
	for _, name := range files {
		f, err := os.Open(name)
		must(tb, err)
		info, err := f.Stat()
		must(tb, err)
		p, err := parquet.OpenFile(f, info.Size())
		must(tb, err)
		for _, g := range p.RowGroups() {
			rows := g.Rows()
			buf := make([]parquet.Row, 100)
			for {
				n, err := rows.ReadRows(buf)
				for _, row := range buf[:n] {
					values := make([]any, len(row))
					for i, v := range row {
						values[i] = goValue(v)
					}
					out = append(out, asJSON(tb, values))
				}
				if errors.Is(err, io.EOF) {
					break
				}
				must(tb, err)
			}
			must(tb, rows.Close())
		}
		must(tb, f.Close())
	}
	return out
}

func goValue(v parquet.Value) any {
	switch {
	case v.IsNull():
		return nil
	case v.Kind() == parquet.Boolean:
		return v.Boolean()
	case v.Kind() == parquet.Int64:
		return v.Int64()
	case v.Kind() == parquet.Double:
		return v.Double()
	}
	return string(v.ByteArray())
}

func readDuckDB(tb testing.TB, files []string) (out []string) {
	db, err := sql.Open("duckdb", "")
	must(tb, err)
	defer func() { _ = db.Close() }()
	quoted := make([]string, len(files))
	for i, f := range files {
		quoted[i] = "'" + strings.ReplaceAll(f, "'", "''") + "'"
	}
	rows, err := db.Query("SELECT * FROM read_parquet([" + strings.Join(quoted, ",") + "])")
	must(tb, err)
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	must(tb, err)
	for rows.Next() {
		values, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		must(tb, rows.Scan(to...))
		out = append(out, asJSON(tb, values))
	}
	must(tb, rows.Err())
	return out
}

const pythonReader = `
import json, sys
if sys.argv[1] == "polars":
    import polars
    rows = polars.scan_parquet(sys.argv[2:]).collect().iter_rows()
else:
    import pyarrow.parquet
    rows = (r.values() for f in sys.argv[2:]
            for r in pyarrow.parquet.ParquetFile(f, page_checksum_verification=True).read().to_pylist())
for row in rows:
    print(json.dumps(list(row), separators=(",", ":"), ensure_ascii=False))
`

func readPython(tb testing.TB, library string, files []string) (out []string) {
	if _, err := os.Stat(python); err != nil {
		tb.Fatal("no Python with polars and pyarrow: run make deps")
	}
	cmd := exec.Command(python, append([]string{"-c", pythonReader, library}, files...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%s: %v\n%s", library, err, &stderr)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		out = append(out, lines.Text())
	}
	return out
}

// asJSON writes a row as Python's json does: floats keep their point.
func asJSON(tb testing.TB, values []any) string {
	parts := make([]string, len(values))
	for i, v := range values {
		if f, ok := v.(float64); ok && f == float64(int64(f)) {
			parts[i] = fmt.Sprintf("%.1f", f)
			continue
		}
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		must(tb, e.Encode(v))
		parts[i] = strings.TrimSpace(b.String())
	}
	return "[" + strings.Join(parts, ",") + "]"
}
