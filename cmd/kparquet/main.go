// SPDX-License-Identifier: Apache-2.0

// Command kparquet turns the stream of ktrace into a dataset of Parquet files.
//
//	ktrace | kparquet -o data/
package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/kermit-trace/kermit/cmd/internal/command"
)

func main() {
	command.Main(context.Background(), &cli.App{
		Name:  "kparquet",
		Usage: "turn a stream of ktrace into Parquet files",
		Description: "kparquet reads a stream on stdin and writes one Parquet file for each table:\n\n" +
			"   ktrace --duration 10s | kparquet -o data/\n\n" +
			"   data/curated/WORKLOAD/COLLECTION_ID/TABLE.end.parquet\n\n" +
			"Its last line on stdout is the collection's id. While it records, parts (TABLE.0.parquet …)\n" +
			"are published now and then; they become one file at the end. A stream that was cut is\n" +
			"published as far as it came. The first Ctrl-C waits for the end of the stream, a second\n" +
			"one publishes what came and ends.\n\n" +
			"Exit code: 0 done, 1 failed or incomplete, 2 for a wrong call.",
		Flags:    recordFlags(),
		Action:   record,
		Commands: []*cli.Command{verifyCommand(), recoverCommand()},
	})
}
