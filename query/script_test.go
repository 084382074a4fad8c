// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kermit-trace/kermit/query/fixture"
)

// A table that no code knows is asked like any other.
func TestTablesNobodyKnows(t *testing.T) {
	d := open(t, "table quanta sched\nunobservable sleep\ncounters lost_ring=2\ncpu:u16 ts_ns:i64 run_ns:i64?\n0 1500 0\n1 2500 0\n")
	got := ask(t, d, `SELECT cpu, "time" FROM quanta ORDER BY cpu`)
	same(t, got, "cpu,time\n0,2023-11-14 22:13:20.000001\n1,2023-11-14 22:13:20.000002")
	q, err := d.ListTables(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	same(t, pick(t, answer(t, d, q), "table", "rows", "source", "lost", "missed", "collections"), "hook_stats 1 ktrace - - 1\nquanta 2 sched 2 0 1")
	q, about, err := d.Describe(context.Background(), "Quanta")
	if err != nil {
		t.Fatal(err)
	}
	same(t, answer(t, d, q), `column,type,doc
cpu,BIGINT,the cpu
ts_ns,BIGINT,the ts_ns
run_ns,BIGINT,the run_ns (NULL: the source cannot see it here)
collection_id,VARCHAR,the collection that the row is from
time,TIMESTAMP,wall clock (UTC): boot_unix_ns + ts_ns`)
	if want := []string{"one row a quanta", "source: sched", "cannot see: sleep"}; !slices.Equal(about, want) {
		t.Errorf("about %q, want %q", about, want)
	}
}

// Tables may differ from collection to collection: what one lacks is NULL.
func TestCollectionsOfDifferentShape(t *testing.T) {
	d := open(t, "table quanta a\nts_ns:i64 old:i64\n1 10\n", "table quanta b\nts_ns:i64 new:str\n2 x\n")
	same(t, pick(t, ask(t, d, "SELECT ts_ns, old, new FROM quanta ORDER BY ts_ns"), "ts_ns", "old", "new"), "1 10 -\n2 - x")
}

// What `kstat views` prints makes the summaries run in any other DuckDB.
func TestViewsRunElsewhere(t *testing.T) {
	d := open(t, memory+"table page_fault perf_event\ncpu:u16 pid:u32 tgid:u32 address:i64 is_major:bool is_write:bool is_exec:bool comm:str ts_ns:i64 latency_ns:i64\n0 1 1 1 true true true x 1 1\n", memory)
	views, err := d.Views(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if _, err := other.Exec(strings.Join(views, "\n\n")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"rss": 18, "faults": 1, "processes": 4} {
		var n int
		text := strings.TrimSuffix(strings.TrimSpace(summary(t, name).SQL), ";")
		if err := other.QueryRow("SELECT count(*) FROM (" + text + ")").Scan(&n); err != nil || n != want {
			t.Errorf("%s elsewhere: %d rows, want %d, %v", name, n, want, err)
		}
	}
}

func TestADatasetIsNeverWritten(t *testing.T) {
	dir := t.TempDir()
	c, err := fixture.Write(dir, whole)
	if err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	d := openPaths(t, dir)
	file := c.Tables["quanta"][0]
	for _, text := range []string{
		"COPY (SELECT 1) TO '" + file + "'",
		"SELECT 1; COPY (SELECT 1) TO '" + file + "'",
		"EXPLAIN ANALYZE COPY (SELECT 1) TO '" + file + "'",
		"explain /* x */ (analyze, format json) COPY (SELECT 1) TO '" + file + "'",
		"EXPORT DATABASE '" + c.Dir + "'",
		"ATTACH '" + filepath.Join(dir, "x.db") + "'",
		"PREPARE p AS COPY (SELECT 1) TO '" + file + "'; EXECUTE p",
		"SET memory_limit = '1TB'",
		"PRAGMA profile_output = '" + file + "'",
		"INSTALL httpfs",
		"LOAD httpfs",
		"CALL pragma_version()",
		"DELETE FROM quanta",
	} {
		q, err := d.Script(context.Background(), text)
		if err == nil {
			_, err = d.Write(context.Background(), q, Output{Format: CSV, To: &bytes.Buffer{}})
		}
		if err == nil {
			t.Errorf("%s: no error", text)
		}
	}
	if after := tree(t, dir); before != after {
		t.Errorf("the dataset changed from\n%s\nto\n%s", before, after)
	}
	if _, err := d.Script(context.Background(), "COPY (SELECT 1) TO 'x'"); !errors.Is(err, ErrReadOnly) {
		t.Errorf("COPY: %v", err)
	}
}

// tree is every file below dir with its content.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		b.WriteString(path + " " + string(content) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestScriptsOfSeveralStatements(t *testing.T) {
	d := open(t, whole)
	got := ask(t, d, "-- first; a comment\nCREATE TABLE t AS SELECT run_ns FROM quanta; SET VARIABLE x = 2;\nSELECT ';' AS semicolon, * FROM t WHERE run_ns = getvariable('x') -- end")
	same(t, got, "semicolon,run_ns\n;,2")
	for _, text := range []string{"", " -- nothing", ";;"} {
		if _, err := d.Script(context.Background(), text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	if _, err := d.Script(context.Background(), "SELECT * FROM quantum"); err == nil || !strings.Contains(err.Error(), "quanta") {
		t.Errorf("a wrong name is not corrected: %v", err)
	}
	if _, err := d.Script(context.Background(), "SELECT * FROM 'https://example.com/x.parquet'"); err == nil {
		t.Error("a network address was read")
	}
}

func TestSplitKeepsTextTogether(t *testing.T) {
	for text, want := range map[string][]string{
		"a;b":                         {"a", "b"},
		"a 'x;''y' ; \"q;\" ;":        {"a 'x;''y'", `"q;"`},
		"a -- c;d\nb /* ;\n; */ ; c":  {"a  \nb", "c"},
		"$$ ; $$;'--';\"/*\" /* ' */": {"$$ ; $$", "'--'", `"/*"`},
		"'open ; text":                {"'open", "text"},
	} {
		if got := split(text); !slices.Equal(got, want) {
			t.Errorf("split(%q) = %q, want %q", text, got, want)
		}
	}
}

// Characters of a pattern in a path are those characters.
func TestPathsThatLookLikePatterns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b]*?'c", "d")
	if _, err := fixture.Write(dir, "workload w[1]*?'x\n"+whole); err != nil {
		t.Fatal(err)
	}
	d := openPaths(t, dir)
	same(t, ask(t, d, "SELECT count(*) AS n FROM quanta"), "n\n2")
}

func TestBadDatasets(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(context.Background(), Options{Memory: "1GB"}, dir); err == nil {
		t.Error("an empty directory: no error")
	}
	c, err := fixture.Write(dir, whole)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "curated", "other", c.ID)
	if err := os.CopyFS(copied, os.DirFS(c.Dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), Options{Memory: "1GB"}, dir); err == nil || !strings.Contains(err.Error(), "same collection") {
		t.Errorf("one collection twice: %v", err)
	}
	if err := os.RemoveAll(copied); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), Options{Memory: "plenty"}, dir); err == nil {
		t.Error("memory of plenty: no error")
	}
	var missing *MissingTableError
	for name, table := range map[string]string{"rss": "mm_rss_stat", "processes": "process_trace", "page_fault": "page_fault"} {
		if _, err := openPaths(t, dir).Summarize(context.Background(), summary(t, name)); !errors.As(err, &missing) || missing.Table != table || !slices.Contains(missing.Recorded, "quanta") {
			t.Errorf("%s without %s: %v", name, table, err)
		}
	}
}

// DuckDB stays within its memory, and its spilled rows go when it does.
func TestMemoryIsLimited(t *testing.T) {
	dir := t.TempDir()
	if _, err := fixture.Write(dir, whole); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	d, err := Open(context.Background(), Options{Memory: "64MB"}, dir)
	if err != nil {
		t.Fatal(err)
	}
	q, err := d.Script(context.Background(), "SELECT count(*) AS n FROM (SELECT hash(range) h, range::VARCHAR || 'some more text' v, row_number() OVER (ORDER BY hash(range)) n FROM range(3000000)) WHERE n > 0")
	if err != nil {
		t.Fatal(err)
	}
	same(t, answer(t, d, q), "n\n3000000")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
