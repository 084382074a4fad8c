// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
)

// Recovered is what [Recover] did about a collection.
type Recovered struct {
	ID   string
	Dir  string // of the collection; "" where nothing of it had been published
	Busy bool   // its writer lives: left alone
	Err  error
}

// Recover finishes what writers of the dataset left when they died: it removes
// their temporary files and merges the parts they had published. Collections
// whose writer lives are left alone.
func Recover(root string) ([]Recovered, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("recover dataset: %w", err)
	}
	var done []Recovered
	seen := map[string]bool{}
	for _, e := range entries {
		if id, ok := placeOf(e); ok {
			seen[id] = true
			done = append(done, RecoverOne(root, id))
		}
	}
	collections, err := List(root)
	if err != nil && !errors.Is(err, ErrNone) {
		return done, err
	}
	for _, c := range collections {
		if !seen[c.ID] && c.inParts() {
			done = append(done, RecoverOne(root, c.ID))
		}
	}
	return done, nil
}

// placeOf returns whose place a directory is. It goes by the name, a random one,
// as what is found is removed.
func placeOf(e os.DirEntry) (id string, ok bool) {
	id, dotted := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".tmp"), ".")
	const length = 36 // of a UUID as text
	ok = dotted && e.IsDir() && e.Name() == "."+id+".tmp" && len(id) >= length &&
		uuid.Validate(id[len(id)-length:]) == nil
	return id, ok
}

func (c *Collection) inParts() bool {
	for _, files := range c.Tables {
		if partOf(files[0]) != endPart {
			return true
		}
	}
	return false
}

// RecoverOne does what [Recover] does, for one collection: it takes the place of
// a dead writer over, and finishes its work.
func RecoverOne(root, id string) Recovered {
	r := Recovered{ID: id}
	p, err := lockPlace(root, id)
	if errors.Is(err, errBusy) {
		r.Busy = true
		return r
	}
	if err != nil {
		r.Err = err
		return r
	}
	c, err := p.resume()
	if err == nil && c != nil {
		r.Dir = c.Dir
		if c.inParts() {
			err = p.merge(c)
		}
	}
	if err != nil {
		r.Err = fmt.Errorf("recover collection %s: %w", id, err)
		_ = p.lock.Close() // the place stays for another try
		return r
	}
	p.remove()
	return r
}

// resume brings a place back to where merging starts, and finds its collection:
// nil if nothing was published.
func (p *place) resume() (*Collection, error) {
	if err := p.restore(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() != lockName {
			if err := os.RemoveAll(filepath.Join(p.dir, e.Name())); err != nil {
				return nil, err
			}
		}
	}
	collections, err := List(p.root)
	if err != nil && !errors.Is(err, ErrNone) {
		return nil, err
	}
	for i, c := range collections {
		if c.ID == p.id {
			return &collections[i], nil
		}
	}
	return nil, nil
}

// restore undoes the first of the two steps of replaceInTwo, if the second was
// not made.
func (p *place) restore() error {
	path, err := os.ReadFile(filepath.Join(p.dir, pathName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !filepath.IsLocal(string(path)) {
		return fmt.Errorf("%s leads out of the dataset", path)
	}
	dir := filepath.Join(p.root, string(path))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err = os.Rename(filepath.Join(p.dir, oldName), dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
