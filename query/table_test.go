// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
)

func write(t *testing.T, text string, o Output) (string, bool) {
	t.Helper()
	d := open(t, whole)
	q, err := d.Script(context.Background(), text)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o.To = &out
	more, err := d.Write(context.Background(), q, o)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), more
}

// values has one of each kind of column.
const values = `SELECT * FROM (VALUES
	(1, 'a|b', 1234567, 1234567, 1500::BIGINT, 1572864, NULL::BIGINT, true, 0.25::DOUBLE, TIMESTAMP '2026-01-02 03:04:05.000006', MAP {'x': 1, 'y': 2000}, [1, 2]),
	(2, E'\x1b[31m\n', -5, 4, 90500000000::BIGINT, 12, 7, false, 2, NULL, NULL, NULL))
	v(n, name, pid, faults, latency_ns, size_bytes, missed, is_major, share, "time", branches, list)`

func TestTableIsForPeople(t *testing.T) {
	got, _ := write(t, values, Output{Format: Table})
	want := strings.Join([]string{
		`n  name            pid     faults   latency      size  missed  is_major  share  time                        branches      list`,
		`1  a|b         1234567  1,234,567   1.50 µs  1.50 MiB       -  true       0.25  2026-01-02 03:04:05.000006  y 2,000, x 1  [1, 2]`,
		`2  \x1b[31m\n       -5          4  1m 30.5s      12 B       7  false         2  -                           -             -`,
	}, "\n") + "\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMarkdownIsATable(t *testing.T) {
	got, _ := write(t, "SELECT 'a|b' AS name, 1234 AS faults", Output{Format: Markdown})
	if want := "| name | faults |\n| ---- | -----: |\n| a\\|b |  1,234 |\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWideTextIsCutOnATerminalOnly(t *testing.T) {
	const text = "SELECT repeat('x', 100) AS cmdline, 1234567 AS faults"
	got, _ := write(t, text, Output{Format: Table, Width: 40})
	for line := range strings.Lines(got) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 40 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if !strings.Contains(got, "x…") || !strings.Contains(got, "1,234,567") {
		t.Errorf("cut wrong: %s", got)
	}
	if got, _ = write(t, text, Output{Format: Table}); !strings.Contains(got, strings.Repeat("x", 100)) {
		t.Errorf("cut without a terminal: %s", got)
	}
}

func TestLimitLeavesRowsOutAndSaysSo(t *testing.T) {
	const text = "SELECT range AS n FROM range(10000) ORDER BY n DESC"
	got, more := write(t, text, Output{Format: Table, Limit: 2})
	if !more || got != "    n\n9,999\n9,998\n" {
		t.Errorf("more %v: %s", more, got)
	}
	if got, more = write(t, text, Output{Format: Table, Limit: 10000}); more || strings.Count(got, "\n") != 10001 {
		t.Errorf("all of them: more %v, %d lines", more, strings.Count(got, "\n"))
	}
	if got, _ = write(t, text, Output{Format: CSV, Limit: 2}); got != "n\n9999\n9998\n" {
		t.Errorf("csv: %s", got)
	}
}

func TestFormatsForProgramsAreExact(t *testing.T) {
	got, _ := write(t, values, Output{Format: JSON})
	var rows []map[string]any
	if err := json.Unmarshal([]byte(got), &rows); err != nil || len(rows) != 2 {
		t.Fatalf("%v: %s", err, got)
	}
	if rows[0]["latency_ns"] != 1500.0 || rows[0]["missed"] != nil || rows[0]["branches"].(map[string]any)["y"] != 2000.0 {
		t.Errorf("json: %v", rows[0])
	}
	got, _ = write(t, values, Output{Format: Parquet})
	if !strings.HasPrefix(got, "PAR1") || !strings.HasSuffix(got, "PAR1") {
		t.Errorf("no parquet file: %q", got[:min(len(got), 20)])
	}
}

func TestDurationsAndSizesHaveThreeDigits(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 ns", 999: "999 ns", 1000: "1.00 µs", 45_678: "45.7 µs", 999_999: "1.00 ms", 1_230_000_000: "1.23 s",
		59_900_000_000: "59.9 s", 60_000_000_000: "1m 0.0s", 3_723_000_000_000: "1h 2m 3s", -1500: "-1.50 µs",
	} {
		if got := duration(n); got != want {
			t.Errorf("duration(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 213 << 20: "213 MiB", 1 << 40: "1.00 TiB", -2048: "-2.00 KiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}
