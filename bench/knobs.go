// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kermit-trace/kermit/bench/journal"
	"github.com/kermit-trace/kermit/bench/knob"
	"github.com/kermit-trace/kermit/bench/process"
)

// Machine is what a session may change on the machine, and the journal that
// undoes it.
type Machine struct {
	Knobs   knob.Set
	Wait    time.Duration // for another run that has one of the knobs
	Journal *journal.Journal
}

// set sets the knobs. The text is a JSON object: for each name, the value
// before and during the run.
func (m *Machine) set(ctx context.Context) (string, error) {
	if m == nil || len(m.Knobs) == 0 {
		return "{}", nil
	}
	values, err := m.Knobs.Apply(ctx, m.Journal, m.Wait)
	return values.String(), err
}

// restore puts everything back, and names the processes that it had to end.
func (m *Machine) restore(log io.Writer) error {
	if m == nil {
		return nil
	}
	report := m.Journal.Close()
	ended, err := process.EndOrphans()
	for _, name := range ended {
		_, _ = fmt.Fprintf(log, "kbench: ended what was left running: %s\n", name)
	}
	for _, o := range report {
		if o.Verdict == journal.Ended || o.Verdict == journal.Killed {
			_, _ = fmt.Fprintf(log, "kbench: %s what was left running: %s\n", o.Verdict, o.Thing)
		}
	}
	return errors.Join(report.Err(), err)
}
