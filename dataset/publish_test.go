// SPDX-License-Identifier: Apache-2.0

package dataset_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/dataset"
	"github.com/kermit-trace/kermit/stream"
)

// countersOf writes a row of hook_stats.
type countersRow struct {
	TS        int64  `col:"ts_ns"`
	Table     string `col:"table_name"`
	Seen      int64  `col:"seen"`
	Filtered  int64  `col:"filtered"`
	Emitted   int64  `col:"emitted"`
	LostRing  int64  `col:"lost_ring"`
	LostOther int64  `col:"lost_other"`
	Missed    int64  `col:"missed"`
	Rows      int64  `col:"rows"`
	Final     bool   `col:"final"`
}

// count appends counters of the table sample to a recording.
func (r *recording) count(tb testing.TB, c countersRow) {
	rows := stream.NewRows[countersRow]("hook_stats", "", "ktrace")
	must(tb, r.w.Table(rows.Table()))
	c.Table = "sample"
	rows.Append(c)
	must(tb, r.w.Batch(rows.Batch()))
}

// slowly feeds a stream in two halves, with wait in between.
func slowly(first, second []byte, wait func()) io.Reader {
	in, out := io.Pipe()
	go func() {
		_, _ = out.Write(first)
		wait()
		_, _ = out.Write(second)
		_ = out.Close()
	}()
	return in
}

// tree lists all files under dir, without the collection's random id.
func tree(tb testing.TB, dir, id string) string {
	tb.Helper()
	var names []string
	must(tb, filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, strings.ReplaceAll(strings.TrimPrefix(p, dir+"/"), id, "ID"))
		}
		return err
	}))
	return strings.Join(names, "\n")
}

func TestRotationPublishesQuietDataAndMergesAtTheEnd(t *testing.T) {
	r := newRecording(t)
	r.add(t, 3, 100)
	half := r.Len()
	r.add(t, 3, 100)
	r.count(t, countersRow{Seen: 600, Emitted: 600, Rows: 600, Final: true})
	must(t, r.w.End())
	o := options(t)
	o.Rotate, o.Workload, o.Prefix = time.Second, "w", "pre"
	w, err := dataset.NewWriter(o)
	must(t, err)
	in := slowly(r.Bytes()[:half], r.Bytes()[half:], func() {
		found := waitFor(t, o.Dir)
		if rows := len(readDuckDB(t, found.Tables["sample"])); rows != 300 {
			t.Errorf("%d rows are published, want 300", rows)
		}
		must(t, os.WriteFile(filepath.Join(found.Dir, "notes.txt"), nil, 0o644))
	})
	must(t, w.Copy(in))
	c, err := w.Close()
	must(t, err)
	if !strings.HasPrefix(c.ID, "pre-") || len(c.ID) != len("pre-")+36 {
		t.Errorf("collection id is %q", c.ID)
	}
	want := "curated/w/ID/hook_stats.end.parquet\ncurated/w/ID/notes.txt\ncurated/w/ID/sample.end.parquet"
	if got := tree(t, o.Dir, c.ID); got != want {
		t.Errorf("the dataset has\n%s\nwant\n%s", got, want)
	}
	for name, read := range readers {
		got := read(t, c.Tables["sample"])
		seen := map[string]bool{}
		for _, row := range got {
			seen[row] = true
		}
		for _, s := range r.all {
			if !seen[s.json(t, c.ID)] {
				t.Fatalf("%s: a row is missing", name)
			}
		}
		if len(got) != len(r.all) {
			t.Errorf("%s: %d rows, want %d", name, len(got), len(r.all))
		}
	}
	wantFine(t, c)
}

// waitFor waits until the dataset has a collection.
func waitFor(tb testing.TB, dir string) dataset.Collection {
	for range 500 {
		if found, err := dataset.List(dir); err == nil {
			return found[0]
		}
		time.Sleep(10 * time.Millisecond)
	}
	tb.Error("nothing is published after five seconds")
	return dataset.Collection{}
}

func wantFine(t *testing.T, c *dataset.Collection) {
	t.Helper()
	for _, k := range c.Verify() {
		if len(k.Wrong) > 0 {
			t.Errorf("verify: %s: %v", k.Table, k.Wrong)
		}
	}
}

func TestMetadataTellWhatTheStreamTold(t *testing.T) {
	r := newRecording(t)
	r.add(t, 1, 10)
	r.count(t, countersRow{Seen: 20, Filtered: 1, Emitted: 10, LostRing: 4, LostOther: 5, Missed: 3, Rows: 10, Final: true})
	must(t, r.w.End())
	c := record(t, r.Bytes(), options(t))
	m, err := c.Meta("sample")
	must(t, err)
	want := dataset.Counters{Seen: 20, Filtered: 1, Emitted: 10, LostRing: 4, LostOther: 5, Missed: 3, Rows: 10, Final: true}
	if m.Counters == nil || *m.Counters != want {
		t.Errorf("counters are %+v, want %+v", m.Counters, want)
	}
	if m.Doc != "all types" || m.Columns["b"] != "a flag" || m.Source != "test" || !m.Complete ||
		m.Attrs["clock"] != "fine" || m.Unobservable[1] != "branch time_wait" || m.Tool != "kparquet test" {
		t.Errorf("metadata are %+v", m)
	}
	if m.Header == nil || m.Header.Hooks[0] != "sample" || m.Header.Stop.Secret != "" {
		t.Errorf("header is %+v, want the stream's without its secret", m.Header)
	}
	wantFine(t, c)
}

