// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Find returns the ids that begin with a prefix, of all collections of a dataset
// and of all temporary directories in it, sorted. A dataset that is not there
// has none.
func Find(root, prefix string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find collections: %w", err)
	}
	var ids []string
	add := func(id string) {
		if strings.HasPrefix(id, prefix) {
			ids = append(ids, id)
		}
	}
	for _, e := range entries {
		if id, ok := placeOf(e); ok {
			add(id)
		}
	}
	collections, err := List(root)
	if err != nil && !errors.Is(err, ErrNone) {
		return nil, err
	}
	for _, c := range collections {
		add(c.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// Discard removes a collection and its temporary files; readers see all of it or
// nothing. It is an error if its writer lives.
func Discard(root, id string) error {
	p, err := lockPlace(root, id)
	if err == nil {
		if err = p.discard(); err == nil {
			p.remove()
			return nil
		}
		_ = p.lock.Close() // the place stays: Recover finishes what was begun
	}
	return fmt.Errorf("discard collection %s: %w", id, err)
}

// discard moves the collection into its place.
func (p *place) discard() error {
	c, err := p.resume()
	if err != nil || c == nil {
		return err
	}
	if err := os.Rename(c.Dir, filepath.Join(p.dir, oldName)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(c.Dir))
}
