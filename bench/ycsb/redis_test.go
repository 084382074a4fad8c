// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// mixed is everything at once, by threads that get into each other's way.
var mixed = []string{
	"readproportion=1", "updateproportion=2", "insertproportion=2", "scanproportion=0.3", "readmodifywriteproportion=1",
	"deleteproportion=2", "maxscanlength=20", "threadcount=6", "fieldcount=3", "fieldlength=10", "operationcount=6000",
}

func TestCountIsExactWhateverTheMix(t *testing.T) {
	for _, distribution := range []string{"uniform", "zipfian", "latest"} {
		t.Run(distribution, func(t *testing.T) {
			t.Parallel()
			g := startRedis(t)
			g.load("recordcount=300", "fieldcount=3", "threadcount=4", "scanproportion=1")
			if n := g.records(); n != 300 {
				t.Fatalf("%d records after the load", n)
			}
			records := int64(300)
			for range 3 { // later ones find gaps, and insert over records that are there
				r := g.run(append(mixed, "recordcount=300", "requestdistribution="+distribution)...)
				records += r.Created - r.Deleted
				if got := g.records(); got != records || r.Actual != records {
					t.Fatalf("the server has %d records, the result says %d; want %d", got, r.Actual, records)
				}
				if r.Operations != 6000 || r.Created == 0 || r.Deleted == 0 {
					t.Errorf("operations %d, created %d, deleted %d", r.Operations, r.Created, r.Deleted)
				}
				for k := range r.tallies {
					if r.tallies[k].ok == 0 {
						t.Errorf("no %s", kind(k))
					}
				}
				if missed := r.tallies[opUpdate].notFound + r.tallies[opDelete].notFound + r.tallies[opRead].notFound; missed > 0 {
					// All of them may be deleted for a moment, when few are left.
					t.Logf("%d operations found no record", missed)
				}
			}
			noHalfRecords(g)
			if n := g.client().ZCard(context.Background(), index).Val(); n != records {
				t.Errorf("the index has %d entries, want %d", n, records)
			}
		})
	}
}

// noHalfRecords: an update after a delete would have made one.
func noHalfRecords(g target) {
	g.t.Helper()
	ctx, c := context.Background(), g.client()
	keys, err := c.Keys(ctx, "user*").Result()
	check(g.t, err)
	for _, k := range keys {
		if n := c.HLen(ctx, k).Val(); n != 3 {
			g.t.Errorf("%s has %d fields", k, n)
		}
	}
}

// TestLoadsAddUp is KernMLOps' outer_repeat: each load adds as many records,
// each run is on all of them.
func TestLoadsAddUp(t *testing.T) {
	g := startRedis(t)
	for outer := range int64(3) {
		g.load("recordcount=200", fmt.Sprintf("insertstart=%d", outer*200), "threadcount=3", "fieldcount=2")
		if n := g.records(); n != (outer+1)*200 {
			t.Fatalf("%d records after load %d", n, outer)
		}
		r := g.run(fmt.Sprintf("recordcount=%d", (outer+1)*200), "operationcount=500", "fieldcount=2")
		if r.Created+r.Deleted != 0 || r.tallies[opRead].ok+r.tallies[opUpdate].ok != 500 {
			t.Errorf("created %d, deleted %d, tallies %+v", r.Created, r.Deleted, r.tallies)
		}
	}
	g.load("recordcount=1000", "insertstart=600", "insertcount=50")
	if n := g.records(); n != 650 {
		t.Errorf("%d records after a load with insertcount", n)
	}
	if r := g.run("recordcount=650", "operationcount=30", "readproportion=0", "updateproportion=0", "insertproportion=1", "threadcount=3"); r.Created != 30 || g.records() != 680 {
		t.Errorf("30 inserts created %d records, there are %d", r.Created, g.records())
	}
	again := g.load("recordcount=100")
	if again.Created != 0 || again.Operations != 100 {
		t.Errorf("created %d of %d records that were there", again.Created, again.Operations)
	}
}

// TestRecordsHaveTheirFields, as long as they should be.
func TestRecordsHaveTheirFields(t *testing.T) {
	g := startRedis(t)
	g.load("recordcount=50", "fieldcount=4", "fieldlength=9", "minfieldlength=5", "fieldlengthdistribution=uniform", "insertorder=ordered", "zeropadding=4")
	c := g.client()
	lengths := map[int]bool{}
	for n := range 50 {
		record := c.HGetAll(context.Background(), fmt.Sprintf("user%04d", n)).Val()
		for i := range 4 {
			lengths[len(record[fmt.Sprintf("field%d", i)])] = true
		}
		if len(record) != 4 {
			t.Errorf("record %d: %v", n, record)
		}
	}
	if len(lengths) != 5 || !lengths[5] || !lengths[9] {
		t.Errorf("lengths of fields: %v", lengths)
	}
	if n := c.Exists(context.Background(), index).Val(); n != 0 {
		t.Error("there is an index, though nothing scans")
	}
}

// TestScansNeedTheIndex of a load that knew of them.
func TestScansNeedTheIndex(t *testing.T) {
	g := startRedis(t)
	g.load("recordcount=10")
	_, err := Run(context.Background(), g.config(false, "recordcount=10", "operationcount=10", "scanproportion=1"))
	if err == nil || !strings.Contains(err.Error(), "load with scanproportion > 0") {
		t.Errorf("run with scans: %v", err)
	}
}

