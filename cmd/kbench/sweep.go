// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/bench/collect"
	"github.com/kermit-trace/kermit/bench/journal"
	"github.com/kermit-trace/kermit/bench/process"
	"github.com/kermit-trace/kermit/bench/sweep"
	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// Exit codes of a sweep beside 0, 1 (a cell failed) and 125.
const (
	codeCellsLeft = 3
	codeBusy      = 75 // EX_TEMPFAIL of sysexits.h: try again later
)

func sweepCommand() *cli.Command {
	return &cli.Command{
		Name:  "sweep",
		Usage: "make a collection for each cell of a matrix of workloads, parameters, knobs and hooks",
		Description: "FILE says what (docs/sweep.yaml is an example). What has been done is kept beside the collections: killed\n" +
			"at any moment, by SIGKILL or a power cut, the same command goes on, until each cell is there once.\n\n" +
			"   sudo kbench sweep -f thp.yaml -o data/ --dry-run\n" +
			"   sudo kbench sweep -f thp.yaml -o data/\n" +
			"   kbench sweep -f thp.yaml -o data/ --status\n\n" +
			"Stdout gets a line for each cell, as does data/.sweep-NAME/log.\n\n" +
			"One sweep runs at a time. For cron, --quiet prints what failed and nothing else; that another sweep runs, or\n" +
			"that cells are left, is none of it.\n\n" +
			"Exit code: 0 all cells are done; 1 a cell failed, now or before; 2 a wrong call or FILE; 3 cells are left\n" +
			"(--max-time), with --quiet 0; 75 another sweep runs, with --quiet 0; 125 the sweep itself failed; 127 a program\n" +
			"is missing; 128 + n signal n ended it.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "`FILE` that says which cells"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to the dataset `DIR`", Value: "data"},
			&cli.DurationFlag{Name: "max-time", Usage: "start no cell after `TIME` such as 6h; the one that runs is finished", DefaultText: "none"},
			&cli.BoolFlag{Name: "keep-going", Aliases: []string{"k"}, Usage: "go on after a cell that failed"},
			&cli.BoolFlag{Name: "retry-failed", Usage: "run cells again that failed before; what they collected is removed"},
			&cli.BoolFlag{Name: "restart", Usage: "run all cells again; collections that are there stay"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "check FILE, and list the cells and what they may take"},
			&cli.BoolFlag{Name: "status", Usage: "say how far the sweep of FILE is; without FILE, the one that runs or ran last"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print only what failed"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "show on stderr what programs print"},
			benchmarkDirFlag(), stateFlag(),
		},
		Action: sweepCells,
	}
}

func sweepCells(c *cli.Context) error {
	switch {
	case c.NArg() > 0:
		return command.Hint(command.Usage("unexpected argument %q", c.Args().First()), "kbench sweep -f FILE")
	case c.Duration("max-time") < 0:
		return command.Usage("--max-time %s: must not be negative", c.Duration("max-time"))
	case c.Bool("status"):
		return sweepStatus(c)
	case c.String("file") == "":
		return command.Hint(command.Usage("no file that says which cells"), "kbench sweep -f FILE; docs/sweep.yaml is an example")
	}
	s, err := sweep.Read(c.Context, c.String("file"), c.String("benchmark-dir"))
	if err != nil {
		return explainSweepFile(err)
	}
	if c.Bool("dry-run") {
		f, err := s.Foresee(c.String("output"))
		if err != nil {
			return err
		}
		return printForecast(c.App.Writer, s.Name, f)
	}
	return runSweep(c, s)
}

func explainSweepFile(err error) error {
	var inFile *collect.Error
	var missing *collect.MissingError
	if errors.As(err, &inFile) || errors.As(err, &missing) {
		return explainCollect(bench.CodeFailed, err)
	}
	return explainWorkload(err)
}

