// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/kermit-trace/kermit/internal/invoker"
	"golang.org/x/sys/unix"
)

// tryLock takes a file's flock, unless another has it.
func tryLock(f *os.File, how int) (bool, error) {
	for {
		switch err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, err
		}
	}
}

// Holder is the sweep that runs on the machine, or ran last.
type Holder struct {
	PID    int       `json:"pid"`
	Name   string    `json:"name"`
	File   string    `json:"file"`   // path
	Output string    `json:"output"` // path of the dataset
	Since  time.Time `json:"since"`
}

// BusyError is the error when another sweep runs.
type BusyError struct{ By string }

func (e *BusyError) Error() string { return "another sweep runs: " + e.By }

func (h Holder) String() string {
	return fmt.Sprintf("kbench sweep -f %s -o %s (pid %d), since %s", h.File, h.Output, h.PID, h.Since.Local().Format(time.DateTime))
}

// hostLock is the file whose lock is that of the machine.
func hostLock(dir string) string { return filepath.Join(dir, "sweep.lock") }

// lockHost makes this the sweep that runs. The lock ends with the process.
func lockHost(dir string, h Holder) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	f, err := os.OpenFile(hostLock(dir), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	ok, err := tryLock(f, unix.LOCK_EX)
	if err == nil && !ok {
		err = &BusyError{By: describe(dir)}
	}
	if err == nil {
		err = note(f, h)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f, nil
}

func describe(dir string) string {
	h, err := Last(dir)
	if err != nil {
		return "it has not said which yet"
	}
	return h.String()
}

func note(f *os.File, h Holder) error {
	data, err := json.Marshal(h)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(data, '\n'), 0)
	}
	return err
}

// Last is the sweep that runs on the machine, or ran last; dir is the folder of
// journals.
func Last(dir string) (Holder, error) {
	var h Holder
	data, err := os.ReadFile(hostLock(dir))
	if err == nil {
		err = json.Unmarshal(data, &h)
	}
	if err != nil {
		return h, fmt.Errorf("find the last sweep: %w", err)
	}
	return h, nil
}

// How long the recorder of a killed sweep is waited for, which may have to merge
// what came.
const (
	recorderWait  = time.Minute
	recorderEvery = 50 * time.Millisecond
)

// lockFolder takes the sweep's folder. Kparquet holds the lock too, so that it
// tells when nothing comes any more of a sweep that was killed.
func lockFolder(folder string, wait time.Duration) (*os.File, error) {
	name := filepath.Join(folder, lockName)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for end := time.Now().Add(wait); ; time.Sleep(recorderEvery) {
		ok, err := tryLock(f, unix.LOCK_EX)
		if err == nil && ok {
			if err = invoker.Give(name); err == nil {
				return f, nil
			}
		}
		if err == nil && time.Now().Before(end) {
			continue
		}
		if err == nil {
			err = &BusyError{By: "one with another --state, or kparquet still writes the last cell of one that was killed"}
		}
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
}
