// SPDX-License-Identifier: Apache-2.0

// Package workload runs workloads that are described in YAML files: which
// programs a workload needs, its parameters, the servers it talks to, and the
// phases it goes through.
//
//	doc: one line that says what it does
//	kernmlops: iperf                 the name of this workload in KernMLOps' files
//	needs:
//	  - {program: iperf3, install: apt-get install iperf3}
//	params:
//	  port:     {type: port, default: 0, doc: port of the server}
//	  duration: {type: int, default: 30, unit: s, min: 1, doc: how long}
//	knobs: {vm.swappiness: 10}       settings of the machine (package bench/knob), put back after the run
//	files:
//	  server.conf: "text; the workload finds it in its working directory"
//	services:
//	  - name: server
//	    command: [iperf3, -s, -p, "{{.port}}"]
//	    ready: {port: "{{.port}}"}
//	phases:
//	  - name: run
//	    command: [iperf3, -J, -c, 127.0.0.1, -p, "{{.port}}", -t, "{{.duration}}"]
//	    results:
//	      - {metric: throughput, json: end.sum_received.bits_per_second, unit: bits/s}
//
// # Templates
//
// Every text below params is a template (text/template) over the parameters by
// name and over dir (the working directory of this run, removed after it), cwd
// (where kbench was started), kbench (its own program), benchmark_dir (where
// programs are installed that no package has), and iteration. The functions add
// and mul take integers, seconds makes whole seconds of a duration, rounded up. A
// word of a command that is a template and comes out empty is left out:
// "{{if .reverse}}-R{{end}}".
//
// # Needs
//
// A need is a program, by name or path, or a file. Where its if comes out empty,
// "false" or "0", it is none. install tells people how to get it; a script, for
// programs that no package has, is what kbench install runs: a shell script (sh
// -eu) in an empty folder, which becomes benchmark_dir/NAME of the workload when
// it has ended with 0, and never before.
//
// # Parameters
//
// Types: text, int, float, bool, duration (a Go duration: 1m30s), port,
// choice. A default of null makes a parameter optional; without a value it is
// the empty text. A port that is 0 becomes a free one; any other is refused,
// before anything starts, when it is taken.
//
// # Services
//
// A service is started before the phases and stopped after them: stop names the
// signal (default SIGTERM; SIGKILL after ten seconds). It is ready when a
// process of its own listens on ready.port, when ready.http answers with 200,
// and when ready.command has ended with 0 and its output matches ready.output;
// within ready.timeout (10s). One of port and command must be given. While nobody or somebody else listens on the port,
// nobody is asked. What it prints goes into a log in the working directory, whose
// end is shown when it fails; it is emptied at 64 MiB. A service that ends by
// itself ends the run. on_stop is a command that runs before the signal.
//
// # Phases
//
// A phase runs a command, or waits (wait: a duration, or "" for ever; ended by a
// signal, or by the line END on the terminal), or sleeps, or holds phases of its
// own, repeat times, with the count from 0 under the name of as. A phase whose
// if comes out empty, "false" or "0" is left out. setup marks preparation:
// the workload counts as started when its first other phase has. Each phase
// is framed by markers, whose attrs have the counts of the loops around it. quiet keeps its output from being shown. expect are
// regular expressions that its output must match; ^ and $ are those of a line. A
// phase that ends with another code than 0, or one of accept, ends the run.
//
// # Rights
//
// Under sudo, services and phases run as the user who called it, to whom the
// working directory belongs; root: true, of a service, a phase, or the workload,
// keeps root's rights. Such a workload does not start without them.
//
// # Results
//
// A result is a number in the phase's output (stdout): at a path of JSON (json,
// the syntax of github.com/tidwall/gjson) or by a regular expression (pattern),
// whose value is its group 1 unless value, such as "$2", says otherwise; metric
// and unit may refer to groups too. Commas between digits (1,234,567) are taken
// out. Each match gives a row. A result that is not there is an error, unless it
// is optional. Of an output of more than 16 MiB the end is looked at.
package workload
