// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/kermit-trace/kermit/dataset"
	"github.com/kermit-trace/kermit/stream"
)

func recordFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to the dataset `DIR`"},
		&cli.StringFlag{Name: "workload", Usage: "file the recording under `NAME`", DefaultText: "what the stream says, else faux"},
		&cli.StringFlag{Name: "id", Usage: "start the collection's id with `PREFIX`"},
		&cli.DurationFlag{Name: "rotate", Value: time.Minute, Usage: "publish a part every `TIME`: what a crash can cost"},
		&cli.StringFlag{Name: "memory", Value: "128MB", Usage: "take at most `SIZE` of memory"},
	}
}

func record(c *cli.Context) error {
	if c.NArg() > 0 {
		return command.Hint(command.Usage("unexpected argument %q", c.Args().First()), "kparquet --help")
	}
	options, err := recordOptions(c)
	if err != nil {
		return err
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return command.Hint(command.Usage("stdin is a terminal, not a stream"), "ktrace | kparquet -o %s", options.Dir)
	}
	w, err := dataset.NewWriter(options)
	if err != nil {
		return command.Usage("%w", err)
	}
	limitMemory(options.Memory)
	stream.WidenPipe(os.Stdin)
	progress := startProgress(w)
	err = copyStream(w)
	progress.stop()
	collection, closeErr := w.Close()
	if !errors.Is(err, closeErr) {
		err = errors.Join(err, closeErr)
	}
	return conclude(w, collection, err)
}

func recordOptions(c *cli.Context) (dataset.Options, error) {
	o := dataset.Options{
		Dir: c.String("output"), Workload: c.String("workload"), Prefix: c.String("id"),
		Rotate: c.Duration("rotate"), Tool: "kparquet " + command.Version(),
	}
	if o.Dir == "" {
		return o, command.Hint(command.Usage("no output directory"), "ktrace | kparquet -o data/")
	}
	for _, name := range []string{"workload", "id"} {
		if c.IsSet(name) && c.String(name) == "" {
			return o, command.Usage("--%s is empty", name)
		}
	}
	var err error
	if o.Memory, err = parseSize(c.String("memory")); err != nil {
		return o, command.Usage("--memory: %w", err)
	}
	return o, nil
}

var sizeForm = regexp.MustCompile(`^(?i)([0-9]+)\s*(|[kmg])(i?b)?$`)

// parseSize reads a number of bytes: 128MB, 128MiB and 128m are the same.
func parseSize(s string) (int64, error) {
	m := sizeForm.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("%q is not a size such as 128MB", s)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	shift := map[string]int{"": 0, "k": 10, "m": 20, "g": 30}[strings.ToLower(m[2])]
	if err != nil || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return n << shift, nil
}

// limitMemory sets the collector to what is left beside the rows: the heap is a
// few large blocks that live for a second, so collecting often costs little.
func limitMemory(bytes int64) {
	debug.SetGCPercent(25)
	debug.SetMemoryLimit(bytes / 4 * 3)
}

// copyStream takes the stream to its end. The first SIGINT (or SIGTERM, SIGHUP)
// is for those that write the stream, whose end is awaited; a second one stops.
func copyStream(w *dataset.Writer) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, command.Endings()...)
	defer signal.Stop(signals)
	done := make(chan error, 1)
	go func() { done <- w.Copy(os.Stdin) }()
	for n := 0; ; n++ {
		select {
		case err := <-done:
			return err
		case s := <-signals:
			if n > 0 {
				return fmt.Errorf("stopped by a second signal (%s) before the stream ended", s)
			}
			fmt.Fprintln(os.Stderr, "kparquet: waiting for the end of the stream; once more to stop now")
		}
	}
}

// conclude says what is there, and what is not.
func conclude(w *dataset.Writer, c *dataset.Collection, err error) error {
	if err != nil {
		for _, s := range w.Status() {
			for _, wrong := range s.Counters.Account(s.Rows) {
				fmt.Fprintf(os.Stderr, "kparquet: %s: %s\n", s.Table, wrong)
			}
		}
	}
	if c == nil {
		return hintStart(err)
	}
	if err != nil {
		err = command.Hint(err, "what came before is in %s", c.Dir)
	}
	fmt.Println(c.ID)
	return err
}

// hintStart helps where nothing came at all.
func hintStart(err error) error {
	switch {
	case errors.Is(err, stream.ErrEmpty):
		return command.Hint(err, "see what ktrace said above")
	case errors.Is(err, stream.ErrVersion):
		return command.Hint(err, "take kparquet and ktrace from the same build")
	case errors.Is(err, stream.ErrNotStream):
		return command.Hint(err, "ktrace | kparquet -o DIR")
	}
	return err
}
