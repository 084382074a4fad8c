// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// answerWithin is how long a server may take for one answer. YCSB's binding
	// for memcached waits as long.
	answerWithin = time.Minute
)

// Databases that [Run] knows.
var Databases = []string{"redis", "memcached"}

// errNotFound: the record is not there. The server has answered.
var errNotFound = errors.New("no such record")

// replyError is an error that the server has answered with.
type replyError struct{ text string }

func (e *replyError) Error() string { return "the server answers: " + e.text }

// store is a server, asked before and after the work.
type store interface {
	// prepare gets ready for the plan; what the server cannot do is an error.
	prepare(*plan) error
	// survey tells of each record low … high-1 that exists.
	survey(low, high int64, exists func(int64)) error
	// count returns the records there are, and how many the server itself has
	// removed since it started.
	count() (records, evicted int64, err error)
	// open makes a connection for one thread.
	open() (connection, error)
	close()
}

// connection does the operations of one thread. A key is valid during the call
// only. Errors: errNotFound, *replyError; any other means that the connection is
// of no use any more.
type connection interface {
	// read fetches one field, or all for "".
	read(key []byte, field string) error
	insert(key []byte, record []field) (created bool, err error)
	update(key []byte, fields []field) error
	scan(from []byte, records int64, field string) error
	delete(key []byte) error
	// interrupt ends a call of another thread with an error.
	interrupt()
	close()
}

func newStore(db, addr string) (store, error) {
	switch db {
	case "redis":
		return newRedis(addr), nil
	case "memcached":
		return newMemcached(addr), nil
	}
	return nil, fmt.Errorf("unknown database %q", db)
}

// line is the network connection below a client, to be cut from outside.
type line struct {
	conn atomic.Pointer[net.Conn]
}

func (l *line) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(ctx, network, addr)
	if err == nil {
		l.conn.Store(&c)
	}
	return c, err
}

func (l *line) interrupt() {
	if c := l.conn.Load(); c != nil {
		_ = (*c).Close()
	}
}

// isBroken tells errors of a connection from answers of the server.
func isBroken(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded)
}
