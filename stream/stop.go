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

// Stop is how to end the writer of a stream. A pid would not do: sudo, pid
// namespaces and reuse stand in between. The writer listens on an abstract
// unix socket; whoever sends a line "stop SECRET" ends it in an orderly way,
// "ping SECRET" only asks whether it is there. The answer to both is "ok".
type Stop struct {
	Socket string `msgpack:"socket"`
	Secret string `msgpack:"secret"`
}

// stopTimeout bounds each exchange over the socket.
const stopTimeout = 2 * time.Second

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
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			go s.answer(c, stop)
		}
	}()
	return s, l, nil
}

func (s Stop) answer(c net.Conn, stop func()) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(stopTimeout))
	line, err := bufio.NewReaderSize(c, 256).ReadString('\n')
	if err != nil {
		return
	}
	verb, secret, _ := strings.Cut(strings.TrimSpace(line), " ")
	if subtle.ConstantTimeCompare([]byte(secret), []byte(s.Secret)) != 1 {
		_, _ = fmt.Fprintln(c, "wrong secret")
		return
	}
	_, _ = fmt.Fprintln(c, "ok")
	if verb == "stop" {
		stop()
	}
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
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return fmt.Errorf("reach the tracer: %w", err)
	}
	if answer = strings.TrimSpace(answer); answer != "ok" {
		return fmt.Errorf("the tracer answers %q", answer)
	}
	return nil
}
