// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/kermit-trace/kermit/dataset"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "read a dataset back and check it",
		ArgsUsage: "DIR…",
		Description: "Reads every file: checksums, schema, order of columns; whether all rows are there that the\n" +
			"tracer emitted, and whether seen = filtered + emitted + lost. One line a table. Exit code 1\n" +
			"if anything is wrong. Rows that the tracer says it lost are shown; they are no fault of the dataset.\n\n" +
			"   kparquet verify data/",
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return command.Hint(command.Usage("no dataset to verify"), "kparquet verify data/")
			}
			collections, err := dataset.List(c.Args().Slice()...)
			if err != nil {
				return err
			}
			wrong := 0
			for _, found := range collections {
				for _, check := range found.Verify() {
					fmt.Fprintln(c.App.Writer, checkLine(found.ID, check))
					wrong += len(check.Wrong)
				}
			}
			if wrong > 0 {
				return fmt.Errorf("verify: %d findings", wrong)
			}
			return nil
		},
	}
}

// checkLine says on one line how a table is.
func checkLine(id string, k dataset.Check) string {
	var b strings.Builder
	b.WriteString(id)
	if k.Table != "" {
		fmt.Fprintf(&b, " %s: %d rows", k.Table, k.Rows)
	}
	if n := k.Counters; n != nil {
		fmt.Fprintf(&b, ", seen %d, filtered %d, lost %d, missed %d", n.Seen, n.Filtered, n.Lost(), n.Missed)
	}
	if len(k.Wrong) == 0 {
		return b.String() + ": ok"
	}
	return b.String() + ": WRONG: " + strings.Join(k.Wrong, "; ")
}

func recoverCommand() *cli.Command {
	return &cli.Command{
		Name:      "recover",
		Usage:     "finish what a crash left in a dataset",
		ArgsUsage: "DIR",
		Description: "Merges the parts of recordings whose kparquet died, and removes its temporary files.\n" +
			"Recordings under way are left alone.\n\n" +
			"   kparquet recover data/",
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return command.Hint(command.Usage("recover takes one dataset"), "kparquet recover data/")
			}
			done, err := dataset.Recover(c.Args().First())
			for _, r := range done {
				switch {
				case r.Busy:
					fmt.Fprintf(c.App.Writer, "%s: is being written, left alone\n", r.ID)
				case r.Err != nil:
					err = errors.Join(err, r.Err)
				case r.Dir == "":
					fmt.Fprintf(c.App.Writer, "%s: nothing had been published, temporary files removed\n", r.ID)
				default:
					fmt.Fprintf(c.App.Writer, "%s: recovered, in %s\n", r.ID, r.Dir)
				}
			}
			return err
		},
	}
}
