// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/kermit-trace/kermit/bench/sweep"
	"golang.org/x/term"
)

// resultLine sums a sweep up.
func resultLine(name string, r sweep.Result) string {
	line := fmt.Sprintf("sweep %s: %d of %d cells done", name, r.Done, r.Cells)
	if r.Failed > 0 {
		line += fmt.Sprintf(", %d failed", r.Failed)
	}
	if n := r.Left(); n > 0 {
		line += fmt.Sprintf(", %d left", n)
	}
	return line
}

// size is a number of bytes for people.
func size(bytes int64) string {
	value, unit := float64(bytes), "B"
	for _, larger := range []string{"kB", "MB", "GB", "TB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1000, larger
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

// printForecast lists the cells of a sweep, and what those that are left may
// take.
func printForecast(w io.Writer, name string, f sweep.Forecast) error {
	out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0) // Flush gives the error
	var (
		took    time.Duration
		bytes   int64
		unknown int
		least   bool
		r       = sweep.Result{Cells: len(f.Cells)}
	)
	for _, c := range f.Cells {
		verdict, cost := string(c.Verdict), ""
		switch c.Verdict {
		case sweep.Done:
			r.Done++
		case sweep.Failed:
			r.Failed++
		default:
			if verdict == "" {
				verdict = "left"
			}
			cost = expected(c)
			took, bytes, least = took+c.Took, bytes+c.Bytes, least || c.Least
			if c.Took == 0 {
				unknown++
			}
		}
		_, _ = fmt.Fprintf(out, "%d\t%s\t%s\t%s\n", c.Number, verdict, cost, c.Label)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	switch {
	case f.Drawn:
		_, _ = fmt.Fprintln(w, "order: random, drawn when the sweep begins")
	case f.Seed != nil:
		_, _ = fmt.Fprintf(w, "order: random, seed %d\n", *f.Seed)
	}
	_, err := fmt.Fprintln(w, resultLine(name, r)+total(r.Left(), unknown, took, bytes, least, f.Known))
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// expected is what a cell may take.
func expected(c sweep.Expected) string {
	switch {
	case c.Took == 0:
		return "unknown"
	case c.Least:
		return "at least " + c.Took.String()
	}
	return fmt.Sprintf("%s, %s", c.Took.Round(time.Second/10), size(c.Bytes))
}

// total is what the cells that are left may take.
func total(left, unknown int, took time.Duration, bytes int64, least bool, known int) string {
	switch {
	case left == 0:
		return ""
	case unknown > 0:
		return ": time and disk are unknown until some are done"
	case least:
		return fmt.Sprintf(": at least %s by their parameters; disk unknown until some are done", took.Round(time.Second))
	}
	return fmt.Sprintf(": about %s and %s, as the %d done before", took.Round(time.Second), size(bytes), known)
}

// progress shows on a terminal, in a line that changes once a second, how far a
// sweep is.
type progress struct {
	shown bool
	end   chan struct{}
	wait  sync.WaitGroup

	mu  sync.Mutex
	now *sweep.Now
}

const clearLine = "\r\x1b[K"

// startProgress shows nothing where stderr is no terminal, or nothing is wanted.
func startProgress(wanted bool) *progress {
	p := &progress{end: make(chan struct{}), shown: wanted && term.IsTerminal(int(os.Stderr.Fd()))}
	if p.shown {
		p.wait.Go(p.show)
	}
	return p
}

func (p *progress) begun(now sweep.Now) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = &now
}

// ended takes the line away, for another one that stays.
func (p *progress) ended() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown && p.now != nil {
		fmt.Fprint(os.Stderr, clearLine)
	}
	p.now = nil
}

func (p *progress) stop() {
	close(p.end)
	p.wait.Wait()
}

func (p *progress) show() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-p.end:
			return
		case <-tick.C:
		}
		width, _, err := term.GetSize(int(os.Stderr.Fd()))
		if err != nil || width < 2 {
			width = 80
		}
		p.mu.Lock()
		if p.now != nil {
			line := []rune(progressLine(*p.now, time.Since(p.now.Began)))
			fmt.Fprint(os.Stderr, clearLine+string(line[:min(len(line), width-1)]))
		}
		p.mu.Unlock()
	}
}

// progressLine tells of the cell that has run for some time.
func progressLine(n sweep.Now, ran time.Duration) string {
	line := fmt.Sprintf("cell %d/%d %s", n.Cell, n.Cells, ran.Round(time.Second))
	if n.Left > 0 {
		line += fmt.Sprintf(", about %s to go", max(n.Left-ran, time.Second).Round(time.Second))
	}
	if n.Failed > 0 {
		line += fmt.Sprintf(", %d failed", n.Failed)
	}
	return line + " | " + n.Label
}
