// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo terminal with somebody at it.
type terminal struct {
	t     *testing.T
	user  *os.File // where that somebody sits
	slave string
	shown syncBuffer
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	check(t, err)
	t.Cleanup(func() { _ = user.Close() })
	check(t, unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	check(t, err)
	tty := &terminal{t: t, user: user, slave: fmt.Sprintf("/dev/pts/%d", n)}
	return tty
}

// start starts a command as the leader of a session on the terminal. What of
// stdin, stdout and stderr is not set is the terminal.
func (tty *terminal) start(c *exec.Cmd) *exec.Cmd {
	tty.t.Helper()
	f, err := os.OpenFile(tty.slave, os.O_RDWR|unix.O_NOCTTY, 0)
	check(tty.t, err)
	if c.Stdin == nil {
		c.Stdin = f
	}
	if c.Stdout == nil {
		c.Stdout = f
	}
	c.Stderr = f
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2}
	check(tty.t, c.Start())
	check(tty.t, f.Close())
	tty.t.Cleanup(func() { _ = c.Process.Kill() })
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := tty.user.Read(b)
			if err != nil {
				return
			}
			_, _ = tty.shown.Write(b[:n])
		}
	}()
	return c
}

func (tty *terminal) typeText(s string) {
	tty.t.Helper()
	_, err := tty.user.WriteString(s)
	check(tty.t, err)
}

// await waits until text stands on the screen.
func (tty *terminal) await(text string) {
	tty.t.Helper()
	for range 2000 {
		if strings.Contains(tty.shown.String(), text) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	tty.t.Fatalf("%q never came on the terminal; there is:\n%s", text, tty.shown.String())
}

func (tty *terminal) finish(c *exec.Cmd, code int) {
	tty.t.Helper()
	_ = c.Wait()
	if got := c.ProcessState.ExitCode(); got != code {
		tty.t.Errorf("exit code %d, want %d; the terminal shows:\n%s", got, code, tty.shown.String())
	}
}
