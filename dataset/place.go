// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// A target is where a collection is published.
type target struct{ root, kind, workload, id string }

func (t target) dir() string { return filepath.Join(t.root, t.kind, t.workload, t.id) }

// A place is the directory for the temporary files of one collection. Its
// owner holds a lock on the file "lock" in it, which the kernel takes away
// when the owner dies: a process id could be another's by then.
type place struct {
	id   string
	root string
	dir  string   // root/.ID.tmp
	made []string // directories above that were made for it, innermost first
	lock *os.File
}

// Names in a place.
const (
	lockName  = "lock"
	buildName = "build" // the merged collection, until it is swapped in
	oldName   = "old"   // the collection it replaces, where a swap takes two steps
	pathName  = "path"  // which collection that is, relative to the dataset
)

func placeDir(root, id string) string { return filepath.Join(root, "."+id+".tmp") }

// errBusy says that another process holds a place.
var errBusy = errors.New("is being written")

// openPlace makes the dataset's directory, a collection id, and its place.
func openPlace(root, prefix string) (*place, error) {
	made, err := makeDirs(root)
	if err != nil {
		return nil, fmt.Errorf("make dataset: %w", err)
	}
	if prefix != "" {
		prefix += "-"
	}
	for {
		p, err := lockPlace(root, prefix+uuid.NewString())
		if err == nil {
			p.made = made
			return p, nil
		}
		if !errors.Is(err, errBusy) { // errBusy: a recover took it for dead
			removeDirs(made)
			return nil, err
		}
	}
}

// lockPlace makes or takes over the place of a collection.
func lockPlace(root, id string) (*place, error) {
	p := &place{id: id, root: root, dir: placeDir(root, id)}
	if err := os.Mkdir(p.dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("make temporary directory: %w", err)
	}
	name := filepath.Join(p.dir, lockName)
	lock, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errBusy // removed between the two
	}
	if err != nil {
		_ = os.Remove(p.dir)
		return nil, fmt.Errorf("lock temporary directory: %w", err)
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil && !sameFile(lock, name) {
		err = unix.EWOULDBLOCK
	}
	if err != nil {
		_ = lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errBusy
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	p.lock = lock
	return p, nil
}

// sameFile tells whether the name still leads to f.
func sameFile(f *os.File, name string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(name)
	return err == nil && os.SameFile(a, b)
}

// temporary is the name of a table's file until it is published.
func (p *place) temporary(table string) string { return filepath.Join(p.dir, table+".part") }

// remove takes the place away, and the directories above it that nothing was
// put into.
func (p *place) remove() {
	_ = os.RemoveAll(p.dir)
	_ = p.lock.Close()
	removeDirs(p.made)
}

// publish closes the tables' files and gives them their names. With all,
// tables without new rows have a file, too.
func (p *place) publish(to target, tables []*table, metas []*Meta, part int, all bool) error {
	dir := to.dir()
	if _, err := makeDirs(dir); err != nil {
		return fmt.Errorf("make collection: %w", err)
	}
	for i, t := range tables {
		if t.file == nil && t.began && !all {
			continue
		}
		if err := p.close(t, metas[i], filepath.Join(dir, fileName(t.decl.Name, part))); err != nil {
			return err
		}
		t.began = true
	}
	return syncDir(dir)
}

// close finishes a table's file and renames it.
func (p *place) close(t *table, meta *Meta, name string) error {
	err := t.open(p)
	if err == nil {
		err = t.file.finish(&t.file.footer, t.schema, meta)
		t.file = nil
	}
	if err == nil {
		err = os.Rename(p.temporary(t.decl.Name), name)
	}
	if err != nil {
		_ = os.Remove(p.temporary(t.decl.Name))
		return fmt.Errorf("publish table %s: %w", t.decl.Name, err)
	}
	return nil
}

// makeDirs is os.MkdirAll that survives a power cut and returns what it made,
// innermost first.
func makeDirs(dir string) (made []string, err error) {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, os.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		made = append(made, d)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		removeDirs(made)
		return nil, err
	}
	for _, d := range made {
		if err := syncDir(filepath.Dir(d)); err != nil {
			return made, err
		}
	}
	return made, nil
}

func removeDirs(made []string) {
	for _, d := range made {
		if os.Remove(d) != nil {
			return // not empty
		}
	}
}

// syncDir brings a directory's entries to the disk. A file system that cannot
// is as good as one that does so by itself.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}
