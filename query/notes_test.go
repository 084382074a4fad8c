// SPDX-License-Identifier: Apache-2.0

package query

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kermit-trace/kermit/query/fixture"
)

const (
	whole = "table quanta sched\ncounters filtered=4\nts_ns:i64 run_ns:i64\n10 1\n20 2\n"
	holed = "table quanta sched\ncounters lost_ring=1200 lost_other=30 missed=7\nts_ns:i64 run_ns:i64\n10 1\n20 2\n"
)

func TestNotesOnLossAreOneLineAKind(t *testing.T) {
	d := open(t, whole, holed)
	if got := ask(t, d, "SELECT count(*) AS n FROM quanta"); got != "n\n4\n" {
		t.Fatal(got)
	}
	same(t, strings.Join(d.Notes(&Query{}), "\n"), `
rows lost: quanta 1,230 of 1,234 (in 1 of 2 collections)
events that the kernel did not show: quanta 7 (in 1 of 2 collections)`)
	d = open(t, whole)
	ask(t, d, "SELECT count(*) AS n FROM quanta")
	if notes := d.Notes(&Query{}); len(notes) > 0 {
		t.Errorf("notes on a whole recording: %q", notes)
	}
}

func TestNotesOnlyOnWhatWasAsked(t *testing.T) {
	d := open(t, holed+"table other proc\nts_ns:i64\n1\n")
	ask(t, d, "SELECT count(*) FROM other")
	if notes := d.Notes(&Query{}); len(notes) > 0 {
		t.Errorf("notes on a table that was not asked: %q", notes)
	}
	ask(t, d, "SHOW TABLES")
	if notes := d.Notes(&Query{}); len(notes) > 0 {
		t.Errorf("notes on a list of names: %q", notes)
	}
}

func TestNoteOnACutRecording(t *testing.T) {
	d := open(t, whole+"cut\n")
	ask(t, d, "SELECT count(*) FROM quanta")
	if notes := d.Notes(&Query{}); len(notes) != 1 || !strings.Contains(notes[0], "cut") || !strings.Contains(notes[0], d.Collections[0].ID) {
		t.Errorf("notes: %q", notes)
	}
}

func TestForeignFilesAreIgnoredAndNamed(t *testing.T) {
	dir := t.TempDir()
	c, err := fixture.Write(dir, whole)
	if err != nil {
		t.Fatal(err)
	}
	d := openPaths(t, dir)
	foreign := filepath.Join(t.TempDir(), "f.parquet")
	if err := d.exec(context.Background(), "COPY (SELECT 1 AS x, 'y' AS collection_id) TO '"+foreign+"'"); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	for name, bytes := range map[string][]byte{"loose.parquet": content, "quanta.7.parquet": content, "alien.end.parquet": content, "text.end.parquet": []byte("no parquet")} {
		if err := os.WriteFile(filepath.Join(c.Dir, name), bytes, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "top.parquet"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	d = openPaths(t, dir)
	if got := d.Tables(); !slices.Equal(got, []string{"hook_stats", "quanta"}) {
		t.Errorf("tables: %q", got)
	}
	if got := ask(t, d, "SELECT count(*) AS n FROM quanta"); got != "n\n2\n" {
		t.Errorf("rows: %s", got)
	}
	notes := d.Notes(nil)
	for _, name := range []string{"loose.parquet", "quanta.7.parquet", "alien.end.parquet", "text.end.parquet", "top.parquet"} {
		if len(notes) != 1 || !strings.Contains(notes[0], name) {
			t.Errorf("no note on %s: %q", name, notes)
		}
	}
}
