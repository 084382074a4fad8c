// SPDX-License-Identifier: Apache-2.0

package dataset_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kermit-trace/kermit/dataset"
)

func TestListFindsCollectionsFromAnyLevel(t *testing.T) {
	d := t.TempDir()
	for _, name := range []string{
		"curated/redis/a/x.10.parquet", "curated/redis/a/x.9.parquet", "curated/redis/a/foreign.parquet",
		"curated/redis/a/notes.txt", "curated/redis/b/x.end.parquet", "curated/faux/c/x.y.end.parquet",
		"baseline/redis/d/x.end.parquet", "curated/redis/empty/notes.txt", "foreign.parquet", "other/redis/e/x.end.parquet",
		".f.tmp/build/x.end.parquet", "curated/.hidden/g/x.end.parquet",
	} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(d, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(d, name), nil, 0o644))
	}
	for _, c := range []struct {
		paths []string
		want  []string
	}{
		{[]string{"."}, []string{"d", "c", "a", "b"}},
		{[]string{"curated"}, []string{"c", "a", "b"}},
		{[]string{"curated/redis"}, []string{"a", "b"}},
		{[]string{"curated/redis/b"}, []string{"b"}},
		{[]string{"curated/*"}, []string{"c", "a", "b"}},
		{[]string{"*/redis", "curated/redis/a"}, []string{"d", "a", "b"}},
		{[]string{"curated/redis/empty"}, nil},
		{[]string{"other"}, nil},
		{[]string{"foreign.parquet"}, nil},
		{[]string{"curated/nope*"}, nil},
		{[]string{"nope"}, nil},
	} {
		paths := make([]string, len(c.paths))
		for i, p := range c.paths {
			paths[i] = filepath.Join(d, p)
		}
		found, err := dataset.List(paths...)
		var got []string
		for _, f := range found {
			got = append(got, f.ID)
		}
		if !slices.Equal(got, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("list %v: %v, %v; want %v", c.paths, got, err, c.want)
		}
	}
	if _, err := dataset.List(filepath.Join(d, "other")); !errors.Is(err, dataset.ErrNone) {
		t.Errorf("error is %v, want %v", err, dataset.ErrNone)
	}
	found, err := dataset.List(filepath.Join(d, "curated/redis/a"))
	must(t, err)
	a := found[0]
	if a.Kind != dataset.Curated || a.Workload != "redis" || len(a.Tables) != 1 ||
		filepath.Base(a.Tables["x"][0]) != "x.9.parquet" || len(a.Tables["x"]) != 2 {
		t.Errorf("collection a is %+v", a)
	}
}
