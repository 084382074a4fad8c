// SPDX-License-Identifier: Apache-2.0

package command

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Endings are the signals that ask a command to end in order. SIGHUP is not one
// of them where whoever called has it ignored, as nohup does: asking for it would
// undo that.
func Endings() []os.Signal {
	s := []os.Signal{unix.SIGINT, unix.SIGTERM}
	if !signal.Ignored(unix.SIGHUP) {
		s = append(s, unix.SIGHUP)
	}
	return s
}