// TestScansReadTheRecordsBehind: in the order of the index, as many as are asked for.
func TestScansReadTheRecordsBehind(t *testing.T) {
	g := startRedis(t)
	g.load("recordcount=100", "scanproportion=1")
	began := commands(g, "hgetall")
	r := g.run("recordcount=100", "operationcount=200", "readproportion=0", "updateproportion=0", "scanproportion=1", "minscanlength=1", "maxscanlength=3")
	read := commands(g, "hgetall") - began
	if r.tallies[opScan].ok != 200 || read < 300 || read > 500 { // 2 a scan, fewer at the end of the index
		t.Errorf("%d scans read %d records", r.tallies[opScan].ok, read)
	}
}

// commands is how often the server has done a command.
func commands(g target, name string) int64 {
	g.t.Helper()
	info := g.client().Info(context.Background(), "commandstats").Val()
	m := regexp.MustCompile(`cmdstat_` + name + `:calls=(\d+)`).FindStringSubmatch(info)
	if m == nil {
		return 0
	}
	var n int64
	_, err := fmt.Sscan(m[1], &n)
	check(g.t, err)
	return n
}

// TestSomebodyElsesWritesAreNoticed: the count is wrong, and that is an error.
func TestSomebodyElsesWritesAreNoticed(t *testing.T) {
	g := startRedis(t)
	g.load("recordcount=100")
	c := g.config(false, "recordcount=100", "operationcount=1000000", "target=1000")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.Progress = func(done, _ int64, _ time.Duration) {
		if done > 0 {
			g.client().Set(ctx, "stranger", "x", 0)
			cancel()
		}
	}
	r, err := Run(ctx, c)
	check(t, err)
	if err := r.Err(true); err == nil || !strings.Contains(err.Error(), "the server has 101 records, not 100") {
		t.Errorf("the result says %v", err)
	}
}

// TestNothingLeftEndsTheRun, rather than an endless search.
func TestNothingLeftEndsTheRun(t *testing.T) {
	g := startRedis(t)
	g.load("recordcount=50")
	r, err := Run(context.Background(), g.config(false, "recordcount=50", "operationcount=1000", "readproportion=0", "updateproportion=0",
		"deleteproportion=1", "threadcount=4"))
	if !errors.Is(err, errNoRecord) || !r.Counted || r.Deleted != 50 || g.records() != 0 {
		t.Errorf("%v; deleted %d, left %d", err, r.Deleted, g.records())
	}
}

// TestRefusedOperationsAreCounted: a server out of memory refuses writes, and
// nothing else.
func TestRefusedOperationsAreCounted(t *testing.T) {
	g := startRedis(t)
	g.load("recordcount=100")
	check(t, g.client().ConfigSet(context.Background(), "maxmemory", "1").Err())
	r, err := Run(context.Background(), g.config(false, "recordcount=100", "operationcount=1000", "readproportion=0.5", "updateproportion=0.5"))
	check(t, err)
	if r.Errors == 0 || r.Errors != r.tallies[opUpdate].errors || r.tallies[opUpdate].ok != 0 || r.Errors+r.tallies[opRead].ok != 1000 {
		t.Errorf("%d errors, %d reads", r.Errors, r.tallies[opRead].ok)
	}
	if err := r.Err(false); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("the result says %v", err)
	}
	check(t, r.Err(true))
	var out bytes.Buffer
	check(t, r.Print(&out))
	if !strings.Contains(out.String(), fmt.Sprintf("[UPDATE], Return=ERROR, %d\n", r.Errors)) || !strings.Contains(out.String(), "[UPDATE-FAILED], 99th") {
		t.Errorf("printed:\n%s", out.String())
	}
}

// TestARecordOfAnotherTypeIsAnError of reads too, whose replies are not looked into.
func TestARecordOfAnotherTypeIsAnError(t *testing.T) {
	g := startRedis(t)
	check(t, g.client().Set(context.Background(), string(appendKey(nil, 0, "hashed", 1)), "text", 0).Err())
	for _, all := range []string{"readallfields=true", "readallfields=false"} {
		r, err := Run(context.Background(), g.config(false, "recordcount=1", "operationcount=10", "updateproportion=0", all))
		check(t, err)
		if err := r.Err(false); r.Errors != 10 || err == nil || !strings.Contains(err.Error(), "the server answers: WRONGTYPE") {
			t.Errorf("%s: %d errors: %v", all, r.Errors, err)
		}
	}
}

// TestASeedRepeatsARun: all commands, as the server saw them.
func TestASeedRepeatsARun(t *testing.T) {
	seen := func(seed uint64) []string {
		g := startRedis(t)
		g.load("recordcount=100", "scanproportion=1", "fieldcount=2")
		monitor, err := net.Dial("tcp", g.Addr)
		check(t, err)
		defer func() { _ = monitor.Close() }()
		_, err = io.WriteString(monitor, "MONITOR\r\n")
		check(t, err)
		lines := bufio.NewScanner(monitor)
		lines.Scan() // +OK
		c := g.config(false, append(mixed, "threadcount=1", "recordcount=100", "operationcount=500", "requestdistribution=zipfian", "readallfields=false")...)
		c.Seed = seed
		g.must(c)
		check(t, g.client().Echo(context.Background(), "all seen").Err())
		var got []string
		for lines.Scan() && !strings.Contains(lines.Text(), "all seen") {
			if _, command, ok := strings.Cut(lines.Text(), "] "); ok && !strings.Contains(command, `"client"`) {
				got = append(got, command)
			}
		}
		return got
	}
	first, second, other := seen(42), seen(42), seen(43)
	if len(first) < 500 || !slices.Equal(first, second) {
		t.Errorf("%d and %d commands, not the same", len(first), len(second))
	}
	if slices.Equal(first, other) {
		t.Error("another seed does the same")
	}
}
