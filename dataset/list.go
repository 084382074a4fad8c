// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNone is returned by [List] where there is no collection.
var ErrNone = errors.New("no collection here")

// The two kinds of collections, by the name of their folder.
const (
	Curated  = "curated"  // hooks recorded
	Baseline = "baseline" // none did
)

// Collection is what one run of a pipeline left.
type Collection struct {
	ID       string
	Workload string
	Kind     string // Curated or Baseline
	Dir      string
	Tables   map[string][]string // table -> its Parquet files in the order they were written
}

// List finds collections. Each path is a dataset, one of its folders (curated,
// a workload, a collection), or a glob of such. Files that kparquet did not
// name are ignored, and so are collections without any file yet. The result is
// sorted by directory and names each collection once. The error is an
// [ErrNone] where a path leads to no collection.
func List(paths ...string) ([]Collection, error) {
	var all []Collection
	for _, p := range paths {
		dirs, err := expand(p)
		if err != nil {
			return nil, err
		}
		n := len(all)
		for _, d := range dirs {
			if all, err = walk(all, d); err != nil {
				return nil, err
			}
		}
		if len(all) == n {
			return nil, fmt.Errorf("list %s: %w", p, ErrNone)
		}
	}
	slices.SortFunc(all, func(a, b Collection) int { return strings.Compare(a.Dir, b.Dir) })
	return slices.CompactFunc(all, func(a, b Collection) bool { return a.Dir == b.Dir }), nil
}

// expand resolves a glob; a path that exists as it is spelled is itself.
func expand(p string) ([]string, error) {
	info, err := os.Stat(p)
	if err == nil {
		if !info.IsDir() {
			return nil, fmt.Errorf("list %s: is a file, not a dataset", p)
		}
		return []string{p}, nil
	}
	if !errors.Is(err, os.ErrNotExist) || !strings.ContainsAny(p, `*?[`) {
		return nil, fmt.Errorf("list dataset: %w", err)
	}
	found, err := filepath.Glob(p)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", p, err)
	}
	return slices.DeleteFunc(found, func(d string) bool {
		info, err := os.Stat(d)
		return err != nil || !info.IsDir() || filepath.Base(d)[0] == '.'
	}), nil
}

// walk appends the collections at or below dir, whatever its place in the
// layout: a collection is what lies two folders below "curated" or "baseline".
func walk(all []Collection, dir string) ([]Collection, error) {
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("list dataset: %w", err)
	}
	workload := filepath.Dir(full)
	if isKind(filepath.Base(filepath.Dir(workload))) {
		return collect(all, full)
	}
	level := []string{full}
	if isKind(filepath.Base(workload)) {
		return descend(all, level, 1)
	}
	if isKind(filepath.Base(full)) {
		return descend(all, level, 2)
	}
	level = []string{filepath.Join(full, Baseline), filepath.Join(full, Curated)}
	return descend(all, level, 2)
}

func isKind(name string) bool { return name == Curated || name == Baseline }

// descend goes depth folders down and collects there.
func descend(all []Collection, level []string, depth int) ([]Collection, error) {
	for range depth {
		var next []string
		for _, d := range level {
			entries, err := os.ReadDir(d)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, fmt.Errorf("list dataset: %w", err)
			}
			for _, e := range entries {
				if !strings.HasPrefix(e.Name(), ".") && isDir(d, e) {
					next = append(next, filepath.Join(d, e.Name()))
				}
			}
		}
		level = next
	}
	var err error
	for _, d := range level {
		if all, err = collect(all, d); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// isDir follows a symbolic link, so that a dataset can be put together of
// collections elsewhere.
func isDir(dir string, e os.DirEntry) bool {
	if e.Type()&os.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := os.Stat(filepath.Join(dir, e.Name()))
	return err == nil && info.IsDir()
}

// collect appends the collection at dir, if it has a table.
func collect(all []Collection, dir string) ([]Collection, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return all, nil // swapped for its merged self just now, or removed
	}
	if err != nil {
		return nil, fmt.Errorf("list collection: %w", err)
	}
	c := Collection{
		ID: filepath.Base(dir), Workload: filepath.Base(filepath.Dir(dir)),
		Kind: filepath.Base(filepath.Dir(filepath.Dir(dir))), Dir: dir, Tables: map[string][]string{},
	}
	for _, e := range entries {
		if table, _, ok := parseName(e.Name()); ok && !e.IsDir() {
			c.Tables[table] = append(c.Tables[table], filepath.Join(dir, e.Name()))
		}
	}
	if len(c.Tables) == 0 {
		return all, nil
	}
	for _, files := range c.Tables {
		slices.SortFunc(files, func(a, b string) int { return partOf(a) - partOf(b) })
	}
	return append(all, c), nil
}

// endPart is the part number of a finished table's only file.
const endPart = int(^uint(0) >> 1)

// fileName of a table's part.
func fileName(table string, part int) string {
	if part == endPart {
		return table + ".end.parquet"
	}
	return table + "." + strconv.Itoa(part) + ".parquet"
}

// parseName is the inverse of fileName.
func parseName(name string) (table string, part int, ok bool) {
	rest, ok := strings.CutSuffix(name, ".parquet")
	dot := strings.LastIndexByte(rest, '.')
	if !ok || dot <= 0 {
		return "", 0, false
	}
	table = rest[:dot]
	if rest[dot+1:] == "end" {
		return table, endPart, true
	}
	part, err := strconv.Atoi(rest[dot+1:])
	if err != nil || part < 0 || fileName(table, part) != name {
		return "", 0, false
	}
	return table, part, true
}

func partOf(path string) int {
	_, part, _ := parseName(filepath.Base(path))
	return part
}
