// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/kermit-trace/kermit/bpf"
	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/kermit-trace/kermit/trace"
)

func doctor() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "tell what this kernel lets in, hook by hook, and why not",
		Description: "As root, tries every source of every hook for a moment. Without root, tells what can be\n" +
			"known without trying. Exit code 1 when a hook has no way in.",
		Flags: []cli.Flag{command.Verbose()},
		Action: func(c *cli.Context) error {
			rooms, err := trace.Rooms(bpf.Rooms)
			if err != nil {
				return err
			}
			report := trace.Diagnose(rooms)
			diagnosis(c.App.Writer, report, c.Bool("verbose"))
			if !report.OK() {
				return command.Exit(1, nil)
			}
			return nil
		},
	}
}

func diagnosis(w io.Writer, r *trace.Report, verbose bool) {
	for _, fact := range r.Machine {
		fmt.Fprintf(w, "%-22s %s\n", fact.Name, fact.Value)
	}
	for _, hook := range r.Hooks {
		fmt.Fprintf(w, "\n%s\n", hook.Name)
		for _, s := range hook.Sources {
			fmt.Fprintf(w, "  %-12s %s", s.Name, s.Verdict)
			if s.Why != "" {
				fmt.Fprintf(w, ": %s", s.Why)
			}
			fmt.Fprintln(w)
			if s.Help != "" {
				fmt.Fprintf(w, "  %-12s hint: %s\n", "", s.Help)
			}
			if s.Verdict == trace.Refused {
				continue
			}
			for _, u := range s.Unobservable {
				fmt.Fprintf(w, "  %-12s cannot see: %s\n", "", u)
			}
		}
	}
	if verbose {
		for _, hook := range r.Hooks {
			for _, s := range hook.Sources {
				if s.Log != "" {
					fmt.Fprintf(w, "\n%s by %s:\n%s\n", hook.Name, s.Name, s.Log)
				}
			}
		}
	}
}
