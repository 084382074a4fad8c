// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/kermit-trace/kermit/bench/process"
	"github.com/kermit-trace/kermit/internal/invoker"
	"github.com/kermit-trace/kermit/stream"
	"golang.org/x/sys/unix"
)

// ChildError is the error for a child that failed. It has said why on stderr.
type ChildError struct {
	Program string
	Code    int
}

func (e *ChildError) Error() string { return fmt.Sprintf("%s failed, exit code %d", e.Program, e.Code) }

// MissingError is the error for a command of the suite that is not there.
type MissingError struct{ Program string }

func (e *MissingError) Error() string {
	return e.Program + ": found neither beside kbench nor in PATH"
}

// Find finds a command of the suite: beside this program, else in PATH.
func Find(name string) (string, error) {
	if self, err := os.Executable(); err == nil {
		if path, err := process.Look(filepath.Join(filepath.Dir(self), name)); err == nil {
			return path, nil
		}
	}
	path, err := process.Look(name)
	if err != nil {
		return "", &MissingError{Program: name}
	}
	return path, nil
}

// child is ktrace or kparquet, running.
type child struct {
	name string
	cmd  *exec.Cmd
	pipe *os.File      // our end of the stream
	out  bytes.Buffer  // what it printed, where its stdout is not the stream
	says *says         // its stderr
	done chan struct{} // closed when it has ended and was waited for
	code int           // valid then
}

// How long a child may take to end that has nothing more to do.
const (
	endWithin  = 10 * time.Second // before SIGTERM
	killWithin = 5 * time.Second  // between SIGTERM and SIGKILL, and after that
)

// begin starts the child, in a process group of its own: a signal of the
// terminal's is the session's to pass on.
func (c *child) begin(theirs *os.File) error {
	if c.cmd.SysProcAttr == nil {
		c.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.cmd.SysProcAttr.Setpgid = true
	c.cmd.WaitDelay = killWithin
	err := c.cmd.Start()
	_ = theirs.Close() // the child has its own
	if err != nil {
		_ = c.pipe.Close()
		return fmt.Errorf("start %s: %w", c.name, err)
	}
	c.done = make(chan struct{})
	go func() {
		_ = c.cmd.Wait() // the code tells
		c.code = process.Code(c.cmd.ProcessState)
		close(c.done)
	}()
	return nil
}

// startTracer starts ktrace, by sudo where this is not root.
func (r *run) startTracer() (*child, error) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("create pipe: %w", err)
	}
	stream.WidenPipe(ours)
	words := []string{r.ktrace, "--hooks", strings.Join(r.Hooks, ",")}
	if r.BestEffort {
		words = append(words, "--best-effort")
	}
	if os.Geteuid() != 0 {
		words = append([]string{"sudo", "-n", "--"}, words...)
	}
	c := &child{name: "ktrace", cmd: exec.Command(words[0], words[1:]...), pipe: ours, says: &says{to: r.Log}}
	c.cmd.Stdout, c.cmd.Stderr = theirs, c.says
	return c, c.begin(theirs)
}

// startRecorder starts kparquet, as the user who called sudo.
func (r *run) startRecorder() (*child, error) {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("create pipe: %w", err)
	}
	stream.WidenPipe(ours)
	words := []string{"--output", r.Output}
	if r.Prefix != "" {
		words = append(words, "--id", r.Prefix)
	}
	if r.Rotate != 0 {
		words = append(words, "--rotate", r.Rotate.String())
	}
	c := &child{name: "kparquet", cmd: exec.Command(r.kparquet, words...), pipe: ours, says: &says{to: r.Log}}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = theirs, &c.out, c.says
	if r.Hold != nil {
		c.cmd.ExtraFiles = []*os.File{r.Hold}
	}
	who, err := invoker.Find()
	if err != nil {
		return nil, errors.Join(err, ours.Close(), theirs.Close())
	}
	if who != nil {
		c.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who.Credential()}
	}
	return c, c.begin(theirs)
}

// finish waits for the tracer, whose stream is over or wanted no more.
func (c *child) finish(unwanted bool) error {
	_ = c.pipe.Close() // what it still writes is for nobody
	if unwanted {
		c.signal(unix.SIGTERM)
	}
	err := c.end()
	var failed *ChildError
	if unwanted && errors.As(err, &failed) && failed.Code == process.CodeSignal+int(unix.SIGTERM) {
		return nil // as it was told
	}
	return err
}

// end waits for the child, and makes it end.
func (c *child) end() error {
	for _, then := range []syscall.Signal{unix.SIGTERM, unix.SIGKILL} {
		patience := endWithin
		if then == unix.SIGKILL {
			patience = killWithin
		}
		if c.within(patience) {
			return c.failure()
		}
		c.signal(then)
	}
	if c.within(killWithin) {
		return c.failure()
	}
	return fmt.Errorf("%s (pid %d) does not end", c.name, c.cmd.Process.Pid)
}

func (c *child) within(patience time.Duration) bool {
	select {
	case <-c.done:
		return true
	case <-time.After(patience):
		return false
	}
}

// signal reaches the child's group; sudo, as another user's, may not be reached:
// it ends with what it runs, which ends when nobody reads its stream.
func (c *child) signal(s syscall.Signal) {
	select {
	case <-c.done: // the number may be another's
	default:
		_ = syscall.Kill(-c.cmd.Process.Pid, s)
	}
}

func (c *child) failure() error {
	if c.code == 0 {
		return nil
	}
	return &ChildError{Program: c.name, Code: c.code}
}

// await waits for the recorder to put all in place, which takes as long as
// there is data; signals are passed on.
func (c *child) await(signals <-chan os.Signal) error {
	_ = c.pipe.Close()
	for {
		select {
		case <-c.done:
			return c.failure()
		case s := <-signals:
			if n, ok := s.(syscall.Signal); ok {
				c.signal(n)
			}
		}
	}
}

// mute keeps what the child says from now on from being seen.
func (c *child) mute() { c.says.quiet.Store(true) }

func (c *child) muted() bool { return c.says.quiet.Load() }

// says is a child's stderr: a pipe, even where ours is a terminal, so that no
// line of progress mixes with what the workload prints.
type says struct {
	to    io.Writer
	quiet atomic.Bool
}

func (s *says) Write(p []byte) (int, error) {
	if s.quiet.Load() {
		return len(p), nil
	}
	return s.to.Write(p)
}

// lastLine is the last line that the child has printed.
func (c *child) lastLine() string {
	lines := strings.Split(strings.TrimSpace(c.out.String()), "\n")
	return lines[len(lines)-1]
}
