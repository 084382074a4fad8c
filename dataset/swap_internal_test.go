// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"os"
	"path/filepath"
	"testing"
)

// File systems without RENAME_EXCHANGE (NFS, for one) are not at hand in tests,
// so the way for them is taken by name.
func TestSwapInTwoStepsKeepsOneCollection(t *testing.T) {
	root := t.TempDir()
	p, err := openPlace(root, "")
	if err != nil {
		t.Fatal(err)
	}
	to := target{root, Curated, "w", p.id}
	build := filepath.Join(p.dir, buildName)
	for name, text := range map[string]string{
		filepath.Join(to.dir(), "x.0.parquet"): "old",
		filepath.Join(to.dir(), "notes.txt"):   "mine",
		filepath.Join(build, "x.end.parquet"):  "new",
	} {
		if _, err := makeDirs(filepath.Dir(name)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.replaceInTwo(build, to.dir(), filepath.Join(Curated, "w", p.id)); err != nil {
		t.Fatal(err)
	}
	p.remove()
	found, err := filepath.Glob(root + "/curated/w/*/*")
	if err != nil || len(found) != 2 || filepath.Base(found[0]) != "notes.txt" || filepath.Base(found[1]) != "x.end.parquet" {
		t.Errorf("the collection has %v, %v", found, err)
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 1 {
		t.Errorf("the dataset has %v, %v", entries, err)
	}
}
