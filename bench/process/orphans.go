// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// children of this process. An orphan of what it has started becomes its child,
// too, once [Adopt] was called, whatever session, group or environment it has.
var children struct {
	sync.Mutex
	started map[int]bool  // by Start, not waited for yet
	before  map[int]bool  // those that were there when Adopt was called
	over    chan struct{} // closed when adoption ends; nil: there is none
}

// reapEvery is the time between two looks for orphans that have ended.
const reapEvery = time.Second

// Adopt makes this process the parent of orphans, until [EndOrphans].
func Adopt() error {
	children.Lock()
	defer children.Unlock()
	if children.over != nil {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt orphans: %w", err)
	}
	children.before = listChildren()
	over := make(chan struct{})
	children.over = over
	go func() {
		tick := time.NewTicker(reapEvery)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
				children.Lock()
				orphans() // those that have ended are no more, then
				children.Unlock()
			}
		}
	}()
	return nil
}

// patienceWithOrphans is how long an orphan may take to end when it is asked
// to, and again when it is killed.
const patienceWithOrphans = time.Second

// EndOrphans ends what was adopted, and returns the names of what still ran. The
// error names what could not be ended: a process of another user.
func EndOrphans() (ended []string, err error) {
	children.Lock()
	defer children.Unlock()
	if children.over == nil {
		return nil, nil
	}
	close(children.over)
	children.over = nil
	names := map[int]string{}
	began := time.Now()
	var left []int
	for sig := unix.SIGTERM; ; time.Sleep(10 * time.Millisecond) {
		left = orphans() // with children of those that have just ended
		since := time.Since(began)
		if len(left) == 0 || since > 2*patienceWithOrphans {
			break
		}
		if since > patienceWithOrphans {
			sig = unix.SIGKILL
		}
		for _, pid := range left {
			if names[pid] == "" {
				names[pid] = nameOf(pid)
			} else if sig == unix.SIGTERM {
				continue // it was asked
			}
			_ = unix.Kill(pid, sig) // ours until it is waited for: the number is no other's
		}
	}
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) // as it was
	for _, pid := range left {
		err = errors.Join(err, fmt.Errorf("end %s: it still runs", nameOf(pid)))
		delete(names, pid)
	}
	return slices.Sorted(maps.Values(names)), err
}

// orphans are the children that nobody here has started. It waits for those
// that have ended.
func orphans() []int {
	var left []int
	for pid := range listChildren() {
		if children.started[pid] || children.before[pid] {
			continue
		}
		if got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); got == 0 && err == nil {
			left = append(left, pid)
		}
	}
	return left
}

// listChildren asks the kernel (CONFIG_PROC_CHILDREN) for all children.
func listChildren() map[int]bool {
	all := map[int]bool{}
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list) // a thread may have ended: its children are another's then
		for word := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				all[pid] = true
			}
		}
	}
	return all
}

func nameOf(pid int) string {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return fmt.Sprintf("pid %d", pid)
	}
	name, err := p.Comm()
	if err != nil {
		return fmt.Sprintf("pid %d", pid)
	}
	return fmt.Sprintf("%s (pid %d)", name, pid)
}