func TestCutStreamIsPublishedAsFarAsItCame(t *testing.T) {
	r := newRecording(t)
	r.add(t, 1, 100)
	r.count(t, countersRow{Seen: 130, Emitted: 130, Rows: 100})
	r.add(t, 1, 10)
	w, err := dataset.NewWriter(options(t))
	must(t, err)
	if err := w.Copy(bytes.NewReader(r.Bytes()[:r.Len()-5])); !errors.Is(err, stream.ErrCut) {
		t.Errorf("error is %v, want %v", err, stream.ErrCut)
	}
	c, err := w.Close()
	must(t, err)
	if n := len(readDuckDB(t, c.Tables["sample"])); n != 100 {
		t.Errorf("%d rows, want 100", n)
	}
	var wrong []string
	for _, k := range c.Verify() {
		wrong = append(wrong, k.Wrong...)
	}
	if got := strings.Join(wrong, "; "); !strings.Contains(got, "at least 30 rows are missing") || !strings.Contains(got, "was cut") {
		t.Errorf("verify says %q", got)
	}
}

func TestBadInputLeavesNoTrace(t *testing.T) {
	var newer bytes.Buffer
	must(t, stream.NewWriter(&newer).Header(&stream.Header{}))
	at := bytes.Index(newer.Bytes(), []byte("version")) + len("version")
	newer.Bytes()[at] = 2
	var only bytes.Buffer
	must(t, stream.NewWriter(&only).Header(&stream.Header{}))
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"empty":       {"", stream.ErrEmpty},
		"text":        {"total 0\n", stream.ErrNotStream},
		"newer":       {newer.String(), stream.ErrVersion},
		"only header": {only.String(), stream.ErrCut},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			w, err := dataset.NewWriter(o)
			must(t, err)
			if err := w.Copy(strings.NewReader(c.in)); !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
			if c, err := w.Close(); c != nil || err != nil {
				t.Errorf("close returns %v, %v", c, err)
			}
			if _, err := os.Stat(o.Dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the dataset's directory is there: %v", err)
			}
		})
	}
}

func TestWhatComesBeforeABadFrameIsKept(t *testing.T) {
	other := newSamples().Table()
	other.Columns = other.Columns[:3]
	tooLarge := func(s *sample) { s.U64 = 1 << 63 }
	for name, c := range map[string]struct {
		bad  func(*recording) error
		want string
	}{
		"schema changes": {func(r *recording) error {
			var again bytes.Buffer
			w := stream.NewWriter(&again)
			must(t, w.Header(&stream.Header{}))
			header := again.Len()
			must(t, w.Table(other))
			_, err := r.Write(again.Bytes()[header:])
			return err
		}, "change in the middle"},
		"number too large": {func(r *recording) error {
			s := randomSample(r.rand, 5)
			tooLarge(&s)
			r.rows.Append(s)
			return r.w.Batch(r.rows.Batch())
		}, "table sample: column u64: 9223372036854775808 does not fit"},
		"name with a slash": {func(r *recording) error {
			return r.w.Table(&stream.Table{Name: "a/b", Columns: []stream.Column{{Name: "x", Type: stream.I64}}})
		}, `table "a/b"`},
		"workload that climbs": {func(r *recording) error {
			return r.w.Table(&stream.Table{Name: "marker", Attrs: map[string]string{"workload": ".."},
				Columns: []stream.Column{{Name: "x", Type: stream.I64}}})
		}, `workload ".."`},
		"column of ours": {func(r *recording) error {
			return r.w.Table(&stream.Table{Name: "x", Columns: []stream.Column{{Name: "collection_id", Type: stream.I64}}})
		}, "collection_id"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecording(t)
			r.add(t, 1, 50)
			must(t, c.bad(r))
			o := options(t)
			w, err := dataset.NewWriter(o)
			must(t, err)
			if err := w.Copy(&r.Buffer); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
			found, err := w.Close()
			must(t, err)
			if n := len(readDuckDB(t, found.Tables["sample"])); n != 50 {
				t.Errorf("%d rows, want 50", n)
			}
		})
	}
}

// Some batches have a column that nobody can see, others have it.
func TestColumnThatComesAndGoesIsNullWhereItIsGone(t *testing.T) {
	r := newRecording(t)
	for i := range 6 {
		s := sample{CPU: 1, TS: int64(i), Gone: 77}
		r.rows.Append(s)
		b := r.rows.Batch()
		if i%2 == 0 {
			b.Columns[10] = stream.Vector{Null: true}
		}
		must(t, r.w.Batch(b))
	}
	must(t, r.w.End())
	c := record(t, r.Bytes(), options(t))
	for name, read := range readers {
		var got strings.Builder
		for _, row := range read(t, c.Tables["sample"]) {
			parts := strings.Split(row, ",")
			got.WriteString(parts[10] + " ")
		}
		if got.String() != "null 77 null 77 null 77 " {
			t.Errorf("%s: column is %s", name, &got)
		}
	}
}

func TestNamesAreOnePathElement(t *testing.T) {
	for _, name := range []string{"..", ".", "a/b", ".hidden", "a\nb", strings.Repeat("x", 129)} {
		for _, o := range []dataset.Options{{Workload: name}, {Prefix: name}} {
			o.Memory, o.Rotate = memory, time.Minute
			if _, err := dataset.NewWriter(o); err == nil {
				t.Errorf("%+v is accepted", o)
			}
		}
	}
}
