// SPDX-License-Identifier: Apache-2.0

package command

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange moves flags in front of the arguments they follow: urfave/cli, as
// the flag package below it, stops at the first argument. All behind "--" is
// left alone, and so is a program to run, from its name on.
func arrange(app *cli.App, args []string) []string {
	if len(args) < 2 || completing(args) {
		return args
	}
	out := []string{args[0]}
	flags, words := split(app.Flags, args[1:], func(word string) bool { return app.Command(word) != nil })
	out = append(out, flags...)
	if len(words) == 0 {
		return out
	}
	sub := app.Command(words[0])
	if sub == nil {
		return append(out, guard(words)...)
	}
	out = append(out, words[0])
	flags, words = split(sub.Flags, words[1:], func(string) bool { return runsProgram(sub) })
	out = append(out, flags...)
	return append(out, guard(words)...)
}

// completing tells whether the shell asks what could come next. The question
// is the last argument; behind "--" it would be an argument like others.
func completing(args []string) bool {
	return args[len(args)-1] == "--generate-bash-completion" && !slices.Contains(args, "--")
}

// runsProgram tells by its usage line that a command runs another program.
// Whose a flag behind that program's name is needs no "--" then.
func runsProgram(c *cli.Command) bool { return strings.HasPrefix(c.ArgsUsage, "-- ") }

// guard puts the "--" back that split took off, for urfave/cli: a last argument
// behind it is no question of the shell.
func guard(words []string) []string {
	if len(words) == 0 || words[0] == "--" {
		return words
	}
	return append([]string{"--"}, words...)
}

// split parts args into flags with their values and the words between them. It
// ends at "--", and at a first word behind which flags are not for the caller.
func split(known []cli.Flag, args []string, last func(word string) bool) (flags, words []string) {
	value := map[string]bool{}
	for _, f := range known {
		_, isBool := f.(*cli.BoolFlag)
		for _, name := range f.Names() {
			value[name] = !isBool
		}
	}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			if len(words) > 0 {
				return flags, append(words, args[i+1:]...)
			}
			return flags, append(words, args[i:]...)
		}
		if len(arg) < 2 || arg[0] != '-' {
			words = append(words, arg)
			if len(words) == 1 && last(arg) {
				return flags, append(words, args[i+1:]...)
			}
			continue
		}
		flags = append(flags, arg)
		name, _, inline := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if name == "help" || name == "h" {
			return []string{arg}, nil // wherever it stands, and whatever else does
		}
		if value[name] && !inline {
			if i++; i == len(args) {
				return flags, nil // so that nothing is taken for the missing value
			}
			flags = append(flags, args[i])
		}
	}
	return flags, words
}
