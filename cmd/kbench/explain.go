// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/kermit-trace/kermit/stream"
)

// explain makes the exit of a session that of the command, with advice where
// there is some.
func explain(code int, err error) error {
	switch {
	case code == 0 && err == nil:
		return nil
	case errors.Is(err, bench.ErrStopSocket):
		err = command.Hint(err, "start ktrace and kbench in the same network namespace; end a ktrace that runs on with: sudo kill -INT $(pidof ktrace)")
	case errors.Is(err, bench.ErrDownstream):
		err = command.Hint(err, "see what the command behind kbench says")
	case errors.Is(err, stream.ErrEmpty), errors.Is(err, stream.ErrCut):
		err = command.Hint(err, "see what ktrace says")
	case errors.Is(err, stream.ErrNotStream):
		err = command.Hint(err, "ktrace | kbench … | kparquet -o data/; without ktrace: kbench … </dev/null")
	}
	return command.Exit(code, err)
}

// misnamed makes err a usage error, with advice where a word of it, which may
// be "", is none of those known.
func misnamed(err error, given string, known []string) error {
	err = command.Usage("%w", err)
	if near := command.Nearest(given, known); near != "" {
		return command.Hint(err, "did you mean %s?", near)
	}
	if given != "" {
		return command.Hint(err, "one of %s", strings.Join(known, ", "))
	}
	return err
}
