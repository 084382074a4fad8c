// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Faux is a job that does nothing: it ends when END is typed on the terminal,
// when it is signalled, or after a while.
type Faux struct {
	duration time.Duration
	log      io.Writer
	once     sync.Once
	done     chan struct{}
}

// NewFaux prepares a Faux; duration 0 means without end. What ends it is said
// on log.
func NewFaux(duration time.Duration, log io.Writer) *Faux {
	return &Faux{duration: duration, log: log, done: make(chan struct{})}
}

// Workload implements [Job].
func (f *Faux) Workload() string { return "faux" }

// Config implements [Job].
func (f *Faux) Config() any {
	return struct {
		Workload string        `yaml:"workload"`
		Duration time.Duration `yaml:"duration"`
	}{"faux", f.duration}
}

// Command implements [Job].
func (f *Faux) Command() string { return "" }

// Start implements [Job].
func (f *Faux) Start() error {
	if f.duration > 0 {
		time.AfterFunc(f.duration, f.end)
	}
	// stdin is the stream; cron has no terminal, which is no error. A read in
	// the background would stop the process, unless SIGTTIN is ignored.
	signal.Ignore(syscall.SIGTTIN)
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return nil
	}
	_, _ = fmt.Fprintln(f.log, "Type END or press Ctrl-C to finish")
	go func() {
		defer func() { _ = tty.Close() }()
		for lines := bufio.NewScanner(tty); lines.Scan(); {
			if strings.TrimSpace(lines.Text()) == "END" {
				f.end()
				return
			}
		}
	}()
	return nil
}

func (f *Faux) end() { f.once.Do(func() { close(f.done) }) }

// PID implements [Job].
func (f *Faux) PID() int { return 0 }

// Signal implements [Job].
func (f *Faux) Signal(os.Signal) { f.end() }

// Kill implements [Job].
func (f *Faux) Kill() { f.end() }

// Wait implements [Job].
func (f *Faux) Wait() int {
	<-f.done
	return 0
}
