// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAPauseOfTheServerIsNotHidden: for one second of three the server stands
// still. One request of each thread sees that as its own; all those whose turn
// came meanwhile have waited for it.
func TestAPauseOfTheServerIsNotHidden(t *testing.T) {
	g := startRedis(t)
	g.load("recordcount=100")
	began := time.Now()
	time.AfterFunc(time.Second, func() {
		_ = g.Signal(syscall.SIGSTOP)
		time.Sleep(time.Second)
		_ = g.Signal(syscall.SIGCONT)
	})
	r := g.run("recordcount=100", "operationcount=1500", "target=500", "threadcount=2", "readproportion=1", "updateproportion=0")
	if took := time.Since(began); took < 2900*time.Millisecond {
		t.Fatalf("it took %s for 3 s of operations", took)
	}
	times := r.tallies[opRead].done
	service, intended := times.service, times.intended
	if p99 := service.ValueAtPercentile(99); p99 > 500_000 {
		t.Errorf("99 %% of the requests were answered within %d us: of 1500 only 2 met the pause", p99)
	}
	if slowest := service.Max(); slowest < 900_000 {
		t.Errorf("the slowest request took %d us", slowest)
	}
	// A third of the operations was due in the pause, and had 0 to 1 s to wait.
	for _, c := range []struct {
		percentile float64
		least      int64
	}{{99, 900_000}, {90, 500_000}, {75, 150_000}} {
		if got := intended.ValueAtPercentile(c.percentile); got < c.least {
			t.Errorf("percentile %.0f since the intended start: %d us, want at least %d", c.percentile, got, c.least)
		}
	}
	if service.TotalCount() != 1500 || intended.TotalCount() != 1500 {
		t.Errorf("%d and %d latencies", service.TotalCount(), intended.TotalCount())
	}
}

// TestTargetIsNotExceeded, whatever the number of threads.
func TestTargetIsNotExceeded(t *testing.T) {
	g := startRedis(t)
	g.load("recordcount=100")
	for _, threads := range []string{"threadcount=1", "threadcount=7"} {
		r := g.run("recordcount=100", "operationcount=1000", "target=2000", threads)
		// The last of them is due 999/2000 s after the first.
		if r.Elapsed < 499*time.Millisecond {
			t.Errorf("%s: %d operations in %s", threads, r.Operations, r.Elapsed)
		}
	}
}

func TestTimeLimitEndsTheRun(t *testing.T) {
	g := startRedis(t)
	g.load("recordcount=100")
	for _, target := range []string{"target=0", "target=1"} { // all but one of the latter's threads sleep when the time is up
		r := g.run("recordcount=100", "maxexecutiontime=1", "threadcount=30", target)
		if r.Elapsed < time.Second || r.Elapsed > 5*time.Second || r.Operations == 0 {
			t.Errorf("%s: %d operations in %s", target, r.Operations, r.Elapsed)
		}
	}
}

func TestCancelEndsTheRunInOrder(t *testing.T) {
	g := startRedis(t)
	g.load("recordcount=100")
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	began := time.Now()
	r, err := Run(ctx, g.config(false, append(mixed[:0:0], "recordcount=100", "operationcount=100000000", "threadcount=3",
		"insertproportion=0.5", "deleteproportion=0.3")...))
	check(t, err)
	check(t, r.Err(false))
	if took := time.Since(began); took > 5*time.Second || r.Operations == 0 {
		t.Errorf("%d operations, ended after %s", r.Operations, took)
	}
}

// TestAKilledServerEndsTheRun at once, and what was done is told.
func TestAKilledServerEndsTheRun(t *testing.T) {
	for name, start := range map[string]func(*testing.T, ...string) target{"redis": startRedis, "memcached": startMemcached} {
		for _, pace := range []string{"target=0", "target=3"} { // the second sleeps when it happens
			t.Run(name+" "+pace, func(t *testing.T) {
				g := start(t)
				g.load("recordcount=100")
				var killed time.Time
				c := g.config(false, "recordcount=100", "operationcount=100000000", "threadcount=4", pace)
				c.Progress = func(done, _ int64, _ time.Duration) {
					if done > 0 && killed.IsZero() {
						g.Stop()
						killed = time.Now()
					}
				}
				r, err := Run(context.Background(), c)
				if took := time.Since(killed); took > 4*time.Second {
					t.Errorf("it ended %s after the server", took)
				}
				if err == nil || !strings.HasPrefix(err.Error(), name+" at "+g.Addr+": ") {
					t.Errorf("error: %v", err)
				}
				if r == nil || r.Operations == 0 || r.Counted {
					t.Errorf("result: %+v", r)
				}
			})
		}
	}
}

// TestASilentServerDoesNotHangTheEnd: it is stopped, so it neither answers nor
// closes the connection.
func TestASilentServerDoesNotHangTheEnd(t *testing.T) {
	for name, start := range map[string]func(*testing.T, ...string) target{"redis": startRedis, "memcached": startMemcached} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t)
			g.load("recordcount=100")
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			c := g.config(false, "recordcount=100", "operationcount=100000000", "threadcount=4")
			c.Progress = func(int64, int64, time.Duration) {
				_ = g.Signal(syscall.SIGSTOP)
				time.Sleep(200 * time.Millisecond) // until all threads wait for it
				cancel()
			}
			began := time.Now()
			_, err := Run(ctx, c)
			if err == nil || !strings.Contains(err.Error(), "no answer for 5s") {
				t.Errorf("error: %v", err)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	for _, db := range Databases {
		_, err := Run(context.Background(), Config{DB: db, Addr: "127.0.0.1:1", Load: true, Properties: parse(t, "recordcount=10")})
		if err == nil || !strings.Contains(err.Error(), db+" at 127.0.0.1:1: ") || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s: %v", db, err)
		}
	}
}

func TestPacerIsNotEarlyAndCanBeInterrupted(t *testing.T) {
	p, err := newPacer()
	check(t, err)
	defer p.close()
	for range 50 {
		at := time.Now().Add(500 * time.Microsecond)
		p.wait(at)
		if early := time.Until(at); early > 0 {
			t.Errorf("%s early", early)
		}
	}
	time.AfterFunc(50*time.Millisecond, p.interrupt)
	began := time.Now()
	p.wait(began.Add(time.Hour))
	p.wait(began.Add(time.Hour)) // and stays so
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("interrupted after %s", took)
	}
}
