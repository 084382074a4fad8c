// SPDX-License-Identifier: Apache-2.0

// Package command gives the four commands the manners that users of Unix
// expect and urfave/cli does not have by itself: flags anywhere up to "--", -v
// for verbose, values that keep their commas, one-line errors with a hint, and
// the exit codes 0 done, 1 failed, 2 usage.
//
// A command whose ArgsUsage begins with "-- " runs another program: all from
// that program's name on is the program's, with or without "--".
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"
)

// Hint attaches advice to an error: what the user can try.
func Hint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// Usage marks an error as one of how the command was called: exit code 2.
func Usage(format string, args ...any) error { return &usage{fmt.Errorf(format, args...)} }

type usage struct{ error }

func (u *usage) Unwrap() error { return u.error }

// Exit ends the command with a code; err is reported unless it is nil.
func Exit(code int, err error) error { return &exit{err, code} }

type exit struct {
	err  error
	code int
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// Version of the suite, from the build.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return info.Main.Version
}

// Main runs the app on the process's arguments and exits.
func Main(ctx context.Context, app *cli.App) {
	os.Exit(Run(ctx, app, os.Args))
}

// Run runs the app and returns the exit code.
func Run(ctx context.Context, app *cli.App, args []string) int {
	prepare(app)
	err := app.RunContext(ctx, arrange(app, args))
	if own := cli.ExitCoder(nil); errors.As(err, &own) { // urfave/cli's: no such help topic
		err = Hint(Usage("%s", lower(own.Error())), "%s --help", app.Name)
	}
	return report(app.Name, err)
}

func prepare(app *cli.App) {
	app.Version = Version()
	app.HideVersion = true
	app.EnableBashCompletion = true
	app.DisableSliceFlagSeparator = true
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.OnUsageError = misuse
	app.Flags = append(app.Flags, &cli.BoolFlag{Name: "version", Usage: "print the version"})
	action := app.Action
	app.Action = func(c *cli.Context) error {
		if c.Bool("version") {
			_, err := fmt.Fprintln(app.Writer, app.Name, app.Version)
			return err
		}
		if err := unknownCommand(c, action == nil); err != nil {
			return err
		}
		return action(c)
	}
	app.Commands = append(app.Commands, completion(app.Name))
	for _, sub := range app.Commands {
		if sub.ArgsUsage == "" && sub.Action != nil {
			sub.Action = withoutArguments(sub.Action)
		}
		sub.OnUsageError = misuse
		sub.HideHelpCommand = true // else an argument "help" or "h" is taken for it
	}
}

func withoutArguments(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.NArg() > 0 {
			return Hint(Usage("unexpected argument %q", c.Args().First()), "%s --help", c.Command.HelpName)
		}
		return action(c)
	}
}

// unknownCommand refuses a first argument that looks like a command, and, where
// one is needed, whatever is none.
func unknownCommand(c *cli.Context, needed bool) error {
	var names []string
	for _, sub := range c.App.VisibleCommands() {
		names = append(names, sub.Name)
	}
	word := c.Args().First()
	near := Nearest(word, names)
	switch {
	case c.NArg() == 0 && needed:
		return Hint(Usage("no command: one of %s", strings.Join(names, ", ")), "%s --help", c.App.Name)
	case c.NArg() > 0 && near != "":
		return Hint(Usage("unknown command %q", word), "did you mean %s %s?", c.App.Name, near)
	case c.NArg() > 0 && needed:
		return Hint(Usage("unknown command %q", word), "%s --help lists the commands", c.App.Name)
	}
	return nil
}

// report prints an error as "NAME: …" and "NAME: hint: …".
func report(name string, err error) int {
	if err == nil {
		return 0
	}
	var (
		code = 1
		e    *exit
		u    *usage
		h    *hinted
	)
	if errors.As(err, &u) {
		code = 2
	}
	if errors.As(err, &e) {
		code = e.code
		if e.err == nil {
			return code
		}
	}
	_, _ = fmt.Fprintf(os.Stderr, "%s: %s\n", name, strings.TrimSpace(err.Error()))
	if errors.As(err, &h) {
		_, _ = fmt.Fprintf(os.Stderr, "%s: hint: %s\n", name, h.hint)
	}
	return code
}

// Verbose is the flag -v of commands that have more to say.
func Verbose() cli.Flag {
	return &cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "say more on stderr"}
}
