// SPDX-License-Identifier: Apache-2.0

package dataset_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kermit-trace/kermit/dataset"
)

// inParts leaves a collection in two parts of the table sample, as a writer
// that died would.
func inParts(t *testing.T, o dataset.Options) dataset.Collection {
	t.Helper()
	r := newRecording(t)
	r.add(t, 2, 50)
	half := r.Len()
	r.add(t, 2, 50)
	must(t, r.w.End())
	o.Rotate = time.Second
	w, err := dataset.NewWriter(o)
	must(t, err)
	copies := filepath.Join(t.TempDir(), "copies")
	must(t, w.Copy(slowly(r.Bytes()[:half], r.Bytes()[half:], func() {
		must(t, os.CopyFS(copies, os.DirFS(waitFor(t, o.Dir).Dir)))
	})))
	c, err := w.Close()
	must(t, err)
	must(t, os.Rename(c.Tables["sample"][0], filepath.Join(c.Dir, "sample.1.parquet")))
	must(t, os.CopyFS(c.Dir, os.DirFS(copies)))
	found, err := dataset.List(c.Dir)
	must(t, err)
	return found[0]
}

func TestRecoverMergesPartsOfADeadWriter(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, c dataset.Collection, place string){
		"no temporaries": func(*testing.T, dataset.Collection, string) {},
		"half a file": func(t *testing.T, _ dataset.Collection, place string) {
			must(t, os.MkdirAll(filepath.Join(place, "build"), 0o755))
			must(t, os.WriteFile(filepath.Join(place, "lock"), nil, 0o644))
			must(t, os.WriteFile(filepath.Join(place, "build", "sample"), []byte("PAR1"), 0o644))
			must(t, os.WriteFile(filepath.Join(place, "sample.part"), []byte("PAR1"), 0o644))
		},
		"moved away": func(t *testing.T, c dataset.Collection, place string) {
			must(t, os.Mkdir(place, 0o755))
			must(t, os.WriteFile(filepath.Join(place, "path"), []byte("curated/faux/"+c.ID), 0o644))
			must(t, os.Rename(c.Dir, filepath.Join(place, "old")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			c := inParts(t, o)
			before := len(readDuckDB(t, c.Tables["sample"]))
			damage(t, c, filepath.Join(o.Dir, "."+c.ID+".tmp"))
			done, err := dataset.Recover(o.Dir)
			must(t, err)
			if len(done) != 1 || done[0].Err != nil || done[0].Dir == "" {
				t.Fatalf("recover did %+v", done)
			}
			if got := tree(t, o.Dir, c.ID); got != "curated/faux/ID/sample.end.parquet" {
				t.Errorf("the dataset has\n%s", got)
			}
			found, err := dataset.List(o.Dir)
			must(t, err)
			if n := len(readDuckDB(t, found[0].Tables["sample"])); n != before {
				t.Errorf("%d rows, want %d", n, before)
			}
			wantFine(t, &found[0])
		})
	}
}

func TestRecoverLeavesLiveWritersAlone(t *testing.T) {
	o := options(t)
	r := newRecording(t)
	r.add(t, 1, 10)
	half := r.Len()
	must(t, r.w.End())
	w, err := dataset.NewWriter(o)
	must(t, err)
	must(t, w.Copy(slowly(r.Bytes()[:half], r.Bytes()[half:], func() {
		for range 500 { // until the writer has its place
			done, err := dataset.Recover(o.Dir)
			if err == nil && len(done) > 0 {
				if !done[0].Busy {
					t.Errorf("recover did %+v", done)
				}
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Error("recover sees no writer")
	})))
	c, err := w.Close()
	must(t, err)
	wantFine(t, c)
	if names, err := os.ReadDir(o.Dir); err != nil || len(names) != 1 {
		t.Errorf("the dataset has %v, %v", names, err)
	}
}

func TestRecoverRemovesOnlyWhatIsKparquets(t *testing.T) {
	dir := t.TempDir()
	const id = "a-6599d618-a1ed-4a02-a26e-907e3e9ab85b"
	for _, name := range []string{"." + id + ".tmp", ".mine.tmp"} {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name, "sample.part"), []byte("PAR1"), 0o644))
	}
	done, err := dataset.Recover(dir)
	must(t, err)
	if len(done) != 1 || done[0].ID != id || done[0].Err != nil || done[0].Dir != "" {
		t.Errorf("recover did %+v", done)
	}
	if got := tree(t, dir, id); got != ".mine.tmp/sample.part" {
		t.Errorf("left: %q", got)
	}
}

func TestVerifyNamesWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, c *dataset.Collection)
		want   string
	}{
		"a cut file": {func(t *testing.T, c *dataset.Collection) { must(t, os.Truncate(c.Tables["sample"][0], 1000)) }, "no footer"},
		"a missing table": {func(t *testing.T, c *dataset.Collection) {
			must(t, os.Remove(c.Tables["sample"][0]))
			delete(c.Tables, "sample")
		}, "has no file"},
		"another collection's file": {func(_ *testing.T, c *dataset.Collection) { c.ID = "x" }, "not of collection x"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecording(t, "hook_stats")
			r.add(t, 1, 5000)
			r.count(t, countersRow{Seen: 5000, Emitted: 5000, Rows: 5000, Final: true})
			must(t, r.w.End())
			made := record(t, r.Bytes(), options(t))
			wantFine(t, made)
			c.damage(t, made)
			var wrong []string
			for _, k := range made.Verify() {
				wrong = append(wrong, k.Wrong...)
			}
			if got := strings.Join(wrong, "; "); !strings.Contains(got, c.want) {
				t.Errorf("verify says %q, want %q", got, c.want)
			}
		})
	}
}

// Without checksums most of these would pass as other values.
func TestVerifySeesAnyFlippedBit(t *testing.T) {
	r := newRecording(t)
	r.add(t, 1, 5000)
	must(t, r.w.End())
	c := record(t, r.Bytes(), options(t))
	name := c.Tables["sample"][0]
	whole, err := os.ReadFile(name)
	must(t, err)
	for at := 1000; at < len(whole)/2; at += 997 {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 4
		must(t, os.WriteFile(name, damaged, 0o644))
		if k := c.Verify(); len(k[0].Wrong) == 0 {
			t.Errorf("byte %d of %d is damaged, verify finds nothing", at, len(whole))
		}
	}
}

func TestCountersThatDoNotAddUpAreNamed(t *testing.T) {
	for _, c := range []struct {
		counters dataset.Counters
		rows     int64
		want     string
	}{
		{dataset.Counters{Seen: 10, Emitted: 10, Rows: 10, Final: true}, 10, ""},
		{dataset.Counters{Seen: 10, Filtered: 1, Emitted: 5, LostRing: 2, LostOther: 2, Rows: 5, Final: true}, 5, ""},
		{dataset.Counters{Seen: 11, Emitted: 10, Rows: 10, Final: true}, 10, "seen 11 is not"},
		{dataset.Counters{Seen: 10, Emitted: 10, Rows: 10, Final: true}, 7, "3 of 10 rows are missing"},
		{dataset.Counters{Seen: 10, Emitted: 10, Rows: 10, Final: true}, 12, "2 rows more"},
		{dataset.Counters{Seen: 10, Emitted: 10, Rows: 8, Final: true}, 8, "10 rows were emitted, 8 came"},
		{dataset.Counters{Seen: 10, Emitted: 10, Rows: 8}, 9, "at least 1 rows are missing"},
		{dataset.Counters{Seen: 10, Emitted: 10, Rows: 8}, 12, ""},
		{dataset.Counters{Seen: 10, Emitted: 10, Rows: 8}, 5, "3 of 8 rows are missing"},
	} {
		if got := strings.Join(c.counters.Account(c.rows), "; "); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%+v with %d rows: %q, want %q", c.counters, c.rows, got, c.want)
		}
	}
}

func TestFullDiskKeepsWhatWasPublished(t *testing.T) {
	o := options(t)
	must(t, os.Mkdir(o.Dir, 0o755))
	mountTmpfs(t, o.Dir, "512k")
	f := newFaulter()
	in := new(bytes.Buffer)
	r := streamOf(t, in, f.table)
	for range 4 {
		must(t, r.Batch(f.batch(batchRows)))
	}
	half := in.Len()
	for range 200 {
		must(t, r.Batch(f.batch(batchRows)))
	}
	must(t, r.End())
	o.Rotate, o.Memory = time.Second, dataset.MinMemory
	w, err := dataset.NewWriter(o)
	must(t, err)
	err = w.Copy(slowly(in.Bytes()[:half], in.Bytes()[half:], func() { waitFor(t, o.Dir) }))
	c, closeErr := w.Close()
	if err = errors.Join(err, closeErr); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("error is %v, want %v", err, unix.ENOSPC)
	}
	if c == nil {
		t.Fatal("nothing is left of what was published")
	}
	for name, read := range readers {
		if n := len(read(t, c.Tables["page_fault"])); n <= 4*batchRows {
			t.Errorf("%s reads %d rows, want more than the %d of the first part", name, n, 4*batchRows)
		}
	}
	if got := tree(t, o.Dir, c.ID); strings.Contains(got, ".tmp") {
		t.Errorf("temporary files are left:\n%s", got)
	}
}
