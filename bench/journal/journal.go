// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/kermit-trace/kermit/bench/knob"
	"golang.org/x/sys/unix"
)

// Grace is how long a process has between SIGTERM and SIGKILL.
const Grace = 5 * time.Second

// step is called after each step, by its name. Tests die in it.
var step = func(string) {}

// Journal is what one run has changed. Its methods may be called by several
// goroutines.
type Journal struct {
	dir string
	log io.Writer

	mu   sync.Mutex
	self entry
	size int64 // of the records
}

// Open starts the journal of a run in a folder, which is made where there is
// none. What names the run to users: "kbench run redis". First it undoes what
// dead runs have left, and says so on log, a line for each thing.
func Open(dir, what string, log io.Writer) (*Journal, error) {
	h, err := newHeader(what)
	if err != nil {
		return nil, err
	}
	f, err := enter(context.Background(), dir)
	if err != nil {
		return nil, err
	}
	defer f.leave()
	entries, err := f.survey("")
	if err != nil {
		return nil, err
	}
	say(log, undoDead(entries))
	j := &Journal{dir: dir, log: log, self: entry{path: filepath.Join(dir, h.Mark+suffix), run: &history{}}}
	if j.self.file, err = os.OpenFile(j.self.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, fmt.Errorf("create journal: %w", err)
	}
	step("created")
	if err := j.begin(h); err != nil {
		_ = os.Remove(j.self.path)
		_ = j.self.file.Close()
		return nil, err
	}
	step("begun")
	return j, nil
}

// begin locks the new journal and writes its first record.
func (j *Journal) begin(h *header) error {
	if ok, err := tryLock(j.self.file); err != nil || !ok {
		return fmt.Errorf("lock journal: %w", err) // a file system without flock: nobody else knows the file
	}
	if err := j.append(record{Run: h}, true); err != nil {
		return err
	}
	if err := syncDir(j.dir); err != nil {
		return fmt.Errorf("sync journal: %w", err)
	}
	return nil
}

// append adds a record, on the disk if durable. A record that could not be
// written whole is taken off again, so that the next one is a line of its own.
func (j *Journal) append(r record, durable bool) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	line = append(line, '\n')
	_, err = j.self.file.WriteAt(line, j.size)
	if err == nil && durable {
		err = j.self.file.Sync()
	}
	if err != nil {
		_ = j.self.file.Truncate(j.size)
		return fmt.Errorf("write journal: %w", err)
	}
	j.size += int64(len(line))
	j.self.run.add(r)
	return nil
}

// Mark is a variable for the environment of each process that the run starts,
// "NAME=value". By it they are known wherever they go.
func (j *Journal) Mark() string { return markName + j.self.run.header.Mark }

// BusyError is the error when a live run has claimed a file.
type BusyError struct {
	File string
	By   string // the run
}

func (e *BusyError) Error() string { return fmt.Sprintf("%s is in use by %s", e.File, e.By) }

// claimEvery is how often a claim is tried again.
const claimEvery = 100 * time.Millisecond

// Claim takes files for this run until Close; all at once, so that two runs
// cannot wait for each other. While a live run has one of them it waits, for at
// most wait; then the error is a [*BusyError]. What dead runs have changed is
// undone first, so that no run takes it for the machine's own.
func (j *Journal) Claim(ctx context.Context, wait time.Duration, files ...string) error {
	resolved := make([]string, len(files))
	for i, file := range files {
		var err error
		if resolved[i], err = knob.Resolve(file); err != nil {
			return fmt.Errorf("claim %s: %w", file, err)
		}
	}
	var said bool
	for end := time.Now().Add(wait); ; {
		busy, err := j.tryClaim(ctx, resolved)
		if err != nil || busy == nil {
			return err
		}
		if time.Now().After(end) {
			return busy
		}
		if !said {
			_, _ = fmt.Fprintf(j.log, "waiting: %v\n", busy)
			said = true
		}
		if !pause(ctx, claimEvery) {
			return fmt.Errorf("wait for %w: %w", busy, context.Cause(ctx))
		}
	}
}

// tryClaim takes the files unless a live run has one.
func (j *Journal) tryClaim(ctx context.Context, files []string) (*BusyError, error) {
	f, err := enter(ctx, j.dir)
	if err != nil {
		return nil, err
	}
	defer f.leave()
	entries, err := f.survey(j.self.path)
	if err != nil {
		return nil, err
	}
	say(j.log, undoDead(entries))
	claims := claimed(entries)
	for _, file := range files {
		if by, ok := claims[file]; ok {
			return &BusyError{file, by}, nil
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.append(record{Claim: files}, true); err != nil {
		return nil, err
	}
	step("claimed")
	return nil, nil
}

// claimed tells which live run has which file.
func claimed(entries []entry) map[string]string {
	claims := map[string]string{}
	for _, e := range entries {
		if e.file == nil && e.err == nil && e.run.header != nil {
			for _, file := range e.run.claims {
				claims[file] = e.run.header.String()
			}
		}
	}
	return claims
}

// Change records that files are about to change, and writes the first; those
// that follow the kernel changes with it. Put back they are in the opposite
// order. They must have been claimed, and hold their old values.
func (j *Journal) Change(c knob.Change, follow ...knob.Change) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range append([]knob.Change{c}, follow...) {
		if !slices.Contains(j.self.run.claims, c.File) {
			return fmt.Errorf("change %s: not claimed", c.File)
		}
		if err := j.append(record{Knob: &c}, true); err != nil {
			return err
		}
		step("recorded")
	}
	if err := knob.Write(c.File, c.New); err != nil {
		return err
	}
	step("written")
	// Until it is known that the kernel took the value as it is, any other is its
	// work: rounded, or half done.
	if now, err := knob.Read(c.File); err != nil || !knob.Same(now.Value, c.New) {
		return err
	}
	if err := j.append(record{Held: true}, true); err != nil {
		return err
	}
	step("held")
	return nil
}

// Service records a process that must not outlive the run, just started and not
// yet waited for. If it leads a process group, the group's processes must not
// either.
func (j *Journal) Service(pid int, name string) error {
	p, err := look(pid)
	if err != nil {
		return fmt.Errorf("record process %d: %w", pid, err)
	}
	s := service{Name: name, PID: pid, Start: p.start, Session: p.session}
	if p.group == pid {
		s.Group = pid
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.append(record{Service: &s}, false); err != nil {
		return err
	}
	step("served")
	return nil
}

// ServiceEnded records that a process has ended and was waited for.
func (j *Journal) ServiceEnded(pid int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.append(record{Ended: pid}, false); err != nil {
		return err
	}
	step("ended")
	return nil
}

// Folder records a folder that the run has made for itself, and that must not
// outlive it.
func (j *Journal) Folder(path string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(record{Folder: path}, false)
}

// FolderSettled records that a folder has been removed, or is to stay.
func (j *Journal) FolderSettled(path string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(record{Settled: path}, false)
}

// Close ends the run's processes, removes its folders, puts back what it has
// changed, last first, and removes the journal. What could not be undone stays in the journal for
// [Restore]; [Report.Err] tells.
// A second call does nothing.
func (j *Journal) Close() Report {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.self.file == nil {
		return nil
	}
	report := undo(&j.self, nil)
	_ = unix.Flock(int(j.self.file.Fd()), unix.LOCK_UN) // at once, even while a child is half made
	_ = j.self.file.Close()
	j.self.file = nil
	return report
}
