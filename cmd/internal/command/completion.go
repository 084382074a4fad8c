// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// completion is the command that prints a shell's completion script.
func completion(name string) *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a completion script for bash or zsh",
		ArgsUsage: "bash|zsh",
		Description: fmt.Sprintf("Load it in the running shell:\n\n   eval \"$(%s completion bash)\"\n\n"+
			"or keep it: %s completion bash > ~/.local/share/bash-completion/completions/%s", name, name, name),
		Action: func(c *cli.Context) error {
			shell := c.Args().First()
			if shell != "bash" && shell != "zsh" {
				return Usage("completion for %q: bash or zsh", shell)
			}
			if shell == "zsh" {
				fmt.Fprintln(c.App.Writer, "autoload -U bashcompinit && bashcompinit")
			}
			fmt.Fprintf(c.App.Writer, `_%[1]s_complete() {
  local words=("${COMP_WORDS[@]:0:COMP_CWORD}")
  COMPREPLY=($(compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o filenames -F _%[1]s_complete %[1]s
`, name)
			return nil
		},
	}
}
