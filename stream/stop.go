// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bufio"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Stop is how to end the writer of a stream; the package comment has the
// protocol. A pid would not do: sudo, pid namespaces and reuse stand in between.
type Stop struct {
	Socket string `msgpack:"socket"`
	Secret string `msgpack:"secret"`
}

// stopTimeout bounds each exchange over the socket.
const stopTimeout = 2 * time.Second

// stopLine bounds a line over the socket, in bytes: any user may connect.
const stopLine = 256

// stopCalls bounds how many connections are open at once.
const stopCalls = 256

// ListenStop opens a socket with a new name and secret. It calls stop, from a
// goroutine of its own, for each valid request to stop. Close the listener to
// end it.
func ListenStop(stop func()) (Stop, net.Listener, error) {
	var name, secret [16]byte
	if _, err := rand.Read(name[:]); err != nil {
		return Stop{}, nil, fmt.Errorf("make a secret: %w", err)
	}
	if _, err := rand.Read(secret[:]); err != nil {
		return Stop{}, nil, fmt.Errorf("make a secret: %w", err)
	}
	s := Stop{Socket: "kermit-" + hex.EncodeToString(name[:]), Secret: hex.EncodeToString(secret[:])}
	l, err := net.Listen("unix", "@"+s.Socket)
	if err != nil {
		return Stop{}, nil, fmt.Errorf("listen on stop socket: %w", err)
	}
	go s.serve(l, stop)
	return s, l, nil
}

func (s Stop) serve(l net.Listener, stop func()) {
	calls := make(chan struct{}, stopCalls)
	for {
		calls <- struct{}{}
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no file descriptor left, say: there may be one later
			time.Sleep(stopTimeout / 20)
			<-calls
			continue
		}
		go func() {
			defer func() { <-calls }()
			s.answer(c, stop)
		}()
	}
}

func (s Stop) answer(c net.Conn, stop func()) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(stopTimeout))
	line, err := readLine(c)
	if err != nil {
		return
	}
	verb, secret, _ := strings.Cut(line, " ")
	switch {
	case subtle.ConstantTimeCompare([]byte(secret), []byte(s.Secret)) != 1:
		_, _ = fmt.Fprintln(c, "wrong secret")
	case verb == "stop":
		_, _ = fmt.Fprintln(c, "ok")
		stop()
	case verb == "ping":
		_, _ = fmt.Fprintln(c, "ok")
	default:
		_, _ = fmt.Fprintln(c, "unknown request")
	}
}

// readLine reads a line of at most stopLine bytes.
func readLine(c net.Conn) (string, error) {
	line, err := bufio.NewReaderSize(c, stopLine).ReadSlice('\n')
	return strings.TrimSpace(string(line)), err
}

// Ping asks whether the writer is there.
func (s Stop) Ping() error { return s.ask("ping") }

// Request asks the writer to stop: it drains, writes the end frame and exits.
func (s Stop) Request() error { return s.ask("stop") }

func (s Stop) ask(verb string) error {
	if s.Socket == "" {
		return errors.New("the stream names no stop socket")
	}
	c, err := net.DialTimeout("unix", "@"+s.Socket, stopTimeout)
	if err != nil {
		return fmt.Errorf("reach the tracer: %w", err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(stopTimeout))
	if _, err := fmt.Fprintf(c, "%s %s\n", verb, s.Secret); err != nil {
		return fmt.Errorf("reach the tracer: %w", err)
	}
	answer, err := readLine(c)
	if err != nil {
		return fmt.Errorf("reach the tracer: %w", err)
	}
	if answer != "ok" {
		return fmt.Errorf("the tracer answers %q", answer)
	}
	return nil
}
