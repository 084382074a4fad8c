// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os/signal"

	"github.com/kermit-trace/kermit/bench/workload"
	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/urfave/cli/v2"
)

func installCommand() *cli.Command {
	return &cli.Command{
		Name:      "install",
		Usage:     "build the programs of a workload that no package has",
		ArgsUsage: "WORKLOAD",
		Description: "Runs the workload's script, which fetches a pinned source (that needs a network) and builds it\n" +
			"under --benchmark-dir. Programs that a package has are named with the command that installs it.\n\n" +
			"   kbench install redis",
		Flags: []cli.Flag{benchmarkDirFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return command.Hint(command.Usage("name one workload"), "kbench list")
			}
			w, err := load(c.Args().First())
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(c.Context, command.Endings()...)
			defer stop()
			missing, err := w.Install(ctx, c.String("benchmark-dir"), c.App.ErrWriter)
			if err != nil {
				return err
			}
			for _, n := range missing {
				if _, err := fmt.Fprintf(c.App.Writer, "%s: %s\n", n.Program+n.File, n.Install); err != nil {
					return fmt.Errorf("write: %w", err)
				}
			}
			if len(missing) > 0 {
				return command.Exit(1, (&workload.NeedError{Workload: w.Name, Missing: missing}))
			}
			return nil
		},
	}
}
