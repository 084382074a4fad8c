// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"io"
	"os"
	"time"

	"github.com/kermit-trace/kermit/bench/knob"
)

// Plan is one collection to be made.
type Plan struct {
	Workload     string            // name of a built-in workload, or path of a workload's file
	Name         string            // under which it is announced and filed; "": the workload's
	Set          map[string]string // values of its parameters
	Repeat       int               // times that the workload runs; 0 is 1
	Warmup       int               // times before those
	Timeout      time.Duration     // for all of it; 0: none
	CPUs         string            // list of CPUs for its programs; "": all
	BenchmarkDir string            // where programs are that no package has

	Hooks      []string // to record; none: nobody traces, the collection is a baseline
	BestEffort bool     // leave out a hook that cannot be attached

	Knobs knob.Set      // settings of the machine while the workload runs
	Wait  time.Duration // for another run that has one of the settings
	State string        // folder of the journal; "": journal.Dir's choice

	Output string        // the dataset's directory
	Prefix string        // of the collection's id; "": none
	Rotate time.Duration // how often parts are published; 0: kparquet's choice
	Hold   *os.File      // stays open in kparquet until that has ended: a lock of it tells that a collection may still come; nil: none

	// More facts about the run, to be written as YAML under the key "collect" of
	// its configuration (table run, metadata of the files); nil: none.
	More any
}

// Console is what a run talks to.
type Console struct {
	Out     io.Writer        // "Started benchmark NAME"
	Log     io.Writer        // what the user should know; what programs print
	Signals <-chan os.Signal // mean "end"; nil: none come
	End     <-chan struct{}  // closed: end in order, exit code 0; nil: never
	// Attached is called with the hooks that are recorded once all their probes
	// are attached, Ended with the time that the workload took. Either may be nil.
	Attached func(hooks []string)
	Ended    func(time.Duration)
	Tool     string // name and version of this program
}

// Outcome is what has become of a plan.
type Outcome struct {
	ID   string // of the collection; "": there is none
	Dir  string // its directory
	Code int    // exit code: the workload's, or a session's own
}
