// SPDX-License-Identifier: Apache-2.0

// Package process starts the programs of a job and ends them.
//
// Each program leads a process group of its own, so that a signal reaches all
// that it started, and Ctrl-C on a terminal reaches it once: through its
// starter. Its stdin is /dev/null. A program in a group of its own cannot read
// the terminal.
//
// A process is signalled only while it has not been waited for: its number
// cannot have gone to another meanwhile.
package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/kermit-trace/kermit/internal/invoker"
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// Exit codes of a program that did not run, as a shell gives them; CodeSignal
// plus its number for one that a signal ended.
const (
	CodeNotExecutable = 126
	CodeNotFound      = 127
	CodeSignal        = 128
)

// Spec says what to start.
type Spec struct {
	Args           []string // the program and its arguments
	Dir            string   // working directory; "": the caller's
	Env            []string // variables beside the caller's, NAME=value
	Stdout, Stderr io.Writer
	CPUs           *unix.CPUSet  // that it may run on; nil: as the caller
	As             *invoker.User // whose rights it has; nil: the caller's
	// Bound programs end with their starter, however that ends: SIGTERM for the
	// program when the starter is gone, SIGKILL for what is left of its group
	// when the program itself has ended.
	Bound bool
}

// Process is a program that was started.
type Process struct {
	cmd    *exec.Cmd
	drains []*drain
	bound  bool

	mu    sync.Mutex
	ended bool
	left  []string
}

// LookError is the error for a program that is not there, or cannot be run.
type LookError struct {
	Program string
	Code    int // exit code that a shell gives
	Err     error
}

func (e *LookError) Error() string { return fmt.Sprintf("run %s: %v", e.Program, e.Err) }

func (e *LookError) Unwrap() error { return e.Err }

// Look finds the program of a command; its errors are of the type [LookError].
func Look(program string) (path string, err error) {
	path, err = exec.LookPath(program)
	if err == nil || errors.Is(err, exec.ErrDot) { // whoever has "." in PATH means it
		return path, nil
	}
	code, err := reason(program, err)
	return "", &LookError{Program: program, Code: code, Err: err}
}

// reason tells why a program was not found, as a shell does.
func reason(program string, err error) (int, error) {
	var e *exec.Error
	if errors.As(err, &e) {
		err = e.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return CodeNotFound, err
	case !errors.Is(err, exec.ErrNotFound):
		return CodeNotExecutable, err
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, program)); err == nil && info.Mode().IsRegular() {
			return CodeNotExecutable, fs.ErrPermission
		}
	}
	return CodeNotFound, errors.New("command not found")
}

// patience is how long Wait waits, after a program's end, for others that hold
// its output open.
const patience = 2 * time.Second

// Start starts the program.
func Start(s Spec) (*Process, error) {
	path, err := Look(s.Args[0])
	if err != nil {
		return nil, err
	}
	p := &Process{bound: s.Bound, cmd: &exec.Cmd{
		Path: path, Args: s.Args, Dir: s.Dir, WaitDelay: patience,
		Env:         append(os.Environ(), s.Env...),
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}}
	if s.As != nil {
		p.cmd.SysProcAttr.Credential = s.As.Credential()
		p.cmd.Env = append(p.cmd.Env, s.As.Env()...)
	}
	if s.Bound {
		// The signal comes at the end of the starting thread, not of the process;
		// Go's threads last as long as the process.
		p.cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	}
	err = p.outputs(s)
	if err == nil {
		err = p.start(s.CPUs)
	}
	p.started()
	if err != nil {
		var e *fs.PathError // "fork/exec PATH: …" says nothing to a user
		if errors.As(err, &e) {
			err = e.Err
		}
		return nil, &LookError{Program: s.Args[0], Code: CodeNotExecutable, Err: err}
	}
	return p, nil
}

// start starts the program, a child that is known before it may be taken for an
// orphan.
func (p *Process) start(cpus *unix.CPUSet) error {
	children.Lock()
	defer children.Unlock()
	if err := start(p.cmd, cpus); err != nil {
		return err
	}
	if children.started == nil {
		children.started = map[int]bool{}
	}
	children.started[p.PID()] = true
	return nil
}

// start starts the command on some CPUs: a child inherits those of the thread
// that starts it.
func start(cmd *exec.Cmd, cpus *unix.CPUSet) error {
	if cpus == nil {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var own unix.CPUSet
	if err := unix.SchedGetaffinity(0, &own); err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(0, cpus); err != nil {
		return err
	}
	defer func() { _ = unix.SchedSetaffinity(0, &own) }() // they were ours a moment ago
	return cmd.Start()
}

// PID is the process's number, which is its group's too.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to the whole group. A group that is stopped would not
// see it, so it is continued.
func (p *Process) Signal(sig os.Signal) {
	n, ok := sig.(syscall.Signal)
	p.mu.Lock()
	defer p.mu.Unlock()
	if ok && !p.ended {
		_ = syscall.Kill(-p.PID(), n)
		_ = syscall.Kill(-p.PID(), syscall.SIGCONT)
	}
}

// Kill ends the whole group at once.
func (p *Process) Kill() { p.Signal(syscall.SIGKILL) }

// Wait waits until the program has ended, and returns its exit code as a shell
// gives it.
func (p *Process) Wait() int {
	for {
		// The number stays the process's until it is waited for in earnest.
		err := unix.Waitid(unix.P_PID, p.PID(), nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	if p.bound {
		p.left = p.others()
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	}
	p.ended = true
	p.mu.Unlock()
	_ = p.cmd.Wait() // an exit code is no error here
	children.Lock()
	delete(children.started, p.PID())
	children.Unlock()
	p.drained()
	return Code(p.cmd.ProcessState)
}

// others names the processes of the group beside the program.
func (p *Process) others() []string {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil
	}
	var names []string
	for _, q := range all {
		stat, err := q.Stat()
		if err == nil && stat.PGRP == p.PID() && q.PID != p.PID() && stat.State != "Z" {
			names = append(names, fmt.Sprintf("%s (pid %d)", stat.Comm, q.PID))
		}
	}
	return names
}

// Left names what a bound program had left running in its group when it ended.
// Valid after [Process.Wait].
func (p *Process) Left() []string { return p.left }

// Code of a process that has ended, as a shell gives it.
func Code(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return CodeSignal + int(status.Signal())
	}
	return state.ExitCode()
}
