// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"context"
	"fmt"
	"testing"

	"github.com/kermit-trace/kermit/bench/ycsb/servertest"
	"github.com/redis/go-redis/v9"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func parse(t *testing.T, properties ...string) Properties {
	t.Helper()
	p, err := Parse(properties)
	check(t, err)
	return p
}

// target is a server for one test.
type target struct {
	*servertest.Server
	t  *testing.T
	db string
}

func startRedis(t *testing.T, args ...string) target {
	t.Helper()
	s, err := servertest.Redis(args...)
	check(t, err)
	t.Cleanup(s.Stop)
	return target{s, t, "redis"}
}

func startMemcached(t *testing.T, args ...string) target {
	t.Helper()
	s, err := servertest.Memcached(args...)
	check(t, err)
	t.Cleanup(s.Stop)
	return target{s, t, "memcached"}
}

func (g target) config(load bool, properties ...string) Config {
	return Config{DB: g.db, Addr: g.Addr, Load: load, Properties: parse(g.t, properties...), Seed: 7}
}

// load and run must succeed, with all operations done and the count right.
func (g target) load(properties ...string) *Result {
	g.t.Helper()
	return g.must(g.config(true, properties...))
}

func (g target) run(properties ...string) *Result {
	g.t.Helper()
	return g.must(g.config(false, properties...))
}

func (g target) must(c Config) *Result {
	g.t.Helper()
	r, err := Run(context.Background(), c)
	check(g.t, err)
	check(g.t, r.Err(false))
	return r
}

// records is the server's own number, asked for by another way than the code under test.
func (g target) records() int64 {
	g.t.Helper()
	c := redis.NewClient(&redis.Options{Addr: g.Addr})
	defer func() { _ = c.Close() }()
	keys := int64(0)
	i := c.Scan(context.Background(), 0, "user*", 10000).Iterator()
	for i.Next(context.Background()) {
		keys++
	}
	check(g.t, i.Err())
	return keys
}

func (g target) client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: g.Addr})
	g.t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestRepliesTellWhatHappened: whether a record was there, and is now.
func TestRepliesTellWhatHappened(t *testing.T) {
	for name, g := range map[string]target{"redis": startRedis(t), "memcached": startMemcached(t)} {
		store, err := newStore(g.db, g.Addr)
		check(t, err)
		defer store.close()
		c, err := store.open()
		check(t, err)
		defer c.close()
		key, record := []byte("user1"), []field{{"field0", []byte("a")}, {"field1", []byte("b")}}
		insert := func() string {
			created, err := c.insert(key, record)
			return fmt.Sprintf("created %v, error %v", created, err)
		}
		for i, step := range []struct{ got, want any }{
			{c.read(key, ""), errNotFound},
			{c.read(key, "field1"), errNotFound},
			{c.delete(key), errNotFound},
			{insert(), "created true, error <nil>"},
			{insert(), "created false, error <nil>"},
			{c.read(key, ""), nil},
			{c.read(key, "field1"), nil},
			{c.update(key, record), nil},
			{c.delete(key), nil},
			{c.delete(key), errNotFound},
		} {
			if step.got != step.want {
				t.Errorf("%s, step %d: %v, want %v", name, i, step.got, step.want)
			}
		}
	}
}
