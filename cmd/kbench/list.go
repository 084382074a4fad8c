// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/kermit-trace/kermit/bench/workload"
	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/urfave/cli/v2"
)

func listCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list the workloads",
		Action: func(c *cli.Context) error {
			all, err := workload.Builtin()
			if err != nil {
				return err
			}
			out := tabwriter.NewWriter(c.App.Writer, 0, 8, 2, ' ', 0)
			_, _ = fmt.Fprintf(out, "exec\tany command: kbench exec -- CMD ARGS\n") // Flush gives the error
			for _, w := range all {
				_, _ = fmt.Fprintf(out, "%s\t%s\n", w.Name, w.Doc)
			}
			if err := out.Flush(); err != nil {
				return fmt.Errorf("write list: %w", err)
			}
			return nil
		},
	}
}

func showCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "show a workload: programs, parameters, servers, phases",
		ArgsUsage: "WORKLOAD",
		Description: "WORKLOAD is a name of `kbench list`, or a path to a YAML file.\n\n" +
			"   kbench show redis",
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return command.Hint(command.Usage("name one workload"), "kbench list")
			}
			w, err := load(c.Args().First())
			if err != nil {
				return err
			}
			if err := show(c.App.Writer, w); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			return nil
		},
	}
}

// show prints a workload as a page of a manual.
func show(w io.Writer, file *workload.Workload) error {
	out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) } // Flush gives the error
	line("%s: %s", file.Name, file.Doc)
	if len(file.Needs) > 0 {
		line("\nneeds")
	}
	for _, n := range file.Needs {
		install := n.Install
		if n.Script != "" {
			install = "kbench install " + file.Name
		}
		if n.If != "" {
			install += " (if " + n.If + ")"
		}
		line("  %s\t%s", n.Program+n.File, strings.TrimSpace(install))
	}
	if len(file.Params) > 0 {
		line("\nparameters (--set NAME=VALUE)")
	}
	for i := range file.Params {
		p := &file.Params[i]
		value := p.DefaultText()
		if p.Unit != "" && value != "" {
			value += " " + p.Unit
		}
		limits := p.Range()
		if limits == "" {
			limits = p.Type
		}
		line("  %s\t%s\t%s\t%s", p.Name, value, limits, p.Doc)
	}
	for _, s := range file.Services {
		line("\nserver %s%s\n  %s", s.Name, rights(s.Root || file.Root), strings.Join(s.Command, " "))
	}
	line("\nphases%s", rights(file.Root))
	phases(line, file.Phases, "  ")
	return out.Flush()
}

// rights is a note for programs that run as root.
func rights(root bool) string {
	if root {
		return " (as root)"
	}
	return ""
}

func phases(line func(string, ...any), list []workload.Phase, indent string) {
	for i := range list {
		p := &list[i]
		what := strings.Join(p.Command, " ")
		switch {
		case p.Wait != nil:
			what = "waits for END, a signal or the end of " + *p.Wait
		case p.Sleep != "":
			what = "sleeps " + p.Sleep
		case len(p.Phases) > 0:
			what = fmt.Sprintf("%s times:", p.Repeat)
		}
		note := ""
		if p.Setup {
			note = " (preparation)"
		}
		note += rights(p.Root)
		if p.If != "" {
			note += " if " + p.If
		}
		name := p.Name
		if name != "" || note != "" {
			name = strings.TrimSpace(name+note) + ": "
		}
		line("%s%s%s", indent, name, what)
		for _, m := range p.Results {
			line("%s  result %s %s", indent, m.Metric, m.Unit)
		}
		phases(line, p.Phases, indent+"  ")
	}
}
