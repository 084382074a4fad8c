// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/kermit-trace/kermit/bench/journal"
	"github.com/kermit-trace/kermit/bench/process"
	"github.com/kermit-trace/kermit/internal/invoker"
	"golang.org/x/sys/unix"
)

// step is called after each step, by its name. Tests die in it.
var step = func(string) {}

// Options of a start.
type Options struct {
	Output      string           // the dataset's directory
	State       string           // folder of journals; "": journal.Dir's choice
	MaxTime     time.Duration    // no cell but the first starts after it; 0: none
	KeepGoing   bool             // other cells run after one that failed
	RetryFailed bool             // cells that failed before run again
	Restart     bool             // all cells run again; collections that are there stay
	Tool        string           // name and version of this program
	Signals     <-chan os.Signal // mean "end"; nil: none come
	Show        io.Writer        // gets what programs print, beside the cell's file; nil: nothing does

	Begun func(Now)              // a cell begins; may be nil
	Ended func(e Ending, of int) // a cell has ended; may be nil
	Said  func(journal.Outcome)  // something was undone of a run that was killed; may be nil
}

// Now is a cell that runs, and what is behind and before it.
type Now struct {
	Cell, Cells  int
	Label        string
	Began        time.Time
	Done, Failed int
	Left         time.Duration // for this cell and those behind it; 0: nobody knows
}

// Result is what has become of a sweep so far.
type Result struct {
	Cells, Done, Failed int
	Ran                 int            // in this start
	Signal              syscall.Signal // that ended it; 0: none
}

// Left is the number of cells that have not run to an end.
func (r Result) Left() int { return r.Cells - r.Done - r.Failed }

// ChangedError is the error for a sweep whose file makes other cells than when
// it began.
type ChangedError struct{ Path, Folder string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s makes other cells than when this sweep began (%s)", e.Path, e.Folder)
}

// FailedError is the error for a sweep that a failed cell has ended.
type FailedError struct {
	Name  string
	Cells int
	File  string // what its programs printed
	Ending
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("sweep %s: cell %d of %d failed: %s: %s", e.Name, e.Cell, e.Cells, e.Label, e.Err)
}

// Run runs the cells of a sweep that are left. Errors: a [*BusyError], a
// [*ChangedError], a [*FailedError] where a cell failed, now or before, and the
// sweep is not to go on; others are the sweep's own.
func Run(ctx context.Context, s *Sweep, o Options) (Result, error) {
	r := &runner{Sweep: s, Options: o}
	defer r.close()
	if err := r.open(ctx); err != nil {
		return Result{}, err
	}
	over := make(chan struct{})
	defer close(over)
	go process.Heed(ctx, r.Signals, over, r.heed)
	err := r.cellAfterCell(ctx)
	return r.result(), err
}

// runner is a sweep that runs.
type runner struct {
	*Sweep
	Options
	journals string   // their folder
	folder   string   // of this sweep
	host     *os.File // locked
	hold     *os.File // locked, by kparquet too
	log      *os.File
	state    *state
	cells    []Cell
	costs    costs
	started  time.Time
	ran      int

	mu     sync.Mutex // for what signals do
	signal syscall.Signal
	now    chan os.Signal // of the cell that runs; nil: none does
	worked bool           // its workload has ended
	cut    bool           // by a signal
}

// open takes the locks, reads the state, and clears up after a start that was
// killed.
func (r *runner) open(ctx context.Context) (err error) {
	r.started = time.Now()
	if r.journals, err = journal.Dir(r.State); err != nil {
		return err
	}
	if r.Output, err = filepath.Abs(r.Output); err != nil {
		return fmt.Errorf("find dataset: %w", err)
	}
	r.folder = Folder(r.Output, r.Name)
	me := Holder{PID: os.Getpid(), Name: r.Name, File: r.Path, Output: r.Output, Since: r.started}
	if r.host, err = lockHost(r.journals, me); err != nil {
		return err
	}
	step("locked")
	if err := r.undo(ctx); err != nil {
		return err
	}
	err = invoker.MakeDirs(r.folder)
	if err == nil {
		err = errors.Join(syncDir(r.Output), syncDir(filepath.Dir(r.Output)))
	}
	if err != nil {
		return fmt.Errorf("make folder of the sweep: %w", err)
	}
	if r.hold, err = lockFolder(r.folder, recorderWait); err != nil {
		return err
	}
	log := filepath.Join(r.folder, logName)
	if r.log, err = os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o644); err == nil {
		err = invoker.Give(log)
	}
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	if r.state, err = openState(filepath.Join(r.folder, stateName)); err != nil {
		return err
	}
	step("opened")
	if h := r.state.header; h != nil && h.Digest != r.digest && !r.Restart {
		return &ChangedError{Path: r.Path, Folder: r.folder}
	}
	if err := r.settle(); err != nil {
		return err
	}
	return r.begin()
}

