// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/bench/collect"
	"github.com/kermit-trace/kermit/bench/knob"
	"github.com/kermit-trace/kermit/bench/workload"
	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/kermit-trace/kermit/stream"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

func collectCommand() *cli.Command {
	return &cli.Command{
		Name:      "collect",
		Usage:     "make a collection as a file of KernMLOps says: ktrace, the workload and kparquet in one",
		ArgsUsage: "[data]",
		Description: "Starts ktrace and kparquet, runs the benchmark between them, and puts the settings of the machine\n" +
			"back that it has changed. Stdout gets \"Started benchmark NAME\" after the benchmark's preparation and,\n" +
			"as the last line, the collection's id; its folder is curated/NAME/ID/ of the dataset.\n\n" +
			"A line with END on stdin, SIGINT and SIGTERM end it in order.\n\n" +
			"   sudo kbench collect -c config/redis_never.yaml\n" +
			"   sudo kbench collect -b faux -v",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config-file", Aliases: []string{"c"}, Usage: "`FILE` that says what to collect", Value: "defaults.yaml"},
			&cli.StringFlag{Name: "benchmark", Aliases: []string{"b"}, Usage: "run the benchmark `NAME`", DefaultText: "what the file says"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to the dataset `DIR`", DefaultText: "what the file says, or data"},
			&cli.StringFlag{Name: "collection-prefix", Aliases: []string{"p"}, Usage: "start the collection's id with `PREFIX`"},
			benchmarkDirFlag(),
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "say on stdout what KernMLOps says"},
			stateFlag(),
		},
		Action: collectData,
	}
}

func collectData(c *cli.Context) error {
	if c.NArg() > 1 || c.NArg() == 1 && c.Args().First() != "data" {
		return command.Hint(command.Usage("unexpected argument %q", c.Args().Get(c.NArg()-1)), "kbench collect --help; kstat reads what was collected")
	}
	hooks, err := collect.AskKtrace(c.Context)
	if err != nil {
		return explainCollect(bench.CodeFailed, err)
	}
	plan, warnings, err := collect.Read(c.String("config-file"), c.String("benchmark"), hooks)
	for _, w := range warnings {
		fmt.Fprintln(os.Stderr, "kbench:", w)
	}
	if errors.Is(err, fs.ErrNotExist) && !c.IsSet("config-file") {
		err = command.Hint(err, "-c FILE names another one")
	}
	if err != nil {
		return explainCollect(collect.CodeWrong, err)
	}
	plan.Prefix, plan.State = c.String("collection-prefix"), c.String("state")
	if c.IsSet("output") {
		plan.Output = c.String("output")
	}
	if dir := c.String("benchmark-dir"); c.IsSet("benchmark-dir") && dir != "" {
		plan.BenchmarkDir = dir
	} else if plan.BenchmarkDir == "" {
		plan.BenchmarkDir = benchmarkDir()
	}
	runtime.GOMAXPROCS(1) // as for a session of its own: there is one stream to copy
	outcome, err := collect.Run(c.Context, plan, console(c, plan))
	if err := explainCollect(outcome.Code, err); err != nil || outcome.Code != 0 {
		return conclude(c.App.Writer, outcome, command.Exit(outcome.Code, err))
	}
	return conclude(c.App.Writer, outcome, nil)
}

// conclude prints the id, where there is one: the last line of stdout.
func conclude(w io.Writer, o collect.Outcome, err error) error {
	if o.ID == "" {
		return err
	}
	if _, failed := fmt.Fprintln(w, o.ID); failed != nil && err == nil {
		return fmt.Errorf("write collection id: %w", failed)
	}
	return err
}

// console is the terminal, or whatever called.
func console(c *cli.Context, plan collect.Plan) collect.Console {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, command.Endings()...)
	// A reader that has gone is an error to be handled, not a signal to die of.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	out := collect.Console{
		Out: c.App.Writer, Log: os.Stderr, Signals: signals, End: awaitEND(os.Stdin), Tool: "kbench " + command.Version(),
	}
	if !c.Bool("verbose") {
		return out
	}
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(c.App.Writer, format+"\n", args...) } // it is a courtesy
	out.Attached = func(hooks []string) {
		for _, h := range hooks {
			say("%s BPF program loaded", h)
		}
		say("Finished loading BPF programs")
		if plan.Workload == "faux" {
			say("\nHit Ctrl+C to terminate...")
		}
	}
	out.Ended = func(d time.Duration) { say("Benchmark ran for %ss", fmt.Sprint(d.Seconds())) }
	return out
}

// awaitEND returns a channel that is closed when a line with END in it comes.
// The end of the input says nothing: cron has none.
func awaitEND(in *os.File) <-chan struct{} {
	if term.IsTerminal(int(in.Fd())) {
		// A read in the background would stop the process, unless it is ignored.
		signal.Ignore(unix.SIGTTIN)
	}
	end := make(chan struct{})
	go func() {
		for r := bufio.NewReader(in); ; {
			line, err := r.ReadString('\n')
			if strings.Contains(line, "END") {
				close(end)
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return end
}

// explainCollect gives an error of a collection its exit code and advice.
func explainCollect(code int, err error) error {
	var (
		inFile  *collect.Error
		missing *collect.MissingError
		child   *collect.ChildError
		setting *knob.Error
		param   *workload.ParamError
		need    *workload.NeedError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &inFile):
		return misnamed(err, inFile.Given, inFile.Known)
	case errors.As(err, &missing):
		return command.Exit(code, command.Hint(err, "make build makes it"))
	case errors.As(err, &child) && child.Program == "ktrace" && os.Geteuid() != 0:
		return command.Exit(code, command.Hint(err, "see what it says; sudo must not ask for a password: sudo -v"))
	case errors.As(err, &child):
		return command.Exit(code, command.Hint(err, "see what %s says", child.Program))
	case errors.As(err, &setting):
		return explainKnob(err)
	case errors.As(err, &param), errors.As(err, &need):
		return explainWorkload(err)
	case errors.Is(err, stream.ErrEmpty), errors.Is(err, bench.ErrStopSocket), errors.Is(err, bench.ErrDownstream):
		return explain(code, err)
	}
	return command.Exit(code, err)
}
