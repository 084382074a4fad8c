// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
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
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Value: "text", Usage: "text or json"},
			command.Verbose(),
		},
		Action: func(c *cli.Context) error {
			format := c.String("format")
			if format != "text" && format != "json" {
				return command.Usage("--format %q: neither text nor json", format)
			}
			rooms, err := trace.Rooms(bpf.Rooms)
			if err != nil {
				return err
			}
			report := trace.Diagnose(rooms)
			if format == "json" {
				if err := json.NewEncoder(c.App.Writer).Encode(report); err != nil {
					return err
				}
			} else {
				diagnosis(c.App.Writer, report, c.Bool("verbose"))
			}
			if !report.OK() {
				return command.Exit(1, nil)
			}
			return nil
		},
	}
}

func diagnosis(w io.Writer, r *trace.Report, verbose bool) {
	for _, fact := range r.Machine {
		fmt.Fprintf(w, "%-32s %s\n", fact.Name, fact.Value)
		if fact.Help != "" {
			fmt.Fprintf(w, "%-32s hint: %s\n", "", fact.Help)
		}
	}
	for _, hook := range r.Hooks {
		fmt.Fprintf(w, "\n%s\n", hook.Name)
		for _, s := range hook.Sources {
			describeSource(w, &s)
		}
	}
	for _, hook := range r.Hooks {
		for _, s := range hook.Sources {
			if verbose && s.Log != "" {
				fmt.Fprintf(w, "\n%s by %s:\n%s\n", hook.Name, s.Name, s.Log)
			}
		}
	}
}

func describeSource(w io.Writer, s *trace.SourceReport) {
	verdict := string(s.Verdict)
	if s.Verdict == trace.Used {
		verdict = "works, used"
	}
	if s.Why != "" {
		verdict += ": " + s.Why
	}
	fmt.Fprintf(w, "  %-12s %s\n", s.Name, verdict)
	if s.Help != "" {
		fmt.Fprintf(w, "  %-12s hint: %s\n", "", s.Help)
	}
	if s.Verdict == trace.Refused {
		return
	}
	for _, u := range s.Unobservable {
		fmt.Fprintf(w, "  %-12s cannot see: %s\n", "", u)
	}
}
