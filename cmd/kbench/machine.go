// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/bench/journal"
	"github.com/kermit-trace/kermit/bench/knob"
	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/urfave/cli/v2"
)

// machineFlags say what of the machine may be changed.
func machineFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "knob", Usage: "set `NAME=VALUE` for the run: transparent_hugepages=never, vm.swappiness=10, /sys/…=x"},
		&cli.DurationFlag{Name: "wait", Usage: "wait up to `TIME` for another run that has one of the knobs", DefaultText: "fail at once"},
		stateFlag(),
	}
}

func stateFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "state", Usage: "`DIR` of journals, by which what a killed run has changed is put back",
		DefaultText: "/var/lib/kermit for root, else ~/.local/state/kermit",
	}
}

// machine checks the knobs and opens the journal of a run; without knobs and
// processes of its own a run needs none.
func machine(c *cli.Context, what string, knobs knob.Set, journaled bool) (*bench.Machine, error) {
	asked, err := knob.Parse(c.StringSlice("knob"))
	if err != nil {
		return nil, explainKnob(err)
	}
	if c.Duration("wait") < 0 {
		return nil, command.Usage("--wait %s: must not be negative", c.Duration("wait"))
	}
	m := &bench.Machine{Knobs: knobs.With(asked), Wait: c.Duration("wait")}
	if err := m.Knobs.Check(); err != nil {
		return nil, explainKnob(err)
	}
	if len(m.Knobs) == 0 && !journaled {
		return nil, nil
	}
	dir, err := journal.Dir(c.String("state"))
	if err != nil {
		return nil, command.Exit(bench.CodeFailed, command.Hint(err, "name one with --state DIR"))
	}
	if m.Journal, err = journal.Open(dir, "kbench "+what, named{os.Stderr}); err != nil {
		return nil, command.Exit(bench.CodeFailed, command.Hint(err, "name another folder with --state DIR"))
	}
	return m, nil
}

// named puts our name before each line.
type named struct{ io.Writer }

func (n named) Write(line []byte) (int, error) {
	if _, err := fmt.Fprintf(n.Writer, "kbench: %s", line); err != nil {
		return 0, err
	}
	return len(line), nil
}

// explainKnob gives an error of a knob advice.
func explainKnob(err error) error {
	var e *knob.Error
	if !errors.As(err, &e) {
		return command.Usage("%w", err)
	}
	err = command.Exit(bench.CodeFailed, err)
	if near := command.Nearest(e.Given, e.Known); near != "" {
		return command.Hint(command.Usage("%w", e), "did you mean %s?", near)
	}
	if e.Hint != "" {
		return command.Hint(err, "%s", e.Hint)
	}
	return err
}

func restoreCommand() *cli.Command {
	return &cli.Command{
		Name:  "restore",
		Usage: "put back what killed runs have changed, and end what they left running",
		Description: "Settings, servers, programs of workloads, working folders. The command of `kbench exec` is the user's\n" +
			"own: it goes on. Prints a line for each thing. Runs that go on are left alone. Exit code 1 when\n" +
			"something is not as it was: a setting that somebody else has changed since is left as it is.\n\n" +
			"Any later run of kbench with the same --state does this first.\n\n" +
			"   sudo kbench restore",
		Flags: []cli.Flag{stateFlag()},
		Action: func(c *cli.Context) error {
			dir, err := journal.Dir(c.String("state"))
			if err != nil {
				return command.Hint(err, "name one with --state DIR")
			}
			report, err := journal.Restore(c.Context, dir)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprint(c.App.Writer, report); err != nil {
				return fmt.Errorf("write report: %w", err)
			}
			if report.Err() != nil {
				return command.Exit(1, nil)
			}
			return nil
		},
	}
}
