// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/parquet-go/parquet-go/format"
	"golang.org/x/sys/unix"
)

// merge replaces the collection's parts by one file a table: built in the
// place, then swapped in, so that no reader sees a row twice.
func (p *place) merge(c *Collection) error {
	build := filepath.Join(p.dir, buildName)
	if err := os.MkdirAll(build, 0o755); err != nil {
		return fmt.Errorf("merge parts: %w", err)
	}
	tables := slices.Sorted(maps.Keys(c.Tables))
	for _, t := range tables {
		if err := p.mergeTable(c.Tables[t], filepath.Join(build, t)); err != nil {
			return fmt.Errorf("merge parts of table %s: %w", t, err)
		}
	}
	return p.swap(c.Dir, tables)
}

// mergeTable copies the row groups of the parts into one file, as they are:
// only their offsets change. The metadata are those of the last part.
func (p *place) mergeTable(parts []string, name string) error {
	out, err := createFile(name)
	if err != nil {
		return err
	}
	defer func() { _ = out.f.Close() }()
	entries, err := os.CreateTemp(p.dir, "groups")
	if err != nil {
		return err
	}
	defer func() { _ = entries.Close() }()
	if err := os.Remove(entries.Name()); err != nil {
		return err
	}
	var first, last *format.FileMetaData
	w := bufio.NewWriter(entries)
	for _, part := range parts {
		if last, err = out.copyGroups(w, part); err != nil {
			return err
		}
		if first == nil {
			first = last
		}
		if !reflect.DeepEqual(first.Schema, last.Schema) {
			return fmt.Errorf("%s has another schema than %s", part, parts[0])
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if _, err := entries.Seek(0, io.SeekStart); err != nil {
		return err
	}
	meta, err := parseMeta(last.KeyValueMetadata) // of the last part: the latest counters
	if err != nil {
		return err
	}
	return out.finish(entries, first.Schema, meta)
}

// copyGroups appends the row groups of another file and writes their entries.
func (p *file) copyGroups(entries io.Writer, part string) (*format.FileMetaData, error) {
	meta, err := readFooter(part)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(part)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	begin, end := int64(len(magic)), int64(len(magic))
	for _, g := range meta.RowGroups {
		end = max(end, g.FileOffset+g.TotalCompressedSize)
	}
	if _, err := f.Seek(begin, io.SeekStart); err != nil {
		return nil, err
	}
	if _, err := io.CopyN(p.f, f, end-begin); err != nil { // copy_file_range
		return nil, err
	}
	shift := p.end - begin
	for _, g := range meta.RowGroups {
		g.FileOffset += shift
		g.Ordinal = ordinal(p.groups)
		for i := range g.Columns {
			m := &g.Columns[i].MetaData
			m.DataPageOffset += shift
			if m.DictionaryPageOffset != 0 {
				m.DictionaryPageOffset += shift
			}
		}
		if err := encodeGroup(entries, &g); err != nil {
			return nil, err
		}
		p.groups++
		p.rows += g.NumRows
	}
	p.end += end - begin
	return meta, nil
}

// swap gives the built tables their names and puts them where the collection
// is, or will be.
func (p *place) swap(dir string, tables []string) error {
	build := filepath.Join(p.dir, buildName)
	for _, t := range tables {
		name := filepath.Join(build, t)
		if err := os.Rename(name, filepath.Join(build, fileName(t, endPart))); err != nil {
			return fmt.Errorf("publish table %s: %w", t, err)
		}
	}
	err := syncDir(build)
	if err == nil {
		err = p.replace(build, dir)
	}
	if err == nil {
		err = syncDir(filepath.Dir(dir))
	}
	if err != nil {
		return fmt.Errorf("publish collection: %w", err)
	}
	return nil
}

// replace puts build at dir, in one step where there is a file system for it.
func (p *place) replace(build, dir string) error {
	err := unix.Renameat2(unix.AT_FDCWD, build, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
	switch {
	case err == nil:
		return keepForeign(build, dir)
	case errors.Is(err, unix.ENOENT): // nothing was published before
		return os.Rename(build, dir)
	case !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EOPNOTSUPP):
		return err
	}
	path, err := filepath.Rel(p.root, dir)
	if err != nil {
		return err
	}
	return p.replaceInTwo(build, dir, path)
}

// replaceInTwo moves the old collection away before the new one takes its
// place: for a moment there is none, never both. Recover finishes it.
func (p *place) replaceInTwo(build, dir, path string) error {
	if err := writeSynced(filepath.Join(p.dir, pathName), path); err != nil {
		return err
	}
	old := filepath.Join(p.dir, oldName)
	if err := os.Rename(dir, old); err != nil {
		return err
	}
	if err := os.Rename(build, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return keepForeign(old, dir)
}

func writeSynced(name, text string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// keepForeign moves what a user put beside the parts over to the new collection.
func keepForeign(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, _, ours := parseName(e.Name()); ours {
			continue
		}
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
