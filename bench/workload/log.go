// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/kermit-trace/kermit/internal/invoker"
	"golang.org/x/sys/unix"
)

const (
	mostLog   = 64 << 20 // bytes of a service's log; then it begins anew
	tailBytes = 16 << 10 // of a log that are looked at for an error
	tailLines = 10
	tailWidth = 300 // characters of such a line
)

// createLog creates the file that a service prints to. Appending, so that it
// can be emptied under the service's hands. From then on it is not looked for by
// its name again, which might lead root elsewhere: the folder can be a user's.
func createLog(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, err
	}
	if err := invoker.Give(path); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// boundLog empties a log that has become too large, until the service is gone.
func boundLog(log *os.File, gone <-chan struct{}) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-gone:
			return
		case <-tick.C:
			if info, err := log.Stat(); err == nil && info.Size() > mostLog {
				_ = log.Truncate(0) // if not now, then at the next tick
			}
		}
	}
}

// tail is the end of a service's log, for an error.
func tail(log *os.File) string {
	info, err := log.Stat()
	if err != nil {
		return ""
	}
	data := make([]byte, tailBytes)
	n, _ := log.ReadAt(data, max(0, info.Size()-tailBytes)) // the end of the file is what we want
	if text := lastLines(data[:n]); text != "" {
		return text
	}
	return "; it printed nothing"
}

// lastLines is the end of an output, for an error; "" of none. What a terminal
// would not show as it stands is replaced: programs print anything.
func lastLines(output []byte) string {
	text := strings.Map(func(c rune) rune {
		if c == '\n' || unicode.IsPrint(c) {
			return c
		}
		return '.'
	}, strings.ReplaceAll(strings.ReplaceAll(string(output), "\r\n", "\n"), "\t", " "))
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	for i, l := range lines {
		if r := []rune(l); len(r) > tailWidth {
			lines[i] = string(r[:tailWidth]) + "…"
		}
	}
	return "; it printed:\n  " + strings.Join(lines, "\n  ")
}
