// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/kermit-trace/kermit/internal/invoker"
)

// job is the program behind "--". The recording ends when it ends. It is born
// a child of ktrace while rows are due already, so its first row is in the
// data. A nil job is no program.
type job struct {
	cmd     *exec.Cmd
	mu      sync.Mutex
	started bool
	done    chan struct{}
	err     error
}

// newJob finds the program; it is not started yet.
func newJob(words []string) (*job, error) {
	if len(words) == 0 {
		return nil, nil
	}
	path, err := exec.LookPath(words[0])
	if err != nil {
		code := 127 // as a shell
		if errors.Is(err, os.ErrPermission) {
			code = 126
		}
		return nil, command.Exit(code, fmt.Errorf("start %s: %w", words[0], err))
	}
	j := &job{cmd: exec.Command(path, words[1:]...), done: make(chan struct{})}
	j.cmd.Args[0] = words[0]
	who, err := invoker.Find() // whom ktrace will have become
	if err != nil {
		return nil, err
	}
	if who != nil {
		j.cmd.Env = append(os.Environ(), who.Env()...)
	}
	j.cmd.Stdin, j.cmd.Stdout, j.cmd.Stderr = os.Stdin, os.Stderr, os.Stderr // our stdout is the stream
	return j, nil
}

// start starts the program and calls ended when it has ended.
func (j *job) start(ended func()) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.cmd.Start(); err != nil {
		return command.Exit(126, fmt.Errorf("start %s: %w", j.cmd.Args[0], err))
	}
	j.started = true
	go func() {
		j.err = j.cmd.Wait()
		close(j.done)
		ended()
	}()
	return nil
}

// signal passes a signal on. Ctrl-C has reached the program already: both are
// in the terminal's foreground group. It tells whether a program runs.
func (j *job) signal(s os.Signal) bool {
	if j == nil {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.started && s == syscall.SIGTERM {
		_ = j.cmd.Process.Signal(s)
	}
	return j.started
}

// wait ends a program that goes on after the recording (--duration).
func (j *job) wait() {
	if j == nil || !j.started {
		return
	}
	select {
	case <-j.done:
	default:
		_ = j.cmd.Process.Signal(syscall.SIGTERM)
		<-j.done
	}
}

// result is the program's exit code, as an error unless it is 0.
func (j *job) result() error {
	var exit *exec.ExitError
	if !errors.As(j.err, &exit) {
		return j.err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return command.Exit(128+int(status.Signal()), nil)
	}
	return command.Exit(exit.ExitCode(), nil)
}
