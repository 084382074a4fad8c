// SPDX-License-Identifier: Apache-2.0

// Command kbench runs a job while ktrace records it: a filter between ktrace
// and kparquet.
//
//	ktrace -k page_fault | kbench exec -- make | kparquet -o data/
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/bench/workload"
	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/kermit-trace/kermit/stream"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

func main() {
	command.Main(context.Background(), &cli.App{
		Name:  "kbench",
		Usage: "run a job while ktrace records it",
		Description: "kbench is a filter: it passes a stream of ktrace on, starts the job when every probe is\n" +
			"attached, marks its start and end, and stops ktrace when it has ended. Without a stream on\n" +
			"stdin (a terminal or /dev/null) it makes one that says what ran, and where.\n\n" +
			"   ktrace | kbench exec -- make | kparquet -o data/\n" +
			"   ktrace | kbench run redis --set record_count=10000 | kparquet -o data/\n\n" +
			"Exit code: that of the job (128 + n when signal n killed it), 126 not executable, 127 not found,\n" +
			"125 when kbench itself fails, 124 when the time was over, 2 for a wrong call.",
		Commands: []*cli.Command{execCommand(), runCommand(), collectCommand(), sweepCommand(), listCommand(), showCommand(), installCommand(), restoreCommand(), ycsbCommand()},
	})
}

func execCommand() *cli.Command {
	return &cli.Command{
		Name:      "exec",
		Usage:     "run a command",
		ArgsUsage: "-- CMD [ARGS]",
		Description: "CMD reads /dev/null; what it prints goes to stderr. SIGINT and SIGTERM are passed on to it\n" +
			"and all it started, a second one kills them. Under sudo CMD runs as the user who called it.\n\n" +
			"   sudo ktrace -k page_fault | kbench exec -- make -j4 | kparquet -o data/\n" +
			"   sudo ktrace | sudo kbench exec --knob transparent_hugepages=never --repeat 5 -- ./a.out | kparquet -o data/",
		Flags: append(runFlags(),
			&cli.StringFlag{Name: "workload", Usage: "file the recording under `NAME`", DefaultText: "the base name of CMD"},
			&cli.BoolFlag{Name: "root", Usage: "under sudo, run CMD as root"}),
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 || c.Args().First() == "" {
				return command.Hint(command.Usage("no command to run"), "kbench exec -- CMD ARGS")
			}
			if c.IsSet("workload") {
				if err := bench.CheckName(c.String("workload")); err != nil {
					return command.Usage("%w", err)
				}
			}
			return perform(c, workload.Command(c.String("workload"), c.Args().Slice(), c.Bool("root")), false)
		},
	}
}

// sinkable refuses to write a stream to a terminal.
func sinkable() error {
	if term.IsTerminal(int(os.Stdout.Fd())) {
		return command.Hint(command.Usage("stdout is a terminal, and a stream is not for reading"),
			"kbench … | kparquet -o data/")
	}
	return nil
}

// session runs the job between stdin and stdout.
func session(job bench.Job, m *bench.Machine) error {
	var in io.Reader
	if !silent(os.Stdin) {
		in = os.Stdin
		stream.WidenPipe(os.Stdin)
	}
	stream.WidenPipe(os.Stdout)
	// There is one stream to copy, and nothing to do beside it: handing that work
	// from CPU to CPU costs a third more than the copying.
	runtime.GOMAXPROCS(1)

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, command.Endings()...)
	// A reader that has gone is an error to be handled, not a signal to die of;
	// ignoring the signal would make the job ignore it too.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)

	return explain(bench.Session{
		Job: job, Machine: m, In: in, Out: os.Stdout, Log: os.Stderr, Announce: os.Stderr, Signals: signals, Tool: "kbench " + command.Version(),
	}.Run())
}

// silent tells whether no stream can come: f is a terminal or /dev/null.
func silent(f *os.File) bool {
	if term.IsTerminal(int(f.Fd())) {
		return true
	}
	info, err := f.Stat()
	if err != nil {
		return true // closed
	}
	null, err := os.Stat(os.DevNull)
	if err != nil {
		return false
	}
	a, okA := info.Sys().(*syscall.Stat_t)
	b, okB := null.Sys().(*syscall.Stat_t)
	return okA && okB && info.Mode()&os.ModeCharDevice != 0 && a.Rdev == b.Rdev
}
