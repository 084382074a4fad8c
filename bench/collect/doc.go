// SPDX-License-Identifier: Apache-2.0

// Package collect makes whole collections: it starts ktrace and kparquet, runs
// a workload between them, and reads the files in which users of KernMLOps say
// what to collect.
//
//	ktrace -k HOOKS | the session, in this process | kparquet -o DIR
//
// A [Plan] is one collection; [Run] makes it. [Read] makes a Plan of a file of
// KernMLOps.
//
// # What Run promises
//
//   - Whatever can be known to be wrong is said before anything starts or
//     changes: parameters, ports, programs, settings of the machine.
//   - What the children say on stderr is seen. A child that fails ends the
//     collection; Run waits for each of them, and none outlives it.
//   - Settings of the machine are put back before the tracer is stopped, and by
//     the next run where this one was killed (package bench/journal).
//   - A request to end, by a signal or by Plan.End, ends the workload in order:
//     what was recorded is a complete collection.
//
// # Who runs as whom
//
// Ktrace runs by sudo, which must not ask, where this process is not root. Where
// this process is root by sudo, kparquet runs as the user who called it, so the
// files are that user's.
//
// # Files of KernMLOps
//
//	benchmark_config:
//	  generic:
//	    benchmark: redis            a workload, by the name that KernMLOps has for it
//	    benchmark_dir: ""           where programs are that no package has
//	    cpus: 0                     for workloads with a parameter jobs; 0: its default
//	    skip_clear_page_cache: false
//	    transparent_hugepages: always       no_change|always|madvise|never
//	    overcommit_memory: heuristic        no_change|heuristic|never_check|always_check
//	    khugepaged_scan_sleep_millis: null
//	  redis:                        one section a workload: its parameters
//	    record_count: 1000
//	collector_config:
//	  generic:
//	    poll_rate: 0.5              checked; probes are not polled here
//	    output_interval: 1m         how often parts are published
//	    output_dir: data
//	    output_dfs: false           true: a warning, kstat prints tables
//	    output_graphs: false        true: a warning, kstat draws
//	    hooks: [page_fault]         none given: all, best effort; an empty list: a baseline
//
// The defaults are those above; a file is laid over them, not over another
// file. A list replaces a list. A section that is null, and an empty file, say
// nothing. Keys, types, ranges and names that nobody knows are errors with their
// line. Hooks and benchmarks that KernMLOps has and this suite has not are
// warnings, a benchmark that is chosen is an error.
//
// Durations are those of pytimeparse: 90, "90", "1m30s", "1 hour, 30 min", "1:30".
package collect
