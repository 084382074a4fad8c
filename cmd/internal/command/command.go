// SPDX-License-Identifier: Apache-2.0

// Package command gives the four commands the manners that users of Unix
// expect and urfave/cli does not have by itself: flags anywhere up to "--", -v
// for verbose, values that keep their commas, one-line errors with a hint, and
// the exit codes 0 done, 1 failed, 2 usage.
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
	args, err := arrange(app, args)
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	return report(app.Name, err)
}

func prepare(app *cli.App) {
	app.Version = Version()
	app.HideVersion = true
	app.EnableBashCompletion = true
	app.DisableSliceFlagSeparator = true
	app.ExitErrHandler = func(*cli.Context, error) {}
	onUsage := func(c *cli.Context, err error, _ bool) error {
		return Hint(Usage("%w", err), "%s --help", strings.TrimSpace(app.Name+" "+commandName(c)))
	}
	app.OnUsageError = onUsage
	app.Flags = append(app.Flags, &cli.BoolFlag{Name: "version", Usage: "print the version"})
	action := app.Action
	app.Action = func(c *cli.Context) error {
		if c.Bool("version") {
			fmt.Fprintln(app.Writer, app.Name, app.Version)
			return nil
		}
		if action == nil {
			if c.NArg() > 0 {
				return Hint(Usage("unknown command %q", c.Args().First()), "%s", nearestCommand(app, c.Args().First()))
			}
			_ = cli.ShowAppHelp(c)
			return Exit(2, nil)
		}
		return action(c)
	}
	app.Commands = append(app.Commands, completion(app.Name))
	for _, sub := range app.Commands {
		sub.OnUsageError = onUsage
	}
}

func commandName(c *cli.Context) string {
	if c.Command == nil || c.Command.Name == c.App.Name {
		return ""
	}
	return c.Command.Name
}

func nearestCommand(app *cli.App, name string) string {
	var names []string
	for _, sub := range app.Commands {
		names = append(names, sub.Name)
	}
	if near := Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %s %s?", app.Name, near)
	}
	return app.Name + " --help lists the commands"
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
	fmt.Fprintf(os.Stderr, "%s: %s\n", name, strings.TrimSpace(err.Error()))
	if errors.As(err, &h) {
		fmt.Fprintf(os.Stderr, "%s: hint: %s\n", name, h.hint)
	}
	return code
}

// Verbose is the flag -v that every command has.
func Verbose() cli.Flag {
	return &cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "say more on stderr"}
}
