// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Folder is where the sweep of a name keeps its state in a dataset.
func Folder(output, name string) string { return filepath.Join(output, ".sweep-"+name) }

// Names in the folder.
const (
	stateName = "state"
	logName   = "log"
	lockName  = "lock"
)

// cellFile is what a cell's programs print.
func cellFile(folder string, n int) string {
	return filepath.Join(folder, fmt.Sprintf("cell-%04d.txt", n))
}

// makeDirs is os.MkdirAll whose folders belong to the user who called sudo.
func makeDirs(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeDirs(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return errors.Join(give(dir), syncDir(filepath.Dir(dir)))
}

// give gives a file to the user who called sudo, as all of the dataset is.
func give(path string) error {
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	if err != nil || uid == 0 || os.Geteuid() != 0 {
		return nil // not by sudo
	}
	gid, err := strconv.Atoi(os.Getenv("SUDO_GID"))
	if err != nil {
		return nil
	}
	return os.Lchown(path, uid, gid)
}

// giveAll gives a folder and all that is in it.
func giveAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return give(path)
	})
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // some file systems cannot
		return err
	}
	return nil
}
