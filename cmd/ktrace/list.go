// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kermit-trace/kermit/bpf"
	"github.com/kermit-trace/kermit/stream"
	"github.com/kermit-trace/kermit/trace"
)

func list() *cli.Command {
	return &cli.Command{
		Name:        "list",
		Usage:       "list hooks, their tables and columns",
		ArgsUsage:   "[HOOK …]",
		Description: "EXAMPLES:\n   ktrace list\n   ktrace list page_fault\n   ktrace list --markdown > bpf/README.md",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "markdown", Usage: "print the reference that bpf/README.md holds"},
		},
		Action: func(c *cli.Context) error {
			rooms, err := trace.Rooms(bpf.Rooms)
			if err != nil {
				return err
			}
			if c.NArg() > 0 {
				if rooms, err = choose(rooms, strings.Join(c.Args().Slice(), ",")); err != nil {
					return err
				}
			}
			if c.Bool("markdown") {
				reference(c.App.Writer, rooms)
				return nil
			}
			describe(c.App.Writer, rooms)
			return nil
		},
	}
}

func describe(w io.Writer, rooms []*trace.Room) {
	for _, room := range rooms {
		fmt.Fprintf(w, "%s (%s)\n", room.Name, strings.Join(sourceNames(room), ", "))
		for _, shape := range room.Tables {
			t := shape.Table(nil)
			if t.Name != room.Name {
				fmt.Fprintf(w, "  table %s\n", t.Name)
			}
			fmt.Fprintf(w, "  %s\n", t.Doc)
			for _, c := range t.Columns {
				fmt.Fprintf(w, "    %-18s %-5s %s\n", c.Name, typeName(c), c.Doc)
			}
		}
		fmt.Fprintln(w)
	}
}

// reference prints every table as Markdown.
func reference(w io.Writer, rooms []*trace.Room) {
	fmt.Fprint(w, "# Hooks\n\nWritten by `make generate` from the rooms' C files. In Parquet every integer is INT64, and\n`collection_id` closes every table.\n")
	for _, room := range rooms {
		for _, shape := range room.Tables {
			t := shape.Table(nil)
			fmt.Fprintf(w, "\n## %s\n\n", t.Name)
			if t.Name != room.Name {
				fmt.Fprintf(w, "Filled by the hook `%s`. ", room.Name)
			}
			fmt.Fprintf(w, "%s\n\n| column | type | meaning |\n|---|---|---|\n", t.Doc)
			for _, c := range t.Columns {
				fmt.Fprintf(w, "| %s | %s | %s |\n", c.Name, typeName(c), strings.ReplaceAll(c.Doc, "|", "\\|"))
			}
		}
		for _, s := range room.Sources {
			fmt.Fprintf(w, "\nSource `%s`", s.Name)
			if s.When != "" {
				fmt.Fprintf(w, " (%s)", s.When)
			}
			if len(s.Unobservable) == 0 {
				fmt.Fprint(w, " sees all of it.\n")
				continue
			}
			fmt.Fprint(w, " cannot see:\n\n")
			for _, u := range s.Unobservable {
				fmt.Fprintf(w, "* %s\n", u)
			}
		}
	}
}

func sourceNames(room *trace.Room) []string {
	var names []string
	for _, s := range room.Sources {
		names = append(names, s.Name)
	}
	return names
}

// typeName is the type as a reader of the dataset meets it.
func typeName(c stream.Column) string {
	switch {
	case c.IsText():
		return "text"
	case c.Type == stream.Bool:
		return "bool"
	case c.Type == stream.F64:
		return "float"
	}
	return "int"
}
