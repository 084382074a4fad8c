// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/bench/process"
)

// askEvery is the time between two looks at a service that is not ready: short
// beside what servers take to start.
const askEvery = 20 * time.Millisecond

// readiness is a [Ready] without templates.
type readiness struct {
	port    int64  // 0: none
	url     string // "": none
	command []string
	output  *regexp.Regexp
	within  time.Duration
}

// readiness fills in how to tell that a service can be used.
func (s scope) readiness(r *Ready) (*readiness, error) {
	is := &readiness{within: readyWithin, output: regexp.MustCompile(r.Output)} // checked when the file was read
	port, err := s.text(r.Port)
	if err == nil && port != "" {
		if is.port, err = strconv.ParseInt(port, 10, 64); err != nil {
			err = fmt.Errorf("port %q is not a number", port)
		}
	}
	if err != nil {
		return nil, err
	}
	if is.url, err = s.text(r.HTTP); err != nil {
		return nil, err
	}
	if is.command, err = s.words(r.Command); err != nil {
		return nil, err
	}
	timeout, err := s.text(r.Timeout)
	if err == nil && timeout != "" {
		is.within, err = time.ParseDuration(timeout)
	}
	return is, err
}

// ready waits until the service can be used.
func (r *run) ready(ctx context.Context, v *server) error {
	is, err := r.scope.readiness(&v.Ready)
	if err != nil {
		return fmt.Errorf("ready: %w", err)
	}
	asking, cancel := context.WithTimeout(ctx, is.within)
	defer cancel()
	var why error
	for {
		// A question that was cut short says less than the answer before it.
		if now := r.probe(asking, v, is); now == nil || why == nil || asking.Err() == nil {
			why = now
		}
		select { // a service that has ended is not ready, whoever answers
		case <-v.gone:
			return fmt.Errorf("ended by itself, exit code %d", v.code)
		default:
		}
		if why == nil {
			return nil
		}
		select {
		case <-v.gone:
			return fmt.Errorf("ended by itself, exit code %d", v.code)
		case <-asking.Done():
			if ctx.Err() != nil {
				return errInterrupted
			}
			return fmt.Errorf("not ready after %s: %w", is.within, why)
		case <-time.After(askEvery):
		}
	}
}

// probe tells why the service is not ready. Nobody is asked on a port on which
// the service does not listen itself.
func (r *run) probe(ctx context.Context, v *server, is *readiness) error {
	if is.port != 0 {
		ok, err := listens(v.proc.PID(), is.port)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("nothing listens on port %d", is.port)
		}
	}
	if is.url != "" {
		if err := get(ctx, is.url); err != nil {
			return err
		}
	}
	if len(is.command) == 0 {
		return nil
	}
	out, code, err := r.ask(ctx, v.Root, is.command)
	switch {
	case err != nil:
		return err
	case code != 0:
		return fmt.Errorf("%s: exit code %d", bench.Quote(is.command), code)
	case !is.output.Match(out):
		return fmt.Errorf("%s printed %q", bench.Quote(is.command), strings.TrimSpace(string(out)))
	}
	return nil
}

// get asks for a page that must be there.
func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask for %s: %w", url, err)
	}
	// A connection of its own, and through no proxy: the server is here.
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("ask for %s: %w", url, err)
	}
	_ = answer.Body.Close() // nobody reads it
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("ask for %s: %s", url, answer.Status)
	}
	return nil
}

// mostAnswer bounds what a probe's command may print, in bytes.
const mostAnswer = 64 << 10

// ask runs a short command to its end and returns its output.
func (r *run) ask(ctx context.Context, root bool, words []string) ([]byte, int, error) {
	out := &capture{most: mostAnswer}
	p, err := r.job.start(words[0], root, process.Spec{Args: words, Dir: r.dir, Stdout: out, Stderr: out})
	if err != nil {
		return nil, 0, err
	}
	stop := context.AfterFunc(ctx, p.Kill)
	defer stop()
	code := r.job.wait(p)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && code != 0 {
		return nil, code, fmt.Errorf("%s does not end", bench.Quote(words))
	}
	return out.bytes(), code, nil
}
