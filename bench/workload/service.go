// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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
)

// server is a service that runs.
type server struct {
	*Service
	proc *process.Process
	log  *os.File      // that it prints to
	gone chan struct{} // closed when it has ended
	code int           // its exit code, valid then
	told bool          // that it ended by itself
}

// died is the error for a server that has ended by itself.
func (v *server) died() error {
	v.told = true
	return &serverError{fmt.Sprintf("service %s ended by itself, exit code %d%s", v.Name, v.code, tail(v.log))}
}

// serverError is the error for a server that does not do what it should.
type serverError struct{ what string }

func (e *serverError) Error() string { return e.what }

// watch returns a channel that gets the first server to end, and ends the watch.
func (r *run) watch() (dead <-chan *server, unwatch func()) {
	first := make(chan *server, len(r.servers))
	watching, unwatch := context.WithCancel(context.Background())
	for _, v := range r.servers {
		go func() {
			select {
			case <-v.gone:
				first <- v
			case <-watching.Done():
			}
		}()
	}
	return first, unwatch
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
	v := &server{Service: s, gone: make(chan struct{})}
	if v.log, err = createLog(filepath.Join(r.dir, s.Name+".log")); err != nil {
		return nil, fmt.Errorf("create log of %s: %w", s.Name, err)
	}
	if v.proc, err = r.job.start(s.Name, s.Root, process.Spec{Args: words, Dir: r.dir, Stdout: v.log, Stderr: v.log}); err != nil {
		_ = v.log.Close()
		return nil, err
	}
	go func() {
		v.code = r.job.wait(v.proc)
		close(v.gone)
	}()
	go boundLog(v.log, v.gone)
	if err := r.ready(ctx, v); err != nil {
		v.proc.Kill()
		<-v.gone
		defer func() { _ = v.log.Close() }()
		return nil, fmt.Errorf("service %s: %w%s", s.Name, err, tail(v.log))
	}
	r.mark(bench.Mark{Name: "ready", Phase: s.Name, ExitCode: -1, Attrs: map[string]any{"pid": v.proc.PID()}})
	return v, nil
}

// stop ends the service.
func (r *run) stop(v *server) error {
	defer func() { _ = v.log.Close() }()
	var failed error
	select {
	case <-v.gone:
		if !v.told {
			failed = v.died()
		}
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
	out, code, err := r.ask(ctx, v.Root, words)
	if err == nil && code != 0 {
		err = fmt.Errorf("service %s: on_stop: exit code %d: %s", v.Name, code, strings.TrimSpace(string(out)))
	}
	return err
}
