// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kermit-trace/kermit/internal/invoker"
	"golang.org/x/sys/unix"
)

// Verdict is how a cell ended.
type Verdict string

// Verdicts of cells.
const (
	Done        Verdict = "done"
	Failed      Verdict = "failed"
	Interrupted Verdict = "interrupted" // by a signal; it runs again
	Killed      Verdict = "killed"      // with kbench, or the machine; it runs again
)

// mostKills is how often a cell may end with kbench or the machine.
const mostKills = 3

// stateVersion is that of the format below.
const stateVersion = 1

// header is the first record of a state: the sweep.
type header struct {
	Version int       `json:"version"`
	Name    string    `json:"name"`
	Run     string    `json:"run"`    // drawn when the sweep began
	File    string    `json:"file"`   // path
	Digest  string    `json:"digest"` // of the cells
	Cells   int       `json:"cells"`
	Seed    uint64    `json:"seed"`
	Began   time.Time `json:"began"`
}

// begin says that a cell is about to start.
type begin struct {
	Cell   int       `json:"cell"`
	Label  string    `json:"label"`
	ID     string    `json:"id"` // its collection's begins with this and "-"
	Time   time.Time `json:"time"`
	LeftMS int64     `json:"left_ms,omitempty"` // what this cell and those behind it may take; 0: nobody knows
}

// Ending says how a cell ended.
type Ending struct {
	Cell     int       `json:"cell"`
	Label    string    `json:"label"`
	Time     time.Time `json:"time"`
	Verdict  Verdict   `json:"verdict"`
	ExitCode int       `json:"exit_code"` // of its workload, or of what failed
	Err      string    `json:"error,omitempty"`
	ID       string    `json:"id,omitempty"` // of its collection; "": there is none
	Rows     int64     `json:"rows"`
	Lost     int64     `json:"lost"`
	Bytes    int64     `json:"bytes"`
	Seconds  float64   `json:"seconds"` // that it took, start and end of the tracer included
}

// record is one line of a state: one of its fields.
type record struct {
	Sweep *header `json:"sweep,omitempty"`
	Begin *begin  `json:"begin,omitempty"`
	End   *Ending `json:"end,omitempty"`
}

// history is what a state tells.
type history struct {
	header *header
	open   *begin         // a cell that has begun and not ended
	last   map[int]Ending // of each cell
	all    []Ending
	kills  map[int]int
}

func newHistory() *history { return &history{last: map[int]Ending{}, kills: map[int]int{}} }

// add takes a record in, if it can follow what is there.
func (h *history) add(r record) error {
	if (h.header == nil) != (r.Sweep != nil) {
		return errors.New("a sweep begins once, first")
	}
	switch {
	case r.Sweep != nil && r.Sweep.Version != stateVersion:
		return fmt.Errorf("version %d: this kbench reads version %d", r.Sweep.Version, stateVersion)
	case r.Sweep != nil:
		h.header = r.Sweep
	case r.Begin != nil && h.open == nil:
		h.open = r.Begin
	case r.End != nil && h.open != nil && h.open.Cell == r.End.Cell:
		h.open = nil
		h.last[r.End.Cell] = *r.End
		h.all = append(h.all, *r.End)
		if r.End.Verdict == Killed {
			h.kills[r.End.Cell]++
		}
	default:
		return errors.New("cells begin and end one after the other")
	}
	return nil
}

// count counts the cells that ended so.
func (h *history) count(v Verdict) (n int) {
	for _, e := range h.last {
		if e.Verdict == v {
			n++
		}
	}
	return n
}

// replay reads a state. A last line without its end is one whose act never
// began; size is without it.
func replay(path string) (h *history, size int64, err error) {
	h = newHistory()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read state: %w", err)
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	for n, line := range bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) {
		if len(data) == 0 {
			break
		}
		var r record
		err := json.Unmarshal(line, &r)
		if err == nil {
			err = h.add(r)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read state: %s:%d: %w", path, n+1, err)
		}
	}
	return h, int64(len(data)), nil
}

// state is the record of a sweep, open for more.
type state struct {
	*history
	file *os.File
	size int64 // of the records
}

// openState reads a state and cuts off what was written by halves.
func openState(path string) (*state, error) {
	h, size, err := replay(path)
	if err != nil {
		return nil, err
	}
	s := &state{history: h, size: size}
	if s.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	err = errors.Join(s.file.Truncate(size), invoker.Give(path), syncDir(filepath.Dir(path)))
	if err != nil {
		_ = s.file.Close()
		return nil, fmt.Errorf("open state: %w", err)
	}
	return s, nil
}

// append adds a record, which is on the disk then. One that could not be written
// whole is taken off again.
func (s *state) append(r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	line = append(line, '\n')
	if _, err = s.file.WriteAt(line, s.size); err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		_ = s.file.Truncate(s.size)
		return fmt.Errorf("write state: %w", err)
	}
	s.size += int64(len(line))
	if err := s.add(r); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

func (s *state) close() { _ = s.file.Close() } // each record is on the disk
