// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
