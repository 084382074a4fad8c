// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/kermit-trace/kermit/dataset"
	"github.com/kermit-trace/kermit/query"
)

func flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "format", Usage: "table, csv, json, md or parquet (default: what -o's name says, else table)"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`"},
		&cli.IntFlag{Name: "limit", Usage: "`N` rows at most; 0: all", DefaultText: "200 in a table on a terminal, else 0"},
		memoryFlag(),
	}
}

func memoryFlag() cli.Flag {
	return &cli.StringFlag{Name: "memory", Usage: "memory that the query engine may use", Value: "1GB"}
}

// terminalRows is the default limit where rows scroll by a person.
const terminalRows = 200

// output is where and how an answer is written.
type output struct {
	format query.Format
	to     io.Writer
	file   string // -o
	limit  int
	width  int
}

// session opens the paths, lets do answer, and closes again.
func session(c *cli.Context, paths []string, do func(*query.DB, *output) error) (err error) {
	if len(paths) == 0 {
		return command.Hint(command.Usage("%s needs a dataset", c.Command.Name), "kstat %s D", c.Command.Name)
	}
	out, err := newOutput(c)
	if err != nil {
		return err
	}
	db, err := query.Open(c.Context, query.Options{Memory: c.String("memory")}, paths...)
	if errors.Is(err, dataset.ErrNone) {
		return command.Hint(err, "a dataset is what kparquet -o made: DIR/curated/WORKLOAD/COLLECTION/*.parquet")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = do(db, out)
	if table := (*query.MissingTableError)(nil); errors.As(err, &table) {
		note(db.Notes(nil)) // a file that was ignored may be the reason
	}
	if errors.Is(err, syscall.EPIPE) {
		return command.Exit(128+int(syscall.SIGPIPE), nil)
	}
	if c.Err() != nil {
		return command.Exit(130, nil)
	}
	return err
}

func newOutput(c *cli.Context) (*output, error) {
	o := &output{format: query.Format(c.String("format")), to: os.Stdout, file: c.String("output"), limit: c.Int("limit")}
	if o.format == "" {
		o.format = query.Table
		ext := query.Format(strings.TrimPrefix(filepath.Ext(o.file), "."))
		if slices.Contains(query.Formats, ext) {
			o.format = ext
		}
	}
	if !slices.Contains(query.Formats, o.format) {
		return nil, command.Usage("unknown format %q: table, csv, json, md or parquet", o.format)
	}
	if o.limit < 0 {
		return nil, command.Usage("--limit is 0 or more")
	}
	if o.file != "" || !term.IsTerminal(int(os.Stdout.Fd())) {
		return o, nil
	}
	if o.format == query.Parquet {
		return nil, command.Hint(command.Usage("parquet is not for a terminal"), "-o FILE")
	}
	if o.format == query.Table {
		o.width, _, _ = term.GetSize(int(os.Stdout.Fd())) // 0, where it does not say: nothing is cut
		if !c.IsSet("limit") {
			o.limit = terminalRows
		}
	}
	return o, nil
}

// write asks q and tells what the answer lacks. asked is what the sources had
// to see, nil where that is of no interest.
func (o *output) write(c *cli.Context, db *query.DB, q query.Query, asked *query.Query) error {
	var more bool
	answer := func(w io.Writer) (err error) {
		more, err = db.Write(c.Context, q, query.Output{Format: o.format, Limit: o.limit, Width: o.width, To: w})
		return err
	}
	var err error
	if o.file == "" {
		err = answer(o.to)
	} else {
		err = o.replace(db, o.file, answer)
	}
	if err != nil {
		return err
	}
	notes := db.Notes(asked)
	if more {
		notes = append(notes, fmt.Sprintf("the first %d rows; --limit 0 shows all", o.limit))
	}
	note(notes)
	return nil
}

// replace writes a file in one step, and never into a dataset.
func (o *output) replace(db *query.DB, name string, fill func(io.Writer) error) error {
	full, err := filepath.Abs(name)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	for _, c := range db.Collections {
		if filepath.Dir(full) == c.Dir {
			return fmt.Errorf("write %s: a collection holds nothing but its tables", name)
		}
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return fillSpecial(name, fill)
	}
	f, err := renameio.NewPendingFile(name, renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() { _ = f.Cleanup() }()
	if err := fill(f); err != nil {
		return err
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// fillSpecial writes to what cannot be replaced: a pipe, /dev/stdout.
func fillSpecial(name string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return errors.Join(fill(f), f.Close())
}

func note(notes []string) {
	for _, n := range notes {
		fmt.Fprintln(os.Stderr, "kstat: note:", n)
	}
}
