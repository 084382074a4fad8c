// SPDX-License-Identifier: Apache-2.0

package dataset_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kermit-trace/kermit/dataset"
	"github.com/kermit-trace/kermit/stream"
)

func TestDiscardTakesACollectionAndItsTemporariesAway(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, c dataset.Collection, place string){
		"no temporaries": func(*testing.T, dataset.Collection, string) {},
		"half a file": func(t *testing.T, _ dataset.Collection, place string) {
			must(t, os.Mkdir(place, 0o755))
			must(t, os.WriteFile(filepath.Join(place, "sample.part"), []byte("PAR1"), 0o644))
		},
		"moved away": func(t *testing.T, c dataset.Collection, place string) {
			must(t, os.Mkdir(place, 0o755))
			must(t, os.WriteFile(filepath.Join(place, "path"), []byte("curated/faux/"+c.ID), 0o644))
			must(t, os.Rename(c.Dir, filepath.Join(place, "old")))
		},
		"discarded by halves": func(t *testing.T, c dataset.Collection, place string) {
			must(t, os.Mkdir(place, 0o755))
			must(t, os.Rename(c.Dir, filepath.Join(place, "old")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.Prefix = "mine"
			c := inParts(t, o)
			o.Prefix = "other"
			r := newRecording(t)
			must(t, r.w.End())
			other := record(t, r.Bytes(), o)
			damage(t, c, filepath.Join(o.Dir, "."+c.ID+".tmp"))
			found, err := dataset.Find(o.Dir, "mine-")
			must(t, err)
			if !slices.Equal(found, []string{c.ID}) {
				t.Errorf("found %q, want %s", found, c.ID)
			}
			must(t, dataset.Discard(o.Dir, c.ID))
			if got, want := tree(t, o.Dir, other.ID), "curated/faux/ID/sample.end.parquet"; got != want {
				t.Errorf("the dataset has\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestDiscardLeavesLiveWritersAlone(t *testing.T) {
	o := options(t)
	c := inParts(t, o)
	place := filepath.Join(o.Dir, "."+c.ID+".tmp")
	must(t, os.Mkdir(place, 0o755))
	lock, err := os.Create(filepath.Join(place, "lock"))
	must(t, err)
	defer func() { _ = lock.Close() }()
	must(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	if err := dataset.Discard(o.Dir, c.ID); err == nil {
		t.Error("the collection of a live writer was discarded")
	}
	if _, err := os.Stat(c.Dir); err != nil {
		t.Error(err)
	}
}

func TestTotalsAreThoseOfTheRows(t *testing.T) {
	o := options(t)
	parts := inParts(t, o)
	want := int64(len(readDuckDB(t, parts.Tables["sample"])))
	before, err := parts.Totals()
	must(t, err)
	if before.Rows != want || before.Complete {
		t.Errorf("in parts: %+v, want %d rows, not complete", before, want)
	}
	_, err = dataset.Recover(o.Dir)
	must(t, err)
	all, err := dataset.List(o.Dir)
	must(t, err)
	whole, err := all[0].Totals()
	must(t, err)
	if whole.Rows != want || !whole.Complete || whole.Bytes != size(t, &all[0]) {
		t.Errorf("whole: %+v, want %d rows, complete, %d bytes", whole, want, size(t, &all[0]))
	}
	must(t, os.Remove(all[0].Tables["sample"][0]))
	must(t, os.WriteFile(all[0].Tables["sample"][0], []byte("PAR1"), 0o644))
	if _, err := all[0].Totals(); err == nil {
		t.Error("a damaged file has totals")
	}
}

func TestLastIsInTheLastRow(t *testing.T) {
	r := newRecording(t, "sample", "hook_stats")
	rows := stream.NewRows[countersRow]("hook_stats", "", "ktrace")
	must(t, r.w.Table(rows.Table()))
	for emitted := range int64(8) {
		rows.Append(countersRow{TS: emitted, Table: "sample", Emitted: emitted})
	}
	must(t, r.w.Batch(rows.Batch()))
	must(t, r.w.End())
	c := record(t, r.Bytes(), options(t))
	if n, err := c.Last("hook_stats", "emitted"); n != 7 || err != nil {
		t.Errorf("emitted %d, %v; want 7", n, err)
	}
	for table, column := range map[string]string{"hook_stats": "table_name", "sample": "i64", "run": "exit_code"} {
		if n, err := c.Last(table, column); err == nil {
			t.Errorf("%s.%s is %d, want an error", table, column, n)
		}
	}
}
