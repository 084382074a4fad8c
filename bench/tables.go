// SPDX-License-Identifier: Apache-2.0

package bench

import "github.com/kermit-trace/kermit/stream"

// marker is a row of the table marker.
type marker struct {
	TS        int64  `col:"ts_ns" doc:"when it happened, CLOCK_BOOTTIME ns"`
	Name      string `col:"name" doc:"what happened: start, end"`
	Workload  string `col:"workload" doc:"name of the workload"`
	Phase     string `col:"phase" doc:"part of the workload that it happened in"`
	Iteration int64  `col:"iteration" doc:"repetition of the phase, from 0"`
	ExitCode  int64  `col:"exit_code" doc:"how the job ended, as a shell gives it (128 + n: killed by signal n); -1 unless name is end"`
	Attrs     string `col:"attrs" doc:"more facts, as a JSON object: pid of the job that ended"`
}

// result is the row of the table run.
type result struct {
	TS           int64  `col:"ts_ns" doc:"when the row was written, CLOCK_BOOTTIME ns"`
	Workload     string `col:"workload" doc:"name of the workload"`
	Config       string `col:"config" doc:"configuration of the run, as YAML"`
	Command      string `col:"command" doc:"the job's command line, quoted for a shell; empty without one"`
	ExitCode     int64  `col:"exit_code" doc:"how the job ended, as a shell gives it (128 + n: killed by signal n)"`
	WallNS       int64  `col:"wall_ns" doc:"from the job's start to its end"`
	CollectionNS int64  `col:"collection_ns" doc:"from the moment all probes were attached to the end of the tracer's stream"`
	Knobs        string `col:"knobs" doc:"settings of the machine before and during the run, as a JSON object; empty if none was changed"`
}

func newMarkers(workload string) *stream.Rows[marker] {
	rows := stream.NewRows[marker]("marker", "Something that the workload did: the job's start and end.", "kbench")
	rows.Table().Attrs = map[string]string{"workload": workload}
	return rows
}

func newResults() *stream.Rows[result] {
	return stream.NewRows[result]("run", "What ran and how it ended: one row, written at the end.", "kbench")
}