func (r *runner) close() {
	if r.state != nil {
		r.state.close()
	}
	for _, f := range []*os.File{r.log, r.hold, r.host} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// undo puts back what runs that were killed have changed. Only then does the
// next run see the machine as it is.
func (r *runner) undo(ctx context.Context) error {
	report, err := journal.Restore(ctx, r.journals)
	if err != nil {
		return err
	}
	for _, o := range report {
		if o.Verdict != journal.Live && r.Said != nil {
			r.Said(o)
		}
	}
	step("undone")
	return nil
}

// begin writes the head of a new state, unless this sweep has begun before, and
// puts the cells in order.
func (r *runner) begin() error {
	path := filepath.Join(r.folder, stateName)
	if r.Restart && r.state.header != nil {
		r.state.close()
		if err := os.Rename(path, path+"."+r.state.header.Run); err != nil {
			return fmt.Errorf("restart: %w", err)
		}
		var err error
		if r.state, err = openState(path); err != nil {
			return err
		}
	}
	if r.state.header == nil {
		var random [12]byte
		_, _ = rand.Read(random[:]) // never fails
		h := &header{
			Version: stateVersion, Name: r.Name, Run: hex.EncodeToString(random[:4]), File: r.Path, Digest: r.digest,
			Cells: len(r.Sweep.cells), Began: r.started,
			Seed: uint64(binary.LittleEndian.Uint32(random[4:])), // small enough for every reader of YAML
		}
		if r.seed != nil {
			h.Seed = *r.seed
		}
		if err := r.state.append(record{Sweep: h}); err != nil {
			return err
		}
		step("headed")
	}
	r.cells = r.Cells(r.state.header.Seed)
	r.costs = newCosts(r.cells, r.state.all)
	return nil
}

// heed keeps the first signal, and hands all to the cell that runs.
func (r *runner) heed(s os.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, ok := s.(syscall.Signal); ok && r.signal == 0 {
		r.signal = n
	}
	if r.now == nil {
		return
	}
	r.cut = r.cut || !r.worked
	select {
	case r.now <- s:
	default: // one more of many
	}
}

// stopped tells whether a signal came.
func (r *runner) stopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.signal != 0
}

func (r *runner) result() Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Result{
		Cells: len(r.cells), Done: r.state.count(Done), Failed: r.state.count(Failed), Ran: r.ran, Signal: r.signal,
	}
}

// cellAfterCell runs the cells that are due.
func (r *runner) cellAfterCell(ctx context.Context) error {
	var due []*Cell
	for i := range r.cells {
		switch last := r.state.last[r.cells[i].Number]; {
		case last.Verdict == Failed && !r.RetryFailed && !r.KeepGoing:
			return r.failure(last)
		case last.Verdict == Done, last.Verdict == Failed && !r.RetryFailed:
		default:
			due = append(due, &r.cells[i])
		}
	}
	for i, c := range due {
		if r.stopped() || i > 0 && r.MaxTime > 0 && time.Since(r.started) >= r.MaxTime {
			return nil
		}
		e, err := r.cell(ctx, c, due[i:])
		if err != nil {
			return err
		}
		if e.Verdict == Failed && !r.KeepGoing {
			return r.failure(e)
		}
	}
	return nil
}

func (r *runner) failure(e Ending) error {
	return &FailedError{Name: r.Name, Cells: len(r.cells), File: cellFile(r.folder, e.Cell), Ending: e}
}
