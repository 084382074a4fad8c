// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"path/filepath"
	"strings"

	"github.com/kermit-trace/kermit/bench"
)

// Command is a workload of one phase that runs the user's own command, where
// the user is; root keeps root's rights for it. Name "" means the base name of
// its program. What it leaves running when it ends is its own affair, how long
// it takes after a signal too, and its exit code needs no words.
func Command(name string, words []string, root bool) *Workload {
	if name == "" {
		name = bench.NameOf(filepath.Base(words[0]))
	}
	literal := make([]string, len(words))
	for i, w := range words {
		literal[i] = strings.ReplaceAll(w, "{{", `{{"{{"}}`)
	}
	return &Workload{Name: name, Root: root, Phases: []Phase{{Name: "run", Command: literal}}, command: words}
}

// own tells whether the workload is the user's own command.
func (w *Workload) own() bool { return w.command != nil }
