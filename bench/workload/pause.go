// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/kermit-trace/kermit/bench"
)

// pause returns how long a phase without a command lasts; 0 of a wait is for
// ever.
func (s scope) pause(p *Phase) (time.Duration, error) {
	tmpl := p.Sleep
	if p.Wait != nil {
		tmpl = *p.Wait
	}
	text, err := s.text(tmpl)
	if err != nil || text == "" {
		return 0, err
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration such as 1m30s", text)
	}
	return d, nil
}

// pause waits or sleeps. A wait that is ended by a signal or by END is what a
// wait is for: the run is over, in order.
func (r *run) pause(ctx context.Context, s scope, p *Phase, setup bool) error {
	d, err := s.pause(p)
	if err != nil {
		return err
	}
	dead, unwatch := r.watch()
	defer unwatch()
	if p.Wait == nil {
		select {
		case <-ctx.Done():
			return errInterrupted
		case v := <-dead:
			return v.died()
		case <-time.After(d):
			return nil
		}
	}
	var over <-chan time.Time
	if d > 0 {
		over = time.After(d)
	}
	r.mark(bench.Mark{Name: "start", Phase: p.Name, ExitCode: -1, Attrs: s.attrs(0)})
	defer r.mark(bench.Mark{Name: "end", Phase: p.Name, Attrs: s.attrs(0)})
	typed := r.job.listen()
	if !setup {
		r.rec.Started()
	}
	select {
	case <-ctx.Done():
	case <-typed:
	case v := <-dead:
		return v.died()
	case <-over:
		return nil
	}
	return errDone
}

// listen returns a channel that is closed when END is typed on the terminal.
func (j *Job) listen() <-chan struct{} {
	if j.opts.Terminal == nil {
		return nil
	}
	// A read in the background would stop the process, unless SIGTTIN is ignored.
	signal.Ignore(syscall.SIGTTIN)
	_, _ = fmt.Fprintln(j.opts.Output, "Type END or press Ctrl-C to finish")
	typed := make(chan struct{})
	go func(tty *os.File) {
		for lines := bufio.NewScanner(tty); lines.Scan(); {
			if strings.TrimSpace(lines.Text()) == "END" {
				close(typed)
				return
			}
		}
	}(j.opts.Terminal)
	return typed
}
