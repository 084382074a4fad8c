// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kermit-trace/kermit/bench/ycsb"
	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// propertyList holds the values of a flag, in order, and of any other that shares
// them.
type propertyList []string

func (l *propertyList) Set(value string) error { *l = append(*l, value); return nil }

func (l *propertyList) String() string { return strings.Join(*l, " ") }

func ycsbCommand() *cli.Command {
	// Two flags and not one with an alias: of that, urfave/cli allows one form only.
	set := new(propertyList)
	return &cli.Command{
		Name:      "ycsb",
		Usage:     "load a redis or memcached with records, or run operations on them, as YCSB does",
		ArgsUsage: "load|run",
		Description: "Results go to stdout as YCSB prints them. The server's number of records is checked at the end.\n\n" +
			"   kbench ycsb load --db redis --addr 127.0.0.1:6379 -p recordcount=100000\n" +
			"   kbench ycsb run --db redis --addr 127.0.0.1:6379 -p recordcount=100000 -p operationcount=1000000 \\\n" +
			"      -p readproportion=0.5 -p updateproportion=0.4 -p deleteproportion=0.1 -p threadcount=8 -p target=20000\n\n" +
			"Exit code: 0, 1 when the server went away, refused operations, or has another number of records than it\n" +
			"should, 2 for a wrong call, 130 or 143 when SIGINT or SIGTERM ended it early (with results; a second\n" +
			"signal ends it at once).\n\n" +
			"Properties (defaults):\n\n   " + strings.ReplaceAll(strings.TrimSpace(ycsb.Reference()), "\n", "\n   "),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "db", Usage: "`redis` or memcached"},
			&cli.StringFlag{Name: "addr", Usage: "the server's `HOST:PORT`"},
			&cli.GenericFlag{Name: "p", Usage: "set a property: `NAME=VALUE`; the last one wins", Value: set},
			&cli.GenericFlag{Name: "set", Usage: "the same: `NAME=VALUE`", Value: set},
			&cli.Uint64Flag{Name: "seed", Usage: "repeat the operations of the run that printed this `NUMBER`", DefaultText: "random"},
			&cli.BoolFlag{Name: "allow-errors", Usage: "exit 0 though the server refused operations"},
		},
		Action: func(c *cli.Context) error { return ycsbAction(c, *set) },
	}
}

func ycsbAction(c *cli.Context, set []string) error {
	phase, db := c.Args().First(), c.String("db")
	switch {
	case c.NArg() != 1 || phase != "load" && phase != "run":
		return command.Hint(command.Usage("say load or run"), "kbench ycsb load|run --db redis --addr 127.0.0.1:PORT -p NAME=VALUE …")
	case !slices.Contains(ycsb.Databases, db):
		return command.Usage("--db %q: want one of %s", db, strings.Join(ycsb.Databases, ", "))
	case c.String("addr") == "":
		return command.Hint(command.Usage("no --addr"), "--addr 127.0.0.1:PORT")
	}
	properties, err := ycsb.Parse(set)
	if err != nil {
		return badProperty(err)
	}
	config := ycsb.Config{
		DB: db, Addr: c.String("addr"), Load: phase == "load", Properties: properties, Seed: c.Uint64("seed"),
	}
	if !c.IsSet("seed") {
		config.Seed = rand.Uint64()
	}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		config.Progress = showProgress
		defer fmt.Fprint(os.Stderr, "\r\033[K")
	}
	return runYCSB(c, config)
}

func badProperty(err error) error {
	var unknown *ycsb.UnknownError
	if errors.As(err, &unknown) {
		if near := command.Nearest(unknown.Name, ycsb.Names()); near != "" {
			return command.Hint(command.Usage("%w", err), "did you mean %s?", near)
		}
		return command.Hint(command.Usage("%w", err), "kbench ycsb --help lists them")
	}
	return command.Usage("%w", err)
}

// runYCSB ends early at a signal, in an orderly way; a second one kills.
func runYCSB(c *cli.Context, config ycsb.Config) error {
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, command.Endings()...)
	caught := make(chan syscall.Signal, 1)
	go func() {
		sig := <-signals
		signal.Reset(command.Endings()...)
		caught <- sig.(syscall.Signal)
		cancel()
	}()

	result, err := ycsb.Run(ctx, config)
	if result != nil {
		if e := result.Print(c.App.Writer); e != nil {
			return e
		}
	}
	var wrong *ycsb.UsageError
	switch {
	case errors.As(err, &wrong):
		return command.Usage("%w", err)
	case err != nil:
		return err
	}
	if err := result.Err(c.Bool("allow-errors")); err != nil {
		return err
	}
	select {
	case sig := <-caught:
		return command.Exit(128+int(sig), nil)
	default:
		return nil
	}
}

// showProgress keeps one line on the terminal up to date.
func showProgress(done, all int64, elapsed time.Duration) {
	left := ""
	if done > 0 && all < math.MaxInt64 {
		rest := time.Duration(float64(elapsed) * float64(all-done) / float64(done))
		left = fmt.Sprintf(" of %d, %s left", all, rest.Round(time.Second))
	}
	fmt.Fprintf(os.Stderr, "\r\033[K%d operations%s, %.0f/s", done, left, float64(done)/elapsed.Seconds())
}
