// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// Exec is a job that runs a command.
type Exec struct {
	workload string
	args     []string
	cmd      *exec.Cmd
}

// NewExec prepares a command; workload "" means the base name of the command.
// Its stdin is /dev/null, its stdout and stderr are output. The code is the
// exit code for the error.
func NewExec(workload string, args []string, output *os.File) (job *Exec, code int, err error) {
	path, err := exec.LookPath(args[0])
	if errors.Is(err, exec.ErrDot) {
		err = nil // whoever has "." in PATH means it
	}
	if err != nil {
		code, err = lookup(args[0], err)
		return nil, code, fmt.Errorf("run %s: %w", args[0], err)
	}
	if workload == "" {
		workload = nameOf(filepath.Base(args[0]))
	}
	cmd := &exec.Cmd{Path: path, Args: args, Stdout: output, Stderr: output}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return &Exec{workload: workload, args: args, cmd: cmd}, 0, nil
}

// lookup tells why a program was not found, as a shell does.
func lookup(program string, err error) (int, error) {
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

// Workload implements [Job].
func (e *Exec) Workload() string { return e.workload }

// Config implements [Job].
func (e *Exec) Config() any {
	return struct {
		Workload string   `yaml:"workload"`
		Command  []string `yaml:"command"`
	}{e.workload, e.args}
}

// Command implements [Job].
func (e *Exec) Command() string {
	words := make([]string, len(e.args))
	for i, a := range e.args {
		words[i] = quote(a)
	}
	return strings.Join(words, " ")
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quote makes one word of a shell's command line.
func quote(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Start implements [Job].
func (e *Exec) Start() error {
	if err := e.cmd.Start(); err != nil {
		var p *fs.PathError // "fork/exec PATH: …" says nothing to a user
		if errors.As(err, &p) {
			err = p.Err
		}
		return fmt.Errorf("run %s: %w", e.args[0], err)
	}
	return nil
}

// PID implements [Job].
func (e *Exec) PID() int { return e.cmd.Process.Pid }

// Signal implements [Job]: the whole process group gets the signal, as from a
// terminal. A group that is stopped would not see it, so it is continued.
func (e *Exec) Signal(sig os.Signal) {
	if n, ok := sig.(syscall.Signal); ok {
		_ = syscall.Kill(-e.PID(), n)
		_ = syscall.Kill(-e.PID(), syscall.SIGCONT)
	}
}

// Kill implements [Job].
func (e *Exec) Kill() { _ = syscall.Kill(-e.PID(), syscall.SIGKILL) }

// Wait implements [Job].
func (e *Exec) Wait() int {
	_ = e.cmd.Wait() // an exit code is no error here; output is a file, so nothing else can fail
	status, ok := e.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return codeSignal + int(status.Signal())
	}
	return e.cmd.ProcessState.ExitCode()
}
