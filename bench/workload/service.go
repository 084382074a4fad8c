// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/bench/process"
	"golang.org/x/sys/unix"
)

// How long a service may take.
const (
	readyWithin = 10 * time.Second // to be ready, unless its file says otherwise
	stopWithin  = 10 * time.Second // to end after its signal, before SIGKILL
	askEvery    = 20 * time.Millisecond
)

// server is a service that runs.
type server struct {
	*Service
	proc *process.Process
	log  string        // file that it prints to
	gone chan struct{} // closed when it has ended
	code int           // its exit code, valid then
}

// signalOf returns the signal of a name; "" is SIGTERM.
func signalOf(name string) (syscall.Signal, error) {
	if name == "" {
		return syscall.SIGTERM, nil
	}
	if n := unix.SignalNum(name); n != 0 {
		return n, nil
	}
	return 0, fmt.Errorf("unknown signal %q", name)
}

// serve starts a service and waits until it is ready.
func (r *run) serve(ctx context.Context, s *Service) (*server, error) {
	words, err := r.scope.words(s.Command)
	if err != nil {
		return nil, err
	}
	v := &server{Service: s, log: filepath.Join(r.dir, s.Name+".log"), gone: make(chan struct{})}
	log, err := os.Create(v.log)
	if err != nil {
		return nil, fmt.Errorf("create log of %s: %w", s.Name, err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	if v.proc, err = r.job.start(s.Name, process.Spec{Args: words, Dir: r.dir, Stdout: log, Stderr: log}); err != nil {
		return nil, err
	}
	go func() {
		v.code = r.job.wait(v.proc)
		close(v.gone)
	}()
	if err := r.ready(ctx, v); err != nil {
		v.proc.Kill()
		<-v.gone
		return nil, fmt.Errorf("service %s: %w%s", s.Name, err, v.tail())
	}
	r.mark(bench.Mark{Name: "ready", Phase: s.Name, ExitCode: -1, Attrs: map[string]any{"pid": v.proc.PID()}})
	return v, nil
}

// ready waits until the service can be used.
func (r *run) ready(ctx context.Context, v *server) error {
	within := readyWithin
	if v.Ready.Timeout != "" {
		text, err := r.scope.text(v.Ready.Timeout)
		if err != nil {
			return err
		}
		if within, err = time.ParseDuration(text); err != nil {
			return fmt.Errorf("ready: timeout: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		why := r.probe(ctx, v)
		if why == nil {
			return nil
		}
		select {
		case <-v.gone:
			return fmt.Errorf("ended by itself, exit code %d", v.code)
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return errInterrupted
			}
			return fmt.Errorf("not ready after %s: %w", within, why)
		case <-time.After(askEvery):
		}
	}
}

// probe tells why the service is not ready.
func (r *run) probe(ctx context.Context, v *server) error {
	if v.Ready.Port != "" {
		text, err := r.scope.text(v.Ready.Port)
		if err != nil {
			return err
		}
		port, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("ready: port %q is not a number", text)
		}
		ok, err := listens(v.proc.PID(), port)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("nothing listens on port %d", port)
		}
	}
	if len(v.Ready.Command) == 0 {
		return nil
	}
	words, err := r.scope.words(v.Ready.Command)
	if err != nil {
		return err
	}
	out, code, err := r.ask(ctx, words)
	switch {
	case err != nil:
		return err
	case code != 0:
		return fmt.Errorf("%s: exit code %d", bench.Quote(words), code)
	case !regexp.MustCompile(v.Ready.Output).Match(out):
		return fmt.Errorf("%s printed %q", bench.Quote(words), strings.TrimSpace(string(out)))
	}
	return nil
}

// mostAnswer bounds what a probe's command may print, in bytes.
const mostAnswer = 64 << 10

// ask runs a short command to its end and returns its output.
func (r *run) ask(ctx context.Context, words []string) ([]byte, int, error) {
	out := &capture{most: mostAnswer}
	p, err := r.job.start(words[0], process.Spec{Args: words, Dir: r.dir, Stdout: out, Stderr: out})
	if err != nil {
		return nil, 0, err
	}
	stop := context.AfterFunc(ctx, p.Kill)
	defer stop()
	code := r.job.wait(p)
	return out.bytes(), code, nil
}

// stop ends the service.
func (r *run) stop(v *server) error {
	var failed error
	select {
	case <-v.gone:
		failed = fmt.Errorf("service %s ended by itself, exit code %d%s", v.Name, v.code, v.tail())
	default:
		if len(v.OnStop) > 0 {
			failed = r.onStop(v)
		}
		sig, _ := signalOf(v.Stop) // checked when the file was read
		v.proc.Signal(sig)
		select {
		case <-v.gone:
		case <-time.After(stopWithin):
			v.proc.Kill()
			<-v.gone
		}
	}
	r.mark(bench.Mark{Name: "stopped", Phase: v.Name, ExitCode: v.code, Attrs: map[string]any{"pid": v.proc.PID()}})
	return failed
}

func (r *run) onStop(v *server) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	words, err := r.scope.words(v.OnStop)
	if err != nil {
		return err
	}
	out, code, err := r.ask(ctx, words)
	if err == nil && code != 0 {
		err = fmt.Errorf("service %s: on_stop: exit code %d: %s", v.Name, code, strings.TrimSpace(string(out)))
	}
	return err
}

// tail is the end of the service's log, for an error.
func (v *server) tail() string {
	data, err := os.ReadFile(v.log)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return "; it printed nothing"
	}
	return "; it printed:\n  " + strings.Join(lines[max(0, len(lines)-10):], "\n  ")
}
