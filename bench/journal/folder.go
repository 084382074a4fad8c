// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Dir is the folder of journals: the flag's value; without one /var/lib/kermit
// for root and $XDG_STATE_HOME/kermit, or ~/.local/state/kermit, for others.
func Dir(flag string) (string, error) {
	switch state := os.Getenv("XDG_STATE_HOME"); {
	case flag != "":
		return filepath.Abs(flag)
	case os.Geteuid() == 0:
		return "/var/lib/kermit", nil
	case filepath.IsAbs(state): // the specification ignores others
		return filepath.Join(state, "kermit"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find state folder: %w", err)
	}
	return filepath.Join(home, ".local/state/kermit"), nil
}

// folder is a folder of journals whose lock is held.
type folder struct {
	dir  string
	lock *os.File
}

// How a lock is waited for: the one who holds it restores for [Grace] at most.
const (
	lockWait  = 6 * Grace
	lockEvery = 20 * time.Millisecond
)

// enter makes the folder where there is none, and takes its lock.
func enter(ctx context.Context, dir string) (*folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	if err := trusted(dir); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open state folder: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		ok, err := tryLock(f)
		if ok {
			return &folder{dir, f}, nil
		}
		if err == nil && pause(ctx, lockEvery) {
			continue
		}
		if err == nil {
			err = fmt.Errorf("another kbench holds it: %w", ctx.Err())
		}
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
}

func (f *folder) leave() { _ = f.lock.Close() }

// trusted refuses a folder in which others can plant a journal: what is in one
// is done with this process's rights.
func trusted(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("open state folder: %w", err)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	switch {
	case owner != 0 && owner != os.Geteuid():
		return fmt.Errorf("state folder %s belongs to another user (uid %d)", dir, owner)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("state folder %s can be written by others: mode %#o", dir, info.Mode().Perm())
	}
	return nil
}

// pause waits, and tells whether there is time for more.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// tryLock takes a file's flock, unless another has it.
func tryLock(f *os.File) (bool, error) {
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, err
		}
	}
}

// suffix of a journal's name.
const suffix = ".journal"

// entry is a journal in the folder.
type entry struct {
	path string
	file *os.File // open and locked, of a dead run; nil of a live one
	run  *history
	err  error // why it cannot be read
}

// survey reads all journals but the one at own.
func (f *folder) survey(own string) ([]entry, error) {
	list, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("list journals: %w", err)
	}
	var all []entry
	for _, item := range list {
		path := filepath.Join(f.dir, item.Name())
		if !strings.HasSuffix(path, suffix) || path == own {
			continue
		}
		if e := open(path); e != nil {
			all = append(all, *e)
		}
	}
	return all, nil
}

// open opens a journal, and locks it if its run is dead. It is nil if the
// journal has gone.
func open(path string) *entry {
	file, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &entry{path: path, err: err}
	}
	dead, err := tryLock(file)
	if err != nil {
		_ = file.Close()
		return &entry{path: path, err: err}
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err == nil && stat.Nlink == 0 {
		_ = file.Close() // its run has just closed it
		return nil
	}
	e := &entry{path: path, file: file}
	data, err := os.ReadFile(path)
	if err == nil {
		e.run, err = parse(data)
	}
	e.err = err
	if !dead {
		_ = file.Close()
		e.file = nil
	}
	return e
}

// remove removes a journal: all of it is undone.
func (e *entry) remove() error {
	return errors.Join(os.Remove(e.path), syncDir(filepath.Dir(e.path)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
