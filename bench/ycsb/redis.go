// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// index is the sorted set that scans go by, YCSB's name for it.
const index = "_indices"

// batch is how many records one EXISTS asks for.
const batch = 1000

type redisStore struct {
	addr    string
	own     *redis.Client // for what is asked before and after
	order   string
	padding int64
	indexed bool
}

// quiet is a logger for what the client says beside the errors it returns.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

var silence = sync.OnceFunc(func() { redis.SetLogger(quiet{}) })

func newRedis(addr string) *redisStore {
	silence()
	return &redisStore{addr: addr, own: redis.NewClient(redisOptions(addr, new(line), answerWithin))}
}

// redisOptions: one connection, no retries (they would hide errors and stretch
// latencies), nothing sent that was not asked for. timeout -2 spares the system
// a timer an operation; the session watches the time.
func redisOptions(addr string, l *line, timeout time.Duration) *redis.Options {
	return &redis.Options{
		Addr: addr, Dialer: l.dial, DialerRetries: 1, MaxRetries: -1, PoolSize: 1, PipelinePoolSize: -1,
		Protocol: 2, DisableIdentity: true, ReadTimeout: timeout, WriteTimeout: timeout,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

func (s *redisStore) close() { _ = s.own.Close() }

func (s *redisStore) hasIndex() (bool, error) {
	n, err := s.own.Exists(context.Background(), index).Result()
	if err != nil {
		return false, fmt.Errorf("look for the key %s: %w", index, err)
	}
	return n == 1, nil
}

func (s *redisStore) prepare(d *plan) error {
	s.order, s.padding = d.InsertOrder, d.ZeroPadding
	there, err := s.hasIndex()
	if err != nil {
		return err
	}
	if s.indexed = there || d.Scan > 0; s.indexed && !there && d.mix[opScan] > d.mix[opInsert] {
		return fmt.Errorf("scan: the database has no key %s: load with scanproportion > 0, too", index)
	}
	return nil
}

func (s *redisStore) count() (records, evicted int64, err error) {
	if records, err = s.own.DBSize(context.Background()).Result(); err != nil {
		return 0, 0, fmt.Errorf("ask for DBSIZE: %w", err)
	}
	there, err := s.hasIndex()
	if there {
		records--
	}
	return records, 0, err
}

// survey asks for a batch at once, and only if some of it is missing for each.
func (s *redisStore) survey(low, high int64, exists func(int64)) error {
	ctx := context.Background()
	for ; low < high; low += batch {
		end := min(low+batch, high)
		keys := make([]string, 0, batch)
		for n := low; n < end; n++ {
			keys = append(keys, string(appendKey(nil, n, s.order, s.padding)))
		}
		found, err := s.own.Exists(ctx, keys...).Result()
		if err != nil {
			return fmt.Errorf("ask which records exist: %w", err)
		}
		if found == 0 {
			continue
		}
		answers := make([]*redis.IntCmd, len(keys))
		if found < int64(len(keys)) {
			if _, err := s.own.Pipelined(ctx, func(p redis.Pipeliner) error {
				for i, k := range keys {
					answers[i] = p.Exists(ctx, k)
				}
				return nil
			}); err != nil {
				return fmt.Errorf("ask which records exist: %w", err)
			}
		}
		for i, a := range answers {
			if a == nil || a.Val() == 1 {
				exists(low + int64(i))
			}
		}
	}
	return nil
}

func (s *redisStore) open() (connection, error) {
	c := &redisConn{indexed: s.indexed}
	c.client = redis.NewClient(redisOptions(s.addr, &c.line, -2))
	c.conn = c.client.Conn() // one for all requests: no pool on the way
	if err := c.conn.Ping(context.Background()).Err(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// redisConn sends commands and looks at the reply as it came: what is in it is
// not wanted, and to unpack a record of 256 fields takes longer than its transfer.
type redisConn struct {
	line
	client  *redis.Client
	conn    *redis.Conn
	indexed bool
	args    []any
	keys    []string
}

func (c *redisConn) close() { _, _ = c.conn.Close(), c.client.Close() }

// do sends a command, whose words stand in c.args, and returns the raw reply.
func (c *redisConn) do(args []any) ([]byte, error) {
	c.args = args
	cmd := redis.NewRawCmd(context.Background(), args...)
	if err := c.conn.Process(context.Background(), cmd); err != nil {
		var answer redis.Error
		if errors.As(err, &answer) && !isBroken(err) {
			return nil, &replyError{answer.Error()}
		}
		return nil, err
	}
	reply := cmd.Val()
	if len(reply) > 0 && reply[0] == '-' {
		return nil, &replyError{string(bytes.TrimSpace(reply[1:]))}
	}
	return reply, nil
}

// number sends a command that is answered by a number.
func (c *redisConn) number(args []any) (int64, error) {
	reply, err := c.do(args)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimPrefix(reply, []byte(":")))), 10, 64)
	if err != nil {
		return 0, &replyError{fmt.Sprintf("%q instead of a number", reply)}
	}
	return n, nil
}

func (c *redisConn) read(key []byte, field string) error { return c.fetch(key, field) }

// fetch reads a record by a key of type []byte or string.
func (c *redisConn) fetch(key any, field string) error {
	args := append(c.args[:0], "hgetall", key)
	if field != "" {
		args = append(c.args[:0], "hmget", key, field)
	}
	reply, err := c.do(args)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(reply, []byte("*0\r")) || bytes.HasSuffix(reply, []byte("$-1\r\n")) {
		return errNotFound
	}
	return nil
}

func (c *redisConn) set(key []byte, fields []field) (added int64, err error) {
	args := append(c.args[:0], "hset", key)
	for _, f := range fields {
		args = append(args, f.name, f.value)
	}
	return c.number(args)
}

// insert has created a record if all of its fields are new: a hash that exists
// has at least one of them.
func (c *redisConn) insert(key []byte, record []field) (bool, error) {
	added, err := c.set(key, record)
	if err != nil {
		return false, err
	}
	created := added == int64(len(record))
	if c.indexed {
		_, err = c.number(append(c.args[:0], "zadd", index, strconv.Itoa(int(score(key))), key))
	}
	return created, err
}

func (c *redisConn) update(key []byte, fields []field) error {
	_, err := c.set(key, fields)
	return err
}

func (c *redisConn) delete(key []byte) error {
	n, err := c.number(append(c.args[:0], "del", key))
	if err != nil {
		return err
	}
	if c.indexed {
		if _, err := c.number(append(c.args[:0], "zrem", index, key)); err != nil {
			return err
		}
	}
	if n == 0 {
		return errNotFound
	}
	return nil
}

// scan reads the records behind from in the order of the index. One that has
// been deleted since is none.
func (c *redisConn) scan(from []byte, records int64, field string) error {
	reply, err := c.do(append(c.args[:0], "zrangebyscore", index, strconv.Itoa(int(score(from))), "+inf", "limit", "0",
		strconv.FormatInt(records, 10)))
	if err != nil {
		return err
	}
	c.keys = bulks(c.keys[:0], reply)
	for _, key := range c.keys {
		if err := c.fetch(key, field); err != nil && !errors.Is(err, errNotFound) {
			return err
		}
	}
	return nil
}

// bulks appends the texts of an array reply.
func bulks(to []string, reply []byte) []string {
	for i := 0; i < len(reply); {
		end := bytes.IndexByte(reply[i:], '\n')
		if end < 0 {
			break
		}
		head := reply[i : i+end]
		i += end + 1
		if len(head) == 0 || head[0] != '$' {
			continue
		}
		n, err := strconv.Atoi(string(bytes.TrimSpace(head[1:])))
		if err != nil || n < 0 || i+n > len(reply) {
			break
		}
		to = append(to, string(reply[i:i+n]))
		i += n + len("\r\n")
	}
	return to
}

// score of a key in the index: Java's String.hashCode, as YCSB has it.
func score(key []byte) int32 {
	var h int32
	for _, b := range key {
		h = 31*h + int32(b)
	}
	return h
}
