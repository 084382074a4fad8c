// SPDX-License-Identifier: Apache-2.0

// Ktrace attaches probes to the running kernel and writes what they see to
// stdout, as a stream (package stream).
package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/kermit-trace/kermit/cmd/internal/command"
)

const description = `Attaches a hook's probes and writes a row for each event to stdout, for
kbench and kparquet to read. Ends at SIGINT, SIGTERM, after --duration, or when
kbench asks it to; the last rows and counters are written then. Rows that could
not be kept are counted, in the table hook_stats of the stream.

Needs CAP_BPF and CAP_PERFMON to attach (CAP_NET_ADMIN for tcp_v4_rcv) and drops
every capability afterwards; under sudo it becomes the invoking user.

EXAMPLES:
   sudo ktrace --duration 10s | kparquet -o data/
   sudo ktrace -k page_fault,process_trace | kbench exec -- make | kparquet -o data/
   sudo ktrace -k tcp_v4_rcv --duration 1s | ktrace cat -k tcp_v4_rcv
   sudo ktrace -k page_fault -- make | kparquet -o data/       only make and what it starts
   sudo ktrace --follow | kbench exec -- make | kparquet -o data/
   sudo ktrace --comm redis-server --duration 1m | kparquet -o data/
   ktrace doctor

Filters are judged in the kernel, before a row is made, by the process that the
row is about. Several must all hold. Rows that belong to no process, such as the
packets of tcp_v4_rcv, are not filtered; ktrace says so.`

const defaultHooks = "page_fault,mm_rss_stat,process_trace,tcp_v4_rcv"

func main() {
	app := &cli.App{
		Name:        "ktrace",
		Usage:       "record what the kernel does, as a stream of rows",
		UsageText:   "ktrace [options] [-- CMD …] | kparquet -o DIR\n   ktrace list | doctor | cat",
		ArgsUsage:   "[-- CMD …]",
		Description: description,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "hooks", Aliases: []string{"k"}, Value: defaultHooks, Usage: "hooks or tables to record, separated by commas"},
			&cli.DurationFlag{Name: "duration", Usage: "end after this time, such as 10s (default: run until asked to stop)"},
			&cli.BoolFlag{Name: "self", Usage: "record ktrace, kbench and kparquet themselves too"},
			&cli.StringFlag{Name: "ring-size", Value: "64MiB", Usage: "memory of all rings together, over CPUs and hooks"},
			&cli.StringSliceFlag{Name: "source", Usage: "`HOOK=SOURCE`: attach the hook in this way only (ktrace doctor lists them)"},
			&cli.BoolFlag{Name: "best-effort", Usage: "leave out a hook that cannot be attached here"},
			&cli.BoolFlag{Name: "cost", Usage: "record what the probes cost, in the table probe_cost; slows each a little"},
			&cli.BoolFlag{Name: "follow", Usage: "record only what kbench starts, and all its descendants"},
			&cli.IntSliceFlag{Name: "pid", Aliases: []string{"p"}, Usage: "record only this process and its descendants; may be repeated"},
			&cli.StringFlag{Name: "comm", Usage: "record only processes of this name"},
			&cli.StringFlag{Name: "uid", Usage: "record only processes of this user: a name or a number"},
			&cli.StringFlag{Name: "cgroup", Usage: "record only processes in this cgroup (version 2) and below it: a path, absolute or below their mount"},
			command.Verbose(),
		},
		Action:   record,
		Commands: []*cli.Command{list(), doctor(), cat()},
	}
	command.Main(context.Background(), app)
}
