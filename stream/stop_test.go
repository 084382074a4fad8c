// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bufio"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/stream"
)

// listen opens a stop socket that counts.
func listen(t *testing.T) (stream.Stop, *atomic.Int32) {
	t.Helper()
	var stops atomic.Int32
	s, l, err := stream.ListenStop(func() { stops.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return s, &stops
}

func TestAPingIsAnsweredAndStopsNothing(t *testing.T) {
	s, stops := listen(t)
	for range 3 {
		if err := s.Ping(); err != nil {
			t.Fatal(err)
		}
	}
	if n := stops.Load(); n != 0 {
		t.Errorf("%d stops", n)
	}
}

func TestARequestStops(t *testing.T) {
	stopped := make(chan struct{})
	s, l, err := stream.ListenStop(func() { close(stopped) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if err := s.Request(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-stopped:
	case <-time.After(5 * time.Second):
		t.Error("the request is answered, and nothing stops")
	}
}

func TestAWrongSecretStopsNothing(t *testing.T) {
	s, stops := listen(t)
	for _, secret := range []string{"", "x", s.Secret[1:], s.Secret + "0", strings.ToUpper(s.Secret) + "X", strings.Repeat("x", 1<<20)} {
		wrong := stream.Stop{Socket: s.Socket, Secret: secret}
		if err := wrong.Request(); err == nil {
			t.Errorf("secret of %d bytes: accepted", len(secret))
		}
	}
	if err := s.Ping(); err != nil || stops.Load() != 0 {
		t.Errorf("%v; %d stops", err, stops.Load())
	}
}

func TestAnUnknownRequestIsRefused(t *testing.T) {
	s, stops := listen(t)
	c, err := net.Dial("unix", "@"+s.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("halt " + s.Secret + "\n")); err != nil {
		t.Fatal(err)
	}
	if answer, err := bufio.NewReader(c).ReadString('\n'); err != nil || answer != "unknown request\n" || stops.Load() != 0 {
		t.Errorf("%q, %v, %d stops", answer, err, stops.Load())
	}
}

func TestAnIdleConnectionHoldsNobodyUp(t *testing.T) {
	s, _ := listen(t)
	c, err := net.Dial("unix", "@"+s.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	began := time.Now()
	if err := s.Ping(); err != nil || time.Since(began) > time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestNobodyThereIsAnError(t *testing.T) {
	s, l, err := stream.ListenStop(func() {})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(); err == nil || !strings.Contains(err.Error(), "reach the tracer") {
		t.Errorf("%v", err)
	}
	if err := (stream.Stop{}).Ping(); err == nil || !strings.Contains(err.Error(), "names no stop socket") {
		t.Errorf("%v", err)
	}
}
