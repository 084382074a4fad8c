// SPDX-License-Identifier: Apache-2.0

package bench

import "github.com/kermit-trace/kermit/stream"

// markerRow is a row of the table marker.
type markerRow struct {
	TS        int64  `col:"ts_ns" doc:"when it happened, CLOCK_BOOTTIME ns"`
	Name      string `col:"name" doc:"what happened: start and end of a phase, ready and stopped of a service"`
	Workload  string `col:"workload" doc:"name of the workload"`
	Phase     string `col:"phase" doc:"part of the workload that it happened in, or the service that it happened to"`
	Iteration int64  `col:"iteration" doc:"repetition of the workload, from 0; negative ones are warm-ups"`
	ExitCode  int64  `col:"exit_code" doc:"how what ended did so, as a shell gives it (128 + n: killed by signal n); -1 where nothing ended"`
	Attrs     string `col:"attrs" doc:"more facts, as a JSON object: pid of the process, counts of the loops around the phase"`
}

// resultRow is a row of the table result.
type resultRow struct {
	TS        int64   `col:"ts_ns" doc:"when the figure was known, CLOCK_BOOTTIME ns"`
	Workload  string  `col:"workload" doc:"name of the workload"`
	Phase     string  `col:"phase" doc:"part of the workload that it is of"`
	Metric    string  `col:"metric" doc:"what was measured"`
	Value     float64 `col:"value" doc:"the figure that the workload's program gave"`
	Unit      string  `col:"unit" doc:"unit of value; empty for a count"`
	Iteration int64   `col:"iteration" doc:"repetition of the workload, from 0; negative ones are warm-ups"`
}

// runRow is the row of the table run.
type runRow struct {
	TS           int64  `col:"ts_ns" doc:"when the row was written, CLOCK_BOOTTIME ns"`
	Workload     string `col:"workload" doc:"name of the workload"`
	Config       string `col:"config" doc:"configuration of the run, as YAML"`
	Command      string `col:"command" doc:"the job's command line, quoted for a shell; empty without one"`
	ExitCode     int64  `col:"exit_code" doc:"how the job ended, as a shell gives it (128 + n: killed by signal n)"`
	WallNS       int64  `col:"wall_ns" doc:"from the job's start to its end"`
	CollectionNS int64  `col:"collection_ns" doc:"from the moment all probes were attached to the end of the tracer's stream"`
	Knobs        string `col:"knobs" doc:"settings of the machine before and during the run, as a JSON object; empty if none was changed"`
}

// tables are those that a session adds to the stream.
type tables struct {
	marker *stream.Rows[markerRow]
	result *stream.Rows[resultRow]
	run    *stream.Rows[runRow]
}

func newTables(workload string) tables {
	t := tables{
		stream.NewRows[markerRow]("marker", "Something that the workload did: start and end of its phases.", "kbench"),
		stream.NewRows[resultRow]("result", "What the workload's programs measured: throughput, latency.", "kbench"),
		stream.NewRows[runRow]("run", "What ran and how it ended: one row, written at the end.", "kbench"),
	}
	t.marker.Table().Attrs = map[string]string{"workload": workload}
	return t
}

func (t tables) list() []*stream.Table {
	return []*stream.Table{t.marker.Table(), t.result.Table(), t.run.Table()}
}
