// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/json"
	"fmt"

	"github.com/kermit-trace/kermit/stream"
)

// Mark implements [Recorder].
func (r *recording) Mark(m Mark) {
	attrs := []byte("{}")
	if len(m.Attrs) > 0 {
		attrs, _ = json.Marshal(m.Attrs) // numbers and texts
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tables.marker.Append(markerRow{
		TS: stream.Now(), Name: m.Name, Workload: r.Job.Workload(), Phase: m.Phase,
		Iteration: int64(m.Iteration), ExitCode: int64(m.ExitCode), Attrs: string(attrs),
	})
	r.send(r.out.Batch(r.tables.marker.Batch()))
}

// Result implements [Recorder].
func (r *recording) Result(m Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tables.result.Append(resultRow{
		TS: stream.Now(), Workload: r.Job.Workload(), Phase: m.Phase,
		Metric: m.Metric, Value: m.Value, Unit: m.Unit, Iteration: int64(m.Iteration),
	})
	r.send(r.out.Batch(r.tables.result.Batch()))
}

// Started implements [Recorder].
func (r *recording) Started() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.said {
		_, _ = fmt.Fprintf(r.Announce, "Started benchmark %s\n", r.Job.Workload())
		r.said = true
	}
}

// send notes that a frame of this session could not be written.
func (r *recording) send(err error) {
	if err == nil {
		return
	}
	select {
	case r.failed <- fmt.Errorf("%w: %w", ErrDownstream, err):
	default: // the first says it
	}
}