func runSweep(c *cli.Context, s *sweep.Sweep) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, command.Endings()...)
	// A reader that has gone is an error to be handled, not a signal to die of.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	runtime.GOMAXPROCS(1) // as for a session of its own: there is one stream to copy

	quiet := c.Bool("quiet")
	show := startProgress(!quiet && !c.Bool("verbose"))
	options := sweep.Options{
		Output: c.String("output"), State: c.String("state"), MaxTime: c.Duration("max-time"),
		KeepGoing: c.Bool("keep-going"), RetryFailed: c.Bool("retry-failed"), Restart: c.Bool("restart"),
		Tool: "kbench " + command.Version(), Signals: signals, Begun: show.begun,
		Ended: func(e sweep.Ending, of int) {
			show.ended()
			switch {
			case !quiet:
				_, _ = fmt.Fprintln(c.App.Writer, sweep.Line(e, s.Name, of)) // the log has it too
			case e.Verdict == sweep.Failed:
				fmt.Fprintln(os.Stderr, sweep.Line(e, s.Name, of))
			}
		},
		Said: func(o journal.Outcome) {
			if !quiet || (journal.Report{o}).Err() != nil {
				fmt.Fprintln(os.Stderr, "kbench:", o)
			}
		},
	}
	if c.Bool("verbose") {
		options.Show = os.Stderr
	}
	result, err := sweep.Run(c.Context, s, options)
	show.stop()
	return concludeSweep(c, s, result, err)
}

// concludeSweep gives a start of a sweep its exit code.
func concludeSweep(c *cli.Context, s *sweep.Sweep, r sweep.Result, err error) error {
	var (
		quiet   = c.Bool("quiet")
		busy    *sweep.BusyError
		changed *sweep.ChangedError
		failed  *sweep.FailedError
	)
	switch {
	case errors.As(err, &busy) && quiet:
		return nil
	case errors.As(err, &busy):
		return command.Exit(codeBusy, command.Hint(busy, "kbench sweep --status tells how far it is"))
	case errors.As(err, &changed):
		return command.Hint(command.Usage("%w", err), "another name makes another sweep; --restart runs all cells again, collections that are there stay")
	case errors.As(err, &failed) && quiet:
		return command.Exit(1, nil) // it has been said when it happened
	case errors.As(err, &failed):
		return command.Exit(1, command.Hint(err, "see %s; --retry-failed runs it again, --keep-going the others",
			failed.File))
	case err != nil:
		return command.Exit(bench.CodeFailed, err)
	}
	if !quiet {
		if _, err := fmt.Fprintln(c.App.Writer, resultLine(s.Name, r)); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	switch {
	case r.Signal != 0:
		return command.Exit(process.CodeSignal+int(r.Signal), nil)
	case r.Failed > 0:
		return command.Exit(1, nil)
	case r.Left() > 0 && !quiet:
		return command.Exit(codeCellsLeft, nil)
	}
	return nil
}

// sweepStatus prints how far a sweep is.
func sweepStatus(c *cli.Context) error {
	output := c.String("output")
	var name string
	if file := c.String("file"); file != "" {
		var err error
		if name, err = sweep.NameOf(file); err != nil {
			return explainSweepFile(err)
		}
	} else if c.IsSet("output") {
		return command.Hint(command.Usage("-o says where the sweep of a file is: which file?"), "kbench sweep --status -f FILE -o DIR")
	} else {
		dir, err := journal.Dir(c.String("state"))
		if err != nil {
			return err
		}
		last, err := sweep.Last(dir)
		if err != nil {
			return command.Hint(err, "name one: kbench sweep --status -f FILE -o DIR")
		}
		name, output = last.Name, last.Output
	}
	s, err := sweep.ReadStatus(output, name)
	if errors.Is(err, sweep.ErrNone) {
		return command.Hint(err, "-o DIR names another dataset")
	}
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(c.App.Writer, statusText(s, sweep.Folder(output, name))); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// statusText is a status for people.
func statusText(s sweep.Status, folder string) string {
	text := resultLine(s.Name, s.Result)
	if s.TimeLeft > 0 {
		text += ", about " + s.TimeLeft.Round(time.Second).String() + " to go"
	}
	text += "\n"
	switch {
	case s.Running && s.Cell > 0:
		text += fmt.Sprintf("cell %d has been running for %s: %s\n", s.Cell, time.Since(s.Since).Round(time.Second), s.Label)
	case s.Running:
		text += "it runs\n"
	case s.Cell > 0:
		text += fmt.Sprintf("it does not run: it was killed in cell %d, begun %s: %s\n", s.Cell, s.Since.Local().Format(time.DateTime), s.Label)
	case s.Left() > 0:
		text += "it does not run\n"
	}
	for _, e := range s.Failures {
		text += sweep.Line(e, s.Name, s.Cells) + "\n"
	}
	if len(s.Failures) > 0 {
		text += "what their programs printed is in " + filepath.Join(folder, "cell-*.txt") + "\n"
	}
	return text
}
