// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kermit-trace/kermit/bench/collect"
	"github.com/kermit-trace/kermit/dataset"
	"github.com/kermit-trace/kermit/internal/invoker"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"
)

// place is what is written of a cell into its collection.
type place struct {
	Sweep       string     `yaml:"sweep"`
	Run         string     `yaml:"sweep_run"`
	File        string     `yaml:"file"`
	SHA256      string     `yaml:"file_sha256"`
	Seed        uint64     `yaml:"seed"`
	Cell        int        `yaml:"cell"`
	Cells       int        `yaml:"cells"`
	Coordinates *yaml.Node `yaml:"coordinates"`
}

// id is what the id of the cell's collection begins with.
func (r *runner) id(c *Cell) string {
	id := fmt.Sprintf("%s-%s-%04d", r.Name, r.state.header.Run, c.Number)
	if c.plan.Prefix != "" {
		id = c.plan.Prefix + "-" + id
	}
	return id
}

// cell makes one collection, from the note that it begins to the note how it
// ended. The error is the sweep's own.
func (r *runner) cell(ctx context.Context, c *Cell, due []*Cell) (Ending, error) {
	if last := r.state.last[c.Number]; last.ID != "" {
		if err := dataset.Discard(r.Output, last.ID); err != nil {
			return Ending{}, err
		}
		step("cleared")
	}
	b := begin{
		Cell: c.Number, Label: c.Label.String(), ID: r.id(c), Time: time.Now(), LeftMS: r.costs.left(due).Milliseconds(),
	}
	if err := r.state.append(record{Begin: &b}); err != nil {
		return Ending{}, err
	}
	step("begun")
	if r.Begun != nil {
		r.Begun(Now{
			Cell: c.Number, Cells: len(r.cells), Label: b.Label, Began: b.Time, Left: time.Duration(b.LeftMS) * time.Millisecond,
			Done: r.state.count(Done), Failed: r.state.count(Failed),
		})
	}
	outcome, err := r.collect(ctx, c, b.ID)
	step("collected")
	e := Ending{Cell: c.Number, Label: b.Label, Verdict: Done, ExitCode: outcome.Code, ID: outcome.ID}
	if err := r.judge(&e, outcome, err); err != nil {
		return e, err
	}
	e.Time, e.Seconds = time.Now(), time.Since(b.Time).Seconds()
	r.ran++
	r.costs.add(e)
	return e, r.note(e)
}

// collect makes the collection.
func (r *runner) collect(ctx context.Context, c *Cell, id string) (collect.Outcome, error) {
	name := cellFile(r.folder, c.Number)
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o644)
	if err == nil {
		err = invoker.Give(name)
	}
	if err != nil {
		return collect.Outcome{Code: 1}, fmt.Errorf("create cell's file: %w", err)
	}
	defer func() { _ = file.Close() }()
	var printed io.Writer = &capped{to: file, left: mostPrinted}
	if r.Show != nil {
		printed = io.MultiWriter(printed, r.Show)
	}
	p := c.plan
	p.Output, p.State, p.Prefix, p.Hold, p.Wait = r.Output, r.journals, id, r.hold, knobWait
	p.More = place{
		Sweep: r.Name, Run: r.state.header.Run, File: filepath.Base(r.Path), SHA256: r.SHA256, Seed: r.state.header.Seed,
		Cell: c.Number, Cells: len(r.cells), Coordinates: c.Coordinates.flow(),
	}
	signals := make(chan os.Signal, 8) // more than a user sends
	r.watch(signals)
	defer r.watch(nil)
	return collect.Run(ctx, p, collect.Console{
		Out: printed, Log: printed, Signals: signals, Tool: r.Tool,
		Attached: func([]string) { step("attached") },
		Ended: func(time.Duration) {
			r.mu.Lock()
			r.worked = true
			r.mu.Unlock()
			step("worked")
		},
	})
}

// knobWait is how long another run that has one of the cell's knobs is waited
// for.
const knobWait = 10 * time.Minute

// watch hands signals to a cell, and the one that came before it; nil: none
// runs.
func (r *runner) watch(signals chan os.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = signals
	if signals == nil {
		return
	}
	r.worked, r.cut = false, r.signal != 0
	if r.cut {
		signals <- r.signal
	}
}

// judge says how a cell ended. What a signal has cut short is removed.
func (r *runner) judge(e *Ending, o collect.Outcome, failed error) error {
	r.mu.Lock()
	cut := r.cut
	r.mu.Unlock()
	if cut {
		e.Verdict, e.ID, e.Err = Interrupted, "", "ended by a signal"
		if o.ID == "" {
			return nil
		}
		return dataset.Discard(r.Output, o.ID)
	}
	var total dataset.Totals
	var err error
	if o.Dir != "" {
		total, err = totals(o.Dir)
	}
	e.Rows, e.Lost, e.Bytes = total.Rows, total.Lost, total.Bytes
	switch {
	case failed != nil:
		e.fail(failed)
	case o.Code != 0:
		e.fail(fmt.Errorf("its workload ended with exit code %d", o.Code))
	case o.ID == "":
		e.fail(errors.New("there is no collection"))
	case err != nil:
		e.fail(err)
	case !total.Complete:
		e.fail(errors.New("its collection is not complete"))
	}
	return nil
}

func totals(dir string) (dataset.Totals, error) {
	found, err := dataset.List(dir)
	if err != nil {
		return dataset.Totals{}, err
	}
	return found[0].Totals()
}

func (e *Ending) fail(err error) {
	e.Verdict, e.Err = Failed, strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
	if e.ExitCode == 0 {
		e.ExitCode = 1
	}
}

// note notes how a cell ended: in the state, and for people.
func (r *runner) note(e Ending) error {
	if err := r.state.append(record{End: &e}); err != nil {
		return err
	}
	step("noted")
	if e.Verdict == Done {
		_ = os.Remove(cellFile(r.folder, e.Cell)) // nobody asks for it
	}
	_, _ = fmt.Fprintln(r.log, Line(e, r.Name, r.state.header.Cells)) // the state is what counts
	if r.Ended != nil {
		r.Ended(e, r.state.header.Cells)
	}
	step("logged")
	return nil
}

// Line is a cell in the log: time, sweep, cell, verdict, then words of the form
// key=value.
func Line(e Ending, name string, cells int) string {
	line := fmt.Sprintf("%s %s %d/%d %s %s exit_code=%d rows=%d lost=%d bytes=%d seconds=%.1f",
		e.Time.Format(time.RFC3339), name, e.Cell, cells, e.Verdict, e.Label, e.ExitCode, e.Rows, e.Lost, e.Bytes, e.Seconds)
	if e.ID != "" {
		line += " id=" + e.ID
	}
	if e.Err != "" {
		line += fmt.Sprintf(" error=%q", e.Err)
	}
	return line
}
