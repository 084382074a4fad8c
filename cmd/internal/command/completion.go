// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// script asks the program itself what may come next. Behind "--" stands another
// program, which must not run because of a TAB. A flag that has been begun is
// asked for as "-".
const script = `_%[1]s_complete() {
  local cur="${COMP_WORDS[COMP_CWORD]}" words=("${COMP_WORDS[@]:0:COMP_CWORD}")
  COMPREPLY=()
  if [[ " ${words[*]} " != *" -- "* ]]; then
    [[ $cur == -* ]] && words+=(-)
    COMPREPLY=($(compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null)" -- "$cur"))
  fi
  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _%[1]s_complete %[1]s
`

// completion is the command that prints a shell's completion script.
func completion(name string) *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a completion script for bash or zsh",
		ArgsUsage: "bash|zsh",
		Description: fmt.Sprintf("Load it in the running shell:\n\n   eval \"$(%s completion bash)\"\n\n"+
			"or keep it: %s completion bash > ~/.local/share/bash-completion/completions/%s", name, name, name),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return Hint(Usage("name one shell: bash or zsh"), "%s completion --help", name)
			}
			shell := c.Args().First()
			if shell != "bash" && shell != "zsh" {
				return Usage("completion for %q: bash or zsh", shell)
			}
			script := fmt.Sprintf(script, name)
			if shell == "zsh" {
				script = "autoload -U bashcompinit && bashcompinit\n" + script
			}
			_, err := io.WriteString(c.App.Writer, script)
			return err
		},
	}
}
