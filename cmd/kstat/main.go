// SPDX-License-Identifier: Apache-2.0

// Kstat answers questions about recordings: process tables, memory over time,
// page faults, TCP, and any SQL. See package query.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/kermit-trace/kermit/cmd/internal/command"
)

func main() {
	// A closed stdout is an error of the write, so that temporary files go.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	app, err := newApp()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kstat:", err)
		os.Exit(1)
	}
	command.Main(ctx, app)
}

func newApp() (*cli.App, error) {
	commands, err := commands()
	if err != nil {
		return nil, err
	}
	return &cli.App{
		Name:  "kstat",
		Usage: "ask recordings of kernel events questions",
		UsageText: "kstat COMMAND D… [flags]\n\nD is a dataset, one of its folders, a collection, or a glob of such.\n\n" +
			"   kstat tables data/\n" +
			"   kstat processes data/ --limit 20\n" +
			"   kstat rss data/ --process redis-server --plot rss.png\n" +
			"   kstat sql data/ 'select comm, count(*) from page_fault group by all order by 2 desc'",
		Commands:  commands,
		Writer:    os.Stdout,
		ErrWriter: os.Stderr,
	}, nil
}
