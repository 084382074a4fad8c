// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"strings"
)

// Verdict is what has become of a thing that a run changed.
type Verdict string

// Verdicts. Foreign, Left and Failed are errors; after Failed the journal stays,
// so that Restore can be tried again.
const (
	Restored  Verdict = "put back"      // a knob has its old value again
	Untouched Verdict = "as it was"     // a knob had it already; not reported
	Foreign   Verdict = "left alone"    // a knob has a value that somebody else gave it, or is another namespace's
	Gone      Verdict = "gone"          // there is nothing to put back
	Ended     Verdict = "ended"         // a process, by SIGTERM
	Killed    Verdict = "killed"        // a process, by SIGKILL
	Left      Verdict = "does not end"  // a process that not even SIGKILL has ended yet
	Stale     Verdict = "removed"       // a journal of another boot
	Removed   Verdict = "removed"       // a folder
	Live      Verdict = "still running" // a run
	Failed    Verdict = "not undone"    // for a reason
)

// Outcome is what has become of one thing.
type Outcome struct {
	Run     string // the run that changed it: "kbench run redis (pid 812)"
	Thing   string // "knob swappiness (/proc/sys/vm/swappiness)", "process redis-server (pid 815)"
	Verdict Verdict
	Detail  string
}

// String is one line.
func (o Outcome) String() string {
	line := fmt.Sprintf("%s: %s: %s", o.Run, o.Thing, o.Verdict)
	if o.Detail != "" {
		line += ": " + o.Detail
	}
	return line
}

// Report is what has become of everything.
type Report []Outcome

// String is the report, one line for each thing.
func (r Report) String() string {
	var b strings.Builder
	for _, o := range r {
		b.WriteString(o.String() + "\n")
	}
	return b.String()
}

// Err is not nil if something is not as it was before the run.
func (r Report) Err() error {
	var all []error
	for _, o := range r {
		switch o.Verdict {
		case Foreign, Left, Failed:
			all = append(all, errors.New(o.String()))
		}
	}
	return errors.Join(all...)
}
