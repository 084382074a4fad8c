// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/bradfitz/gomemcache/memcache"
)

// found counts the records low … high-1 that a client gets.
func found(g target, low, high int64) int64 {
	g.t.Helper()
	c, n := memcache.New(g.Addr), int64(0)
	defer func() { _ = c.Close() }()
	for ; low < high; low++ {
		if _, err := c.Get(prefix + string(appendKey(nil, low, "hashed", 1))); err == nil {
			n++
		}
	}
	return n
}

func TestMemcachedCountIsExact(t *testing.T) {
	g := startMemcached(t)
	g.load("recordcount=300", "threadcount=4", "fieldcount=3", "fieldlength=10")
	records := int64(300)
	for range 3 {
		r := g.run("recordcount=300", "operationcount=5000", "readproportion=1", "updateproportion=1", "readmodifywriteproportion=1",
			"insertproportion=1", "deleteproportion=1", "threadcount=6", "fieldcount=3", "fieldlength=10", "requestdistribution=zipfian")
		records += r.Created - r.Deleted
		if got := found(g, 0, 300+5000); got != records || r.Actual != records || r.Created == 0 || r.Deleted == 0 {
			t.Fatalf("a client finds %d records, the result says %d; want %d (created %d, deleted %d)", got, r.Actual, records, r.Created, r.Deleted)
		}
	}
}

// TestMemcachedRecordsAreJSON with all fields, also after updates of one.
func TestMemcachedRecordsAreJSON(t *testing.T) {
	g := startMemcached(t)
	g.load("recordcount=20", "fieldcount=3", "fieldlength=10")
	g.run("recordcount=20", "operationcount=200", "readproportion=0", "updateproportion=1", "fieldcount=3", "fieldlength=10")
	c := memcache.New(g.Addr)
	defer func() { _ = c.Close() }()
	for n := range int64(20) {
		item, err := c.Get(prefix + string(appendKey(nil, n, "hashed", 1)))
		check(t, err)
		var record map[string]string
		check(t, json.Unmarshal(item.Value, &record))
		if len(record) != 3 || len(record["field0"]) != 10 || len(record["field2"]) != 10 {
			t.Errorf("record %d: %s", n, item.Value)
		}
	}
}

// TestEvictedItemsAreAccountedFor: 4 MB do not hold 20 MB, and what is gone is
// not found, which is no error.
func TestEvictedItemsAreAccountedFor(t *testing.T) {
	g := startMemcached(t, "-m", "4")
	r := g.load("recordcount=2000", "fieldcount=1", "fieldlength=10000", "threadcount=2")
	if r.Evicted < 1000 || r.Created != 2000 {
		t.Errorf("evicted %d of %d", r.Evicted, r.Created)
	}
	r = g.run("recordcount=2000", "operationcount=3000", "fieldcount=1", "fieldlength=10000", "threadcount=2", "insertproportion=0.3")
	if r.tallies[opRead].notFound == 0 || r.tallies[opRead].ok == 0 {
		t.Errorf("reads: %+v", r.tallies[opRead])
	}
}

// TestMemcachedRefusesWhatIsTooLarge, and the connection goes on.
func TestMemcachedRefusesWhatIsTooLarge(t *testing.T) {
	g := startMemcached(t)
	r, err := Run(context.Background(), g.config(true, "recordcount=10", "fieldcount=1", "fieldlength=2000000"))
	check(t, err)
	if err := r.Err(false); r.Errors != 10 || err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("%d errors: %v", r.Errors, err)
	}
}

func TestMemcachedCannotScan(t *testing.T) {
	g := startMemcached(t)
	_, err := Run(context.Background(), g.config(false, "recordcount=10", "operationcount=10", "scanproportion=1"))
	if err == nil || !strings.Contains(err.Error(), "memcached cannot scan") {
		t.Errorf("run with scans: %v", err)
	}
}
