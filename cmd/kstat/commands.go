// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/kermit-trace/kermit/query"
)

// commands are the summaries, one command each, and what is not a summary.
func commands() ([]*cli.Command, error) {
	list := []*cli.Command{
		{
			Name: "tables", Usage: "List the tables: rows, bytes, source, losses", ArgsUsage: "D…", Flags: flags(),
			Action: func(c *cli.Context) error { return tables(c) },
		},
		{
			Name: "describe", Usage: "List a table's columns: types and what they mean", ArgsUsage: "D… TABLE", Flags: flags(),
			Action: func(c *cli.Context) error { return describe(c) },
		},
		{
			Name: "views", Usage: "Print the views as SQL for any DuckDB", ArgsUsage: "D…", Flags: []cli.Flag{memoryFlag()},
			Action: func(c *cli.Context) error { return views(c) },
		},
		{
			Name: "sql", Usage: "Ask SQL; - reads it from stdin", ArgsUsage: "D… QUERY", Flags: flags(),
			Description: "The tables are views over all collections of D: `kstat tables D` lists them, and there is the view process.\n\n" +
				"   kstat sql data/ 'select comm, count(*) from page_fault group by all order by 2 desc'\n" +
				"   kstat sql data/ - --format csv -o answer.csv < question.sql",
			Action: func(c *cli.Context) error { return script(c) },
		},
	}
	found, err := query.Summaries()
	if err != nil {
		return nil, err
	}
	for _, s := range found {
		list = append(list, summaryCommand(s))
	}
	return list, nil
}

func summaryCommand(s query.Summary) *cli.Command {
	cmd := &cli.Command{
		Name: s.Name, Usage: s.Doc, ArgsUsage: "D…", Flags: flags(),
		Description: "The SQL behind it:\n\n" + s.SQL,
	}
	if s.Name != "rss" {
		cmd.Action = func(c *cli.Context) error { return ask(c, c.Args().Slice(), s, query.Parameters{}) }
		return cmd
	}
	cmd.Flags = append(cmd.Flags,
		&cli.StringFlag{Name: "process", Usage: "processes of this `NAME`"},
		&cli.Int64Flag{Name: "pid", Usage: "the process with this `PID`"},
		&cli.DurationFlag{Name: "window", Usage: "one row for each process and `TIME`, such as 100ms"},
		&cli.StringFlag{Name: "plot", Usage: "draw into `FILE`.png or .svg"},
	)
	cmd.Action = func(c *cli.Context) error { return rss(c, s) }
	return cmd
}

func tables(c *cli.Context) error {
	return session(c, c.Args().Slice(), func(db *query.DB, out *output) error {
		q, err := db.ListTables(c.Context)
		if err != nil {
			return err
		}
		return out.write(c, db, q, nil)
	})
}

func describe(c *cli.Context) error {
	paths, table, err := splitLast(c, "TABLE")
	if err != nil {
		return err
	}
	return session(c, paths, func(db *query.DB, out *output) error {
		q, about, err := db.Describe(c.Context, table)
		if err != nil {
			return hintTable(err)
		}
		if out.format == query.Table || out.format == query.Markdown {
			for _, line := range about {
				fmt.Fprintln(out.to, line)
			}
			fmt.Fprintln(out.to)
		}
		return out.write(c, db, q, nil)
	})
}

func views(c *cli.Context) error {
	return session(c, c.Args().Slice(), func(db *query.DB, out *output) error {
		list, err := db.Views(c.Context)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out.to, strings.Join(list, "\n\n"))
		note(db.Notes(nil))
		return err
	})
}

func script(c *cli.Context) error {
	paths, text, err := splitLast(c, "QUERY")
	if err != nil {
		return err
	}
	if text == "-" {
		b, err := io.ReadAll(os.Stdin)
		if err != nil {
			return fmt.Errorf("read query: %w", err)
		}
		text = string(b)
	}
	return session(c, paths, func(db *query.DB, out *output) error {
		q, err := db.Script(c.Context, text)
		if errors.Is(err, query.ErrReadOnly) {
			return command.Hint(err, "-o FILE --format parquet keeps an answer")
		}
		if err != nil {
			return err
		}
		return out.write(c, db, q, &q)
	})
}

// ask runs a summary.
func ask(c *cli.Context, paths []string, s query.Summary, p query.Parameters) error {
	return session(c, paths, func(db *query.DB, out *output) error {
		q, err := prepare(c, db, s, p)
		if err != nil {
			return err
		}
		return out.write(c, db, q, &q)
	})
}

func prepare(c *cli.Context, db *query.DB, s query.Summary, p query.Parameters) (query.Query, error) {
	q, err := db.Summarize(c.Context, s)
	if err != nil {
		return q, hintTable(err)
	}
	return q, hintTable(db.Set(c.Context, p))
}

func rss(c *cli.Context, s query.Summary) error {
	p := query.Parameters{Process: c.String("process"), PID: c.Int64("pid"), WindowNS: c.Duration("window").Nanoseconds()}
	if p.PID < 0 || p.WindowNS < 0 || c.IsSet("pid") && p.PID == 0 || c.IsSet("window") && c.Duration("window") < time.Microsecond {
		return command.Usage("--pid is above 0, --window at least 1us")
	}
	plot := c.String("plot")
	if plot == "" {
		return ask(c, c.Args().Slice(), s, p)
	}
	if !strings.HasSuffix(plot, ".png") && !strings.HasSuffix(plot, ".svg") {
		return command.Usage("--plot %s: the name must end in .png or .svg", plot)
	}
	return session(c, c.Args().Slice(), func(db *query.DB, out *output) error {
		q, err := prepare(c, db, s, p)
		if err != nil {
			return err
		}
		if err := out.replace(db, plot, func(w io.Writer) error {
			return db.PlotRSS(c.Context, q, w, plot[len(plot)-3:])
		}); err != nil {
			return err
		}
		if c.String("output") != "" {
			return out.write(c, db, q, &q)
		}
		note(db.Notes(&q))
		return nil
	})
}

// splitLast takes the last argument off the paths.
func splitLast(c *cli.Context, what string) (paths []string, last string, err error) {
	args := c.Args().Slice()
	if len(args) < 2 {
		return nil, "", command.Hint(command.Usage("%s needs a dataset and %s", c.Command.Name, what), "kstat %s D %s", c.Command.Name, what)
	}
	return args[:len(args)-1], args[len(args)-1], nil
}

// hintTable says how what is missing could be had.
func hintTable(err error) error {
	var table *query.MissingTableError
	if errors.As(err, &table) {
		if near := command.Nearest(table.Table, table.Recorded); near != "" {
			return command.Hint(err, "did you mean %s?", near)
		}
		if table.Table == "result" {
			return command.Hint(err, "record a workload that measures itself: ktrace | kbench run WORKLOAD | kparquet")
		}
		return command.Hint(err, "record with ktrace -k %s", table.Table)
	}
	var process *query.UnknownProcessError
	if errors.As(err, &process) {
		if near := command.Nearest(process.Name, process.Recorded); near != "" {
			return command.Hint(err, "did you mean %s?", near)
		}
		return command.Hint(err, "kstat processes lists them")
	}
	return err
}
