// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/kermit-trace/kermit/dataset"
)

// progress shows, on a terminal, a line that changes once a second.
type progress struct {
	end  chan struct{}
	wait sync.WaitGroup
}

func startProgress(w *dataset.Writer) *progress {
	p := &progress{end: make(chan struct{})}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		p.wait.Go(func() { p.show(w) })
	}
	return p
}

// stop takes the line away.
func (p *progress) stop() {
	close(p.end)
	p.wait.Wait()
}

func (p *progress) show(w *dataset.Writer) {
	const clearLine = "\r\x1b[K"
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	before := map[string]int64{}
	for {
		select {
		case <-p.end:
			fmt.Fprint(os.Stderr, clearLine)
			return
		case <-tick.C:
		}
		width, _, err := term.GetSize(int(os.Stderr.Fd()))
		if err != nil || width < 2 {
			width = 80
		}
		line := []rune(progressLine(w.Status(), before))
		fmt.Fprint(os.Stderr, clearLine+string(line[:min(len(line), width-1)]))
	}
}

// progressLine gives the rows of all tables, their rate and loss, then those of
// each table that has any. before holds the rows of a second ago.
func progressLine(tables []dataset.Status, before map[string]int64) string {
	var rows, rate, lost int64
	var each strings.Builder
	for _, t := range tables {
		r := t.Rows - before[t.Table]
		before[t.Table] = t.Rows
		var l int64
		if t.Counters != nil {
			l = t.Counters.Lost()
		}
		rows, rate, lost = rows+t.Rows, rate+r, lost+l
		if t.Rows == 0 {
			continue
		}
		fmt.Fprintf(&each, " | %s %s %s/s", t.Table, short(t.Rows), short(r))
		if l > 0 {
			fmt.Fprintf(&each, " lost %s", short(l))
		}
	}
	return fmt.Sprintf("%s rows %s/s lost %s%s", short(rows), short(rate), short(lost), each.String())
}

// short writes a number in at most five characters up to 999 G.
func short(n int64) string {
	for _, unit := range []string{"", "k", "M"} {
		if n < 10_000 {
			return fmt.Sprint(n, unit)
		}
		n /= 1000
	}
	return fmt.Sprint(n, "G")
}
