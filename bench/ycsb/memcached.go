// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// prefix of a key: YCSB's table, as its binding for memcached puts it there.
const prefix = "usertable-"

type memcachedStore struct {
	addr string
}

func newMemcached(addr string) *memcachedStore { return &memcachedStore{addr: addr} }

func (s *memcachedStore) close() {}

func (s *memcachedStore) prepare(d *plan) error {
	if d.Scan > 0 {
		return errors.New("scanproportion: memcached cannot scan")
	}
	return nil
}

// survey takes all for existing: to ask, a client has to fetch the records.
func (s *memcachedStore) survey(low, high int64, exists func(int64)) error {
	for ; low < high; low++ {
		exists(low)
	}
	return nil
}

// count asks by itself: the client has no call for statistics.
func (s *memcachedStore) count() (records, evicted int64, err error) {
	var l line
	c, err := l.dial(context.Background(), "tcp", s.addr)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(answerWithin))
	if _, err := io.WriteString(c, "stats\r\n"); err != nil {
		return 0, 0, fmt.Errorf("ask for stats: %w", err)
	}
	found := false
	lines := bufio.NewScanner(c)
	for lines.Scan() && lines.Text() != "END" {
		word := strings.Fields(lines.Text()) // STAT curr_items 12
		if len(word) != 3 {
			continue
		}
		n, _ := strconv.ParseInt(word[2], 10, 64) // others are no numbers
		switch word[1] {
		case "curr_items":
			records, found = n, true
		case "evictions", "slab_reassign_evictions_nomem":
			evicted += n
		}
	}
	switch {
	case lines.Err() != nil:
		return 0, 0, fmt.Errorf("ask for stats: %w", lines.Err())
	case !found:
		return 0, 0, errors.New("ask for stats: no curr_items in the answer")
	}
	return records, evicted, nil
}

func (s *memcachedStore) open() (connection, error) {
	c := &memcachedConn{client: memcache.New(s.addr)}
	c.client.DialContext, c.client.MaxIdleConns = c.dial, 1
	// The client's time limit begins anew with each operation.
	c.client.Timeout = answerWithin
	if err := c.client.Ping(); err != nil {
		return nil, err
	}
	return c, nil
}

type memcachedConn struct {
	line
	client *memcache.Client
	item   memcache.Item
}

func (c *memcachedConn) close() { _ = c.client.Close() }

func (c *memcachedConn) read(key []byte, _ string) error {
	_, err := c.client.Get(prefix + string(key))
	return answer(err)
}

// insert adds the record, and replaces it if it is there: so that the reply
// tells which. Between both it can be evicted.
func (c *memcachedConn) insert(key []byte, record []field) (bool, error) {
	c.fill(key, record)
	for {
		err := c.client.Add(&c.item)
		if !errors.Is(err, memcache.ErrNotStored) {
			return err == nil, answer(err)
		}
		if err := c.client.Replace(&c.item); !errors.Is(err, memcache.ErrNotStored) {
			return false, answer(err)
		}
	}
}

func (c *memcachedConn) update(key []byte, record []field) error {
	c.fill(key, record)
	return answer(c.client.Replace(&c.item))
}

func (c *memcachedConn) delete(key []byte) error {
	return answer(c.client.Delete(prefix + string(key)))
}

func (c *memcachedConn) scan([]byte, int64, string) error {
	return &replyError{"memcached cannot scan"}
}

// fill makes the item: the fields as JSON. None of the characters of values
// needs an escape.
func (c *memcachedConn) fill(key []byte, fields []field) {
	v := append(c.item.Value[:0], '{')
	for i, f := range fields {
		if i > 0 {
			v = append(v, ',')
		}
		v = append(v, '"')
		v = append(v, f.name...)
		v = append(v, `":"`...)
		v = append(v, f.value...)
		v = append(v, '"')
	}
	c.item.Key, c.item.Value = prefix+string(key), append(v, '}')
}

// answer sorts the client's errors.
func answer(err error) error {
	var timeout *memcache.ConnectTimeoutError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, memcache.ErrCacheMiss), errors.Is(err, memcache.ErrNotStored):
		return errNotFound
	case isBroken(err), errors.As(err, &timeout):
		return err
	}
	return &replyError{err.Error()}
}
