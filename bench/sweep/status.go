// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNone is the error for a sweep that has never begun.
var ErrNone = errors.New("has not begun")

// Status is how far a sweep has come.
type Status struct {
	Name string
	Result
	Running  bool
	Cell     int           // that runs, or was killed; 0: none
	Label    string        // of it
	Since    time.Time     // when it began
	TimeLeft time.Duration // for it and those behind it; 0: nobody knows
	Failures []Ending      // in the order of the cells
}

// ReadStatus reads how far the sweep of a name has come in a dataset. It
// changes nothing, and needs no right but to read the folder. The error is an
// [ErrNone] where there is no such sweep.
func ReadStatus(output, name string) (Status, error) {
	folder := Folder(output, name)
	h, _, err := replay(filepath.Join(folder, stateName))
	if err != nil {
		return Status{}, err
	}
	if h.header == nil {
		return Status{}, fmt.Errorf("sweep %s %w in %s", name, ErrNone, output)
	}
	s := Status{Name: name, Result: Result{Cells: h.header.Cells, Done: h.count(Done), Failed: h.count(Failed)}}
	if s.Running, err = held(folder); err != nil {
		return s, err
	}
	if h.open != nil {
		s.Cell, s.Label, s.Since = h.open.Cell, h.open.Label, h.open.Time
		if s.Running && h.open.LeftMS > 0 {
			left := time.Duration(h.open.LeftMS)*time.Millisecond - time.Since(h.open.Time)
			s.TimeLeft = max(left, time.Second)
		}
	}
	for _, e := range h.last {
		if e.Verdict == Failed {
			s.Failures = append(s.Failures, e)
		}
	}
	slices.SortFunc(s.Failures, func(a, b Ending) int { return a.Cell - b.Cell })
	return s, nil
}

// held tells whether a sweep has the folder. It asks for a shared lock, for
// which a sweep that starts just now waits.
func held(folder string) (bool, error) {
	f, err := os.Open(filepath.Join(folder, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("see whether the sweep runs: %w", err)
	}
	defer func() { _ = f.Close() }()
	free, err := tryLock(f, unix.LOCK_SH)
	if err != nil {
		return false, fmt.Errorf("see whether the sweep runs: %w", err)
	}
	return !free, nil
}

// Forecast is what a sweep will do.
type Forecast struct {
	Cells []Expected
	Seed  *uint64 // of the order; nil: the order is the file's, or the start will draw one
	Drawn bool    // the order will be random, and is not known yet
	Known int     // cells done before, by which the others are estimated
}

// Expected is a cell of a forecast.
type Expected struct {
	Cell
	Verdict Verdict       // "": it has never run
	Took    time.Duration // as the cells before it; else at least, by the workload's parameters; 0: nobody knows
	Bytes   int64         // as the cells before it
	Least   bool          // Took is what it takes at least; Bytes is not known
}

// Foresee tells what a start of the sweep would do, and what it may take. It
// starts and changes nothing.
func (s *Sweep) Foresee(output string) (Forecast, error) {
	h, _, err := replay(filepath.Join(Folder(output, s.Name), stateName))
	if err != nil {
		return Forecast{}, err
	}
	if h.header == nil || h.header.Digest != s.digest {
		h = newHistory()
	}
	f := Forecast{Seed: s.seed, Known: h.count(Done)}
	if h.header != nil {
		f.Seed = &h.header.Seed
	}
	if !s.random {
		f.Seed = nil
	}
	var seed uint64
	if f.Seed != nil {
		seed = *f.Seed
	}
	cells := s.Cells(seed)
	if f.Drawn = s.random && f.Seed == nil; f.Drawn {
		cells = s.given()
	}
	known := newCosts(cells, h.all)
	for _, c := range cells {
		e := Expected{Cell: c, Verdict: h.last[c.Number].Verdict}
		var ok bool
		if e.Took, e.Bytes, ok = known.of(c.Number); !ok {
			e.Took, e.Least = c.least(), true
		}
		f.Cells = append(f.Cells, e)
	}
	return f, nil
}
