// SPDX-License-Identifier: Apache-2.0

// Package servertest starts a redis-server or a memcached of the caller's own
// on a free port of the loopback, and ends it: for tests and measurements.
package servertest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// Server is a running server.
type Server struct {
	Addr    string // 127.0.0.1:PORT
	process *os.Process
	ended   chan struct{} // closed when it has
}

// Redis starts a redis-server that keeps nothing on disk; args are added to its
// command line.
func Redis(args ...string) (*Server, error) {
	return start(func(port string) *exec.Cmd {
		return exec.Command("redis-server", append([]string{
			"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--loglevel", "warning",
		}, args...)...)
	})
}

// Memcached starts a memcached; args are added to its command line.
func Memcached(args ...string) (*Server, error) {
	return start(func(port string) *exec.Cmd {
		return exec.Command("memcached", append([]string{"-u", "nobody", "-l", "127.0.0.1", "-p", port}, args...)...)
	})
}

// start tries some ports: between the choice of a free one and the server's
// bind another program can take it, and then the server ends.
func start(command func(port string) *exec.Cmd) (*Server, error) {
	var err error
	for range 3 {
		var s *Server
		if s, err = attempt(command); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func attempt(command func(port string) *exec.Cmd) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	var log bytes.Buffer
	c := command(strconv.Itoa(port))
	c.Stdout, c.Stderr = &log, &log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Args[0], err)
	}
	s := &Server{Addr: fmt.Sprintf("127.0.0.1:%d", port), process: c.Process, ended: make(chan struct{})}
	go func() { _ = c.Wait(); close(s.ended) }() // it is killed: its exit code means nothing
	for range 500 {
		select {
		case <-s.ended:
			return nil, fmt.Errorf("start %s: it has ended: %s", c.Args[0], log.Bytes())
		case <-time.After(10 * time.Millisecond):
		}
		if conn, err := net.Dial("tcp", s.Addr); err == nil {
			return s, conn.Close()
		}
	}
	s.Stop()
	return nil, fmt.Errorf("start %s: it does not listen: %s", c.Args[0], log.Bytes())
}

// Stop kills the server and waits for its end.
func (s *Server) Stop() {
	_ = s.Signal(syscall.SIGKILL)
	<-s.ended
}

// Signal sends the server a signal.
func (s *Server) Signal(sig syscall.Signal) error {
	if err := s.process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal server: %w", err)
	}
	return nil
}
