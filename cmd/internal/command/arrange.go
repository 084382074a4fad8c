// SPDX-License-Identifier: Apache-2.0

package command

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange moves flags in front of the arguments they follow: urfave/cli, as
// the flag package below it, stops at the first argument. All behind "--" is
// left alone.
func arrange(app *cli.App, args []string) ([]string, error) {
	if len(args) < 2 {
		return args, nil
	}
	out := []string{args[0]}
	flags, words := split(app.Flags, args[1:], app.Commands)
	out = append(out, flags...)
	if len(words) == 0 {
		return out, nil
	}
	sub := app.Command(words[0])
	if sub == nil || words[0] == "--" {
		return append(out, guard(words)...), nil
	}
	out = append(out, words[0])
	flags, words = split(sub.Flags, words[1:], nil)
	out = append(out, flags...)
	return append(out, guard(words)...), nil
}

// guard keeps the flag package from reading an argument as a flag.
func guard(words []string) []string {
	if len(words) == 0 || words[0] == "--" {
		return words
	}
	return append([]string{"--"}, words...)
}

// split parts args into flags with their values and the words between them.
// It ends at "--", and at the first word that is one of the commands, whose
// flags are its own.
func split(known []cli.Flag, args []string, commands []*cli.Command) (flags, words []string) {
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
			if len(words) == 1 && isCommand(commands, arg) {
				return flags, append(words, args[i+1:]...)
			}
			continue
		}
		flags = append(flags, arg)
		name, _, inline := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if value[name] && !inline && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return flags, words
}

func isCommand(commands []*cli.Command, word string) bool {
	for _, c := range commands {
		if c.HasName(word) {
			return true
		}
	}
	return false
}
