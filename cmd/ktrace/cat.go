// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/kermit-trace/kermit/stream"
)

func cat() *cli.Command {
	return &cli.Command{
		Name:      "cat",
		Usage:     "print a stream as JSON lines, one a row",
		ArgsUsage: "[FILE]",
		Description: "Reads a stream from FILE or stdin. A cut stream is printed as far as it goes.\n\n" +
			"EXAMPLES:\n   sudo ktrace --duration 1s | ktrace cat -k process_trace | jq .name",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "hooks", Aliases: []string{"k"}, Usage: "tables to print, separated by commas (default: all)"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return command.Usage("unexpected argument %q", c.Args().Get(1))
			}
			in := os.Stdin
			if c.NArg() == 0 && term.IsTerminal(int(in.Fd())) {
				return command.Hint(command.Usage("stdin is a terminal, not a stream"), "ktrace | ktrace cat")
			}
			if name := c.Args().First(); name != "" {
				file, err := os.Open(name)
				if err != nil {
					return err
				}
				defer func() { _ = file.Close() }()
				in = file
			}
			var tables []string
			if k := c.String("hooks"); k != "" {
				tables = strings.Split(k, ",")
			}
			return advisePipe(printRows(stream.NewReader(in), tables))
		},
	}
}

// printRows prints the rows of some tables, or of all.
func printRows(r *stream.Reader, tables []string) error {
	var declared []string
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return unknownTables(tables, declared)
		}
		if err != nil {
			return err
		}
		if f.Kind == stream.KindTable {
			declared = append(declared, f.Table.Name)
		}
		if f.Kind != stream.KindBatch || tables != nil && !slices.Contains(tables, f.Table.Name) {
			continue
		}
		b, err := f.Batch()
		if err != nil {
			return err
		}
		if err := b.WriteJSON(os.Stdout); err != nil {
			return err
		}
	}
}

// unknownTables names a table that was asked for and is not in the stream.
func unknownTables(asked, declared []string) error {
	for _, name := range asked {
		if slices.Contains(declared, name) {
			continue
		}
		hint := "in it: " + strings.Join(declared, ", ")
		if near := command.Nearest(name, declared); near != "" {
			hint = "did you mean " + near + "? " + hint
		}
		return command.Hint(fmt.Errorf("no table %s in the stream", name), "%s", hint)
	}
	return nil
}

// advisePipe leaves quietly when nobody reads on.
func advisePipe(err error) error {
	switch {
	case errors.Is(err, syscall.EPIPE):
		return command.Exit(1, nil)
	case errors.Is(err, stream.ErrNotStream):
		return command.Hint(err, "ktrace … | ktrace cat")
	}
	return err
}
