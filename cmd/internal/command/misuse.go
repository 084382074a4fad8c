// SPDX-License-Identifier: Apache-2.0

package command

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// misuse says what the flag package found wrong in the way a user would: flags
// with two dashes, and the nearest name instead of a page of help.
func misuse(c *cli.Context, err error, _ bool) error {
	name, flags := c.App.Name, c.App.Flags
	if c.Command != nil && c.Command.Name != c.App.Name {
		name, flags = name+" "+c.Command.Name, c.Command.Flags
	}
	help := name + " --help"
	text := err.Error()
	if flag, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		var names []string
		for _, f := range flags {
			names = append(names, f.Names()...)
		}
		if near := Nearest(flag, names); near != "" {
			return Hint(Usage("unknown flag %s", dashed(flag)), "did you mean %s? %s", dashed(near), help)
		}
		return Hint(Usage("unknown flag %s", dashed(flag)), "%s", help)
	}
	if flag, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return Hint(Usage("flag %s needs a value", dashed(flag)), "%s", help)
	}
	// invalid value "x" for flag -f: why; invalid boolean value "x" for -f: why
	if what, flag, ok := strings.Cut(strings.Replace(text, " for flag -", " for -", 1), " for -"); ok {
		flag, why, _ := strings.Cut(flag, ": ")
		return Hint(Usage("flag %s: %s: %s", dashed(flag), what, why), "%s", help)
	}
	return Hint(Usage("%w", err), "%s", help)
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// lower is text as an error begins: in lower case.
func lower(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToLower(text[:1]) + text[1:]
}
